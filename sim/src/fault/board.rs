//! What is wrong now: the episodes that have begun and not ended.
//!
//! Invariant: a draw inside an episode is made of its salt and of how often it was asked, so the
//! same script does the same to the same requests in a world of any seed.

use std::collections::{BTreeMap, BTreeSet};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::draw::exponential;
use super::effects::Effects;
use super::episode::{Episode, Parameters, Target, Trigger};
use super::family::FaultFamily;

/// An episode by its place in the script.
pub(crate) type Number = u64;

struct Active {
    number: Number,
    episode: Episode,
    asked: u64,
    /// For a disk without space: how many bytes it may hold.
    limit: u64,
}

impl Active {
    fn bits(&mut self) -> u64 {
        self.asked += 1;
        let salt = u64::from(self.episode.parameters.salt);
        xxh3_64_with_seed(&self.asked.to_le_bytes(), salt)
    }

    fn hits(&mut self) -> bool {
        let per_mille = u64::from(self.episode.parameters.per_mille);
        self.bits() % 1_000 < per_mille
    }

    fn delay(&mut self) -> u64 {
        added_delay(self.episode.parameters, self.bits())
    }
}

/// What an operation takes longer with these parameters.
pub(crate) fn added_delay(parameters: Parameters, bits: u64) -> u64 {
    let tail = exponential(bits, parameters.tail_nanos);
    parameters.delay_nanos.saturating_add(tail)
}

/// What an operation on a disk wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskWish {
    /// Names, lengths.
    Look,
    /// Makes a name.
    Name,
    Read,
    Write,
    /// Makes bytes durable.
    Sync,
}

/// What becomes of an operation on a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DiskVerdict {
    pub(crate) delay_nanos: u64,
    pub(crate) failure: Option<DiskFailure>,
    /// How many bytes the disk may hold.
    pub(crate) limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskFailure {
    /// Nothing happened.
    Eio,
    /// The bytes count as clean and are not durable.
    FsyncLost,
}

/// What a request to the store wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreWish {
    Look,
    /// Brings bytes.
    Write,
}

/// What becomes of a request to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StoreVerdict {
    pub(crate) delay_nanos: u64,
    pub(crate) failure: Option<StoreFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFailure {
    /// It was not carried out.
    Refused,
    /// It was carried out.
    Unanswered,
    /// It is never heard of again.
    Silent,
    /// There is no room for it.
    Full,
}

/// An episode that waits for its crash point.
struct Waiting {
    number: Number,
    episode: Episode,
    /// How often nodes have passed places of it that were armed.
    seen: u64,
}

impl Waiting {
    /// Takes note of a pass, the `count`-th of that place by that node; whether it was waited for.
    fn is_due(&mut self, node: &str, place: &str, count: u64, now: u64) -> bool {
        match &self.episode.at {
            Trigger::Nanos(_) => false,
            Trigger::Pass {
                node: by,
                place: at,
                ordinal,
            } => by == node && at == place && *ordinal == count,
            Trigger::Armed {
                from_nanos,
                patience_nanos,
                places,
                ordinal,
            } => {
                let Some(passed) = now.checked_sub(*from_nanos) else {
                    return false;
                };
                let more = passed.checked_div(*patience_nanos).unwrap_or(u64::MAX);
                let armed = usize::try_from(more).unwrap_or(usize::MAX);
                let mut armed = places.iter().take(armed.saturating_add(1));
                self.seen += u64::from(armed.any(|armed| armed == place));
                self.seen == *ordinal
            }
        }
    }
}

/// All that is wrong in a world, what waits for a crash point, and what came of it.
#[derive(Default)]
pub(crate) struct Board {
    active: Vec<Active>,
    waiting: Vec<Waiting>,
    passes: BTreeMap<(String, &'static str), u64>,
    /// Where nodes have lost their power, passing.
    crashed_at: BTreeSet<&'static str>,
    /// Which family took a node down.
    downs: BTreeMap<String, FaultFamily>,
    healed: bool,
    effects: Effects,
}

impl Board {
    pub(crate) fn effects(&self) -> &Effects {
        &self.effects
    }

    pub(crate) fn add_effect(&mut self, family: FaultFamily, count: u64) {
        self.effects.add(family, count);
    }

    /// Lets an episode wait for its crash point.
    pub(crate) fn await_pass(&mut self, number: Number, episode: Episode) {
        self.waiting.push(Waiting {
            number,
            episode,
            seen: 0,
        });
    }

    /// Counts a pass and takes out what was waiting for it, done to that node.
    pub(crate) fn pass(
        &mut self,
        node: &str,
        place: &'static str,
        now: u64,
    ) -> Vec<(Number, Episode)> {
        let count = self.passes.entry((node.to_owned(), place)).or_default();
        *count += 1;
        let count = *count;
        let due = |waiting: &mut Waiting| waiting.is_due(node, place, count, now);
        let due = self.waiting.extract_if(.., due);
        due.map(|mut waiting| {
            if waiting.episode.target == Target::Passer {
                waiting.episode.target = Target::Node(node.to_owned());
            }
            (waiting.number, waiting.episode)
        })
        .collect()
    }

    /// A node has lost its power there.
    pub(crate) fn crashed(&mut self, place: &'static str) {
        self.crashed_at.insert(place);
    }

    /// Where nodes have lost their power, passing.
    pub(crate) fn crashed_at(&self) -> &BTreeSet<&'static str> {
        &self.crashed_at
    }

    /// How often each node has passed each crash point.
    pub(crate) fn passes(&self) -> &BTreeMap<(String, &'static str), u64> {
        &self.passes
    }

    /// An episode has begun; a disk that is short of space may hold `limit` bytes.
    pub(crate) fn begin(&mut self, number: Number, episode: Episode, limit: u64) {
        self.active.push(Active {
            number,
            episode,
            asked: 0,
            limit,
        });
    }

    /// An episode has ended; `None` if it had ended before.
    pub(crate) fn end(&mut self, number: Number) -> Option<Episode> {
        let at = self.active.iter().position(|a| a.number == number)?;
        Some(self.active.remove(at).episode)
    }

    /// Whether an episode of one of the families is on for a target.
    pub(crate) fn holds(&self, target: &Target, like: impl Fn(FaultFamily) -> bool) -> bool {
        let mut active = self.active.iter();
        active.any(|a| a.episode.target == *target && like(a.episode.family))
    }

    /// Forgets what has not begun, and answers what must be ended.
    pub(crate) fn heal(&mut self) -> Vec<Number> {
        self.healed = true;
        self.waiting.clear();
        self.active.iter().map(|active| active.number).collect()
    }

    pub(crate) fn is_healed(&self) -> bool {
        self.healed
    }

    pub(crate) fn went_down(&mut self, node: &str, family: FaultFamily) {
        self.downs.insert(node.to_owned(), family);
    }

    /// A node has started: the fault that took it down has taken effect.
    pub(crate) fn came_up(&mut self, node: &str) {
        if let Some(family) = self.downs.remove(node) {
            self.effects.add(family, 1);
        }
    }

    /// What becomes of an operation on the disk of a node.
    pub(crate) fn disk(&mut self, node: &str, wish: DiskWish) -> DiskVerdict {
        let mut verdict = DiskVerdict::default();
        if self.active.is_empty() {
            return verdict;
        }
        for active in &mut self.active {
            let hurt = matches!(&active.episode.target, Target::Disk(disk) if disk == node);
            if !hurt {
                continue;
            }
            let family = active.episode.family;
            let failure = match (family, wish) {
                (FaultFamily::DiskSlow, _) => {
                    verdict.delay_nanos = verdict.delay_nanos.saturating_add(active.delay());
                    self.effects.add(family, 1);
                    continue;
                }
                (FaultFamily::DiskEnospc, DiskWish::Name | DiskWish::Write) => {
                    let limit = verdict.limit.unwrap_or(u64::MAX);
                    verdict.limit = Some(limit.min(active.limit));
                    continue;
                }
                (FaultFamily::DiskEio, DiskWish::Read | DiskWish::Write | DiskWish::Sync) => {
                    DiskFailure::Eio
                }
                (FaultFamily::DiskFsyncLost, DiskWish::Sync) => DiskFailure::FsyncLost,
                (_, _) => continue,
            };
            if verdict.failure.is_none() && active.hits() {
                verdict.failure = Some(failure);
                self.effects.add(family, 1);
            }
        }
        verdict
    }

    /// What becomes of a request to the store.
    pub(crate) fn store(&mut self, wish: StoreWish) -> StoreVerdict {
        let mut verdict = StoreVerdict::default();
        for active in &mut self.active {
            let family = active.episode.family;
            let failure = match (&active.episode.target, family) {
                (Target::Store, FaultFamily::BlobLatency) => {
                    verdict.delay_nanos = verdict.delay_nanos.saturating_add(active.delay());
                    self.effects.add(family, 1);
                    continue;
                }
                (Target::Store, FaultFamily::BlobErrorBurst) => StoreFailure::Refused,
                (Target::Store, FaultFamily::BlobUnanswered) => StoreFailure::Unanswered,
                (Target::Store, FaultFamily::BlobSilent) => StoreFailure::Silent,
                (Target::Store, FaultFamily::BlobFull) if wish == StoreWish::Write => {
                    StoreFailure::Full
                }
                (_, _) => continue,
            };
            if verdict.failure.is_none() && active.hits() {
                verdict.failure = Some(failure);
                self.effects.add(family, 1);
            }
        }
        verdict
    }
}
