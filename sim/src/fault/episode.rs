//! One fault: when, what, to whom, for how long and how badly.
//!
//! Invariant: an episode says all: the draws inside it come from its own salt, so that it does the
//! same in a world of any seed. Knows nothing of how it is applied.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::family::{FaultFamily, TargetKind};

/// When an episode begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trigger {
    /// At an instant of the world, in nanoseconds since the start of the run.
    Nanos(u64),
    /// When a node passes a crash point for the n-th time in the run, in whichever life.
    Pass {
        /// The node.
        node: String,
        /// The crash point, `room.step`.
        place: String,
        /// Which pass; the first is 1.
        ordinal: u64,
    },
    /// When any node passes a crash point that is armed. The first place is armed at an instant;
    /// each time that patience ends, the next one is armed as well, so that a place by which
    /// nobody comes does not waste the episode.
    Armed {
        /// When the first place is armed, in nanoseconds since the start of the run.
        from_nanos: u64,
        /// After how many nanoseconds more the next place is armed.
        patience_nanos: u64,
        /// The crash points, the first one first.
        places: Vec<String>,
        /// Which pass of a place that is armed then; the first is 1.
        ordinal: u64,
    },
}

impl Trigger {
    /// The crash point that the episode is meant for, if it waits for one.
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Nanos(_) => None,
            Self::Pass { place, .. } => Some(place),
            Self::Armed { places, .. } => places.first().map(String::as_str),
        }
    }
}

/// To whom it is done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Target {
    /// A node.
    Node(String),
    /// The node that passes the crash point for which the episode waits.
    Passer,
    /// The link from one node to another; both directions for those that know no direction.
    Link {
        /// Where it begins.
        from: String,
        /// Where it ends.
        to: String,
    },
    /// The disk of a node; [`VOLUME`](crate::VOLUME) is the shared one.
    Disk(String),
    /// The blob store.
    Store,
}

impl Target {
    /// What kind of thing it is.
    pub const fn kind(&self) -> TargetKind {
        match self {
            Self::Node(_) | Self::Passer => TargetKind::Node,
            Self::Link { .. } => TargetKind::Link,
            Self::Disk(_) => TargetKind::Disk,
            Self::Store => TargetKind::Store,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "node {node}"),
            Self::Passer => f.write_str("the node that passes"),
            Self::Link { from, to } => write!(f, "link {from} -> {to}"),
            Self::Disk(node) => write!(f, "disk of {node}"),
            Self::Store => f.write_str("store"),
        }
    }
}

/// How badly; each family reads its own fields, and zero means that there is no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Parameters {
    /// `latency`, `disk-slow`, `blob-latency`: what each operation takes longer, in nanoseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub delay_nanos: u64,
    /// The same families: the mean of what is drawn on top of it, in nanoseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub tail_nanos: u64,
    /// `slow-link`: how many bytes pass in a second, at least 1.
    #[serde(skip_serializing_if = "is_default")]
    pub bytes_per_second: u64,
    /// `reset`: the connection breaks when so many bytes more have gone from one node to the
    /// other; with 0 all connections of the two nodes break at once.
    #[serde(skip_serializing_if = "is_default")]
    pub after_bytes: u64,
    /// `disk-enospc`: how many bytes the disk still takes.
    #[serde(skip_serializing_if = "is_default")]
    pub free_bytes: u64,
    /// `disk-eio`, `disk-fsync-lost`, `blob-error-burst`, `blob-unanswered`, `blob-silent`,
    /// `blob-full`: how many operations of a thousand it hits.
    #[serde(skip_serializing_if = "is_default")]
    pub per_mille: u32,
    /// `clock-jump`: how far the wall clock is set forward, or back, in nanoseconds.
    #[serde(skip_serializing_if = "is_default")]
    pub offset_nanos: i64,
    /// `clock-drift`: how many microseconds the node gains in a second.
    #[serde(skip_serializing_if = "is_default")]
    pub drift_ppm: i32,
    /// What the draws inside the episode are made of.
    #[serde(skip_serializing_if = "is_default")]
    pub salt: u32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// One fault.
///
/// ```
/// use sameriver_sim::{Episode, FaultFamily, Target, Trigger};
/// let crash = Episode::new(Trigger::Nanos(5_000), FaultFamily::Crash, Target::Node("a".into()))
///     .lasting(std::time::Duration::from_secs(2));
/// assert_eq!(crash.to_string(), "crash of node a after 5µs for 2s");
/// assert_eq!(crash.check(), Ok(()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Episode {
    /// When it begins.
    pub at: Trigger,
    /// What is done.
    pub family: FaultFamily,
    /// To whom.
    pub target: Target,
    /// For how long, in nanoseconds; a crashed node starts again, and a lost connection may be
    /// opened again, when it is over.
    pub duration_nanos: u64,
    /// How badly.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parameters: Parameters,
}

/// An episode that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EpisodeError {
    /// The family is done to something else.
    #[error("{family} is done to {expected}, not to {target}")]
    WrongTarget {
        /// The family.
        family: FaultFamily,
        /// What it is done to.
        expected: TargetKind,
        /// What the episode says.
        target: Target,
    },
    /// A share of more than a thousand.
    #[error("{family} hits {per_mille} operations of 1000: say at most 1000")]
    ShareTooLarge {
        /// The family.
        family: FaultFamily,
        /// What the episode says.
        per_mille: u32,
    },
    /// A crash point that is passed for the 0th time.
    #[error("{place} is passed for the 1st time at first: say at least 1")]
    PassZero {
        /// The crash point.
        place: String,
    },
    /// A trigger that waits for no crash point at all.
    #[error("{family} is armed at no crash point: name at least one")]
    NoPlace {
        /// The family.
        family: FaultFamily,
    },
    /// The node that passes, where nobody does.
    #[error(
        "{family} is done to the node that passes, but waits for no crash point: name the node"
    )]
    NobodyPasses {
        /// The family.
        family: FaultFamily,
    },
    /// A crash at crash points that any node may pass.
    #[error("{family} of {target} cannot unwind whoever passes: say \"passer\"")]
    NotThePasser {
        /// The family.
        family: FaultFamily,
        /// What the episode says.
        target: Target,
    },
    /// A crash at a crash point that another node passes.
    #[error("{family} of {target} cannot unwind {node}: name the node that passes")]
    OtherNode {
        /// The family.
        family: FaultFamily,
        /// What the episode says.
        target: Target,
        /// Who passes.
        node: String,
    },
}

impl Episode {
    /// An episode of no length.
    pub fn new(at: Trigger, family: FaultFamily, target: Target) -> Self {
        Self {
            at,
            family,
            target,
            duration_nanos: 0,
            parameters: Parameters::default(),
        }
    }

    /// The same for so long.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.duration_nanos = crate::virtual_clock::nanos(duration);
        self
    }

    /// The same, so bad.
    #[must_use]
    pub fn with(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Looks whether the parts fit together.
    ///
    /// # Errors
    /// [`EpisodeError`] names the part that does not fit.
    pub fn check(&self) -> Result<(), EpisodeError> {
        let family = self.family;
        if self.target.kind() != family.target_kind() {
            return Err(EpisodeError::WrongTarget {
                family,
                expected: family.target_kind(),
                target: self.target.clone(),
            });
        }
        if self.parameters.per_mille > 1_000 {
            let per_mille = self.parameters.per_mille;
            return Err(EpisodeError::ShareTooLarge { family, per_mille });
        }
        let passes = self.target == Target::Passer;
        match &self.at {
            Trigger::Nanos(_) if passes => Err(EpisodeError::NobodyPasses { family }),
            Trigger::Nanos(_) => Ok(()),
            Trigger::Pass { node, ordinal, .. } => {
                self.check_ordinal(*ordinal)?;
                self.check_unwinds(node)
            }
            Trigger::Armed { places, .. } if places.is_empty() => {
                Err(EpisodeError::NoPlace { family })
            }
            Trigger::Armed { ordinal, .. } => {
                self.check_ordinal(*ordinal)?;
                if passes || !family.is_crash() {
                    return Ok(());
                }
                let target = self.target.clone();
                Err(EpisodeError::NotThePasser { family, target })
            }
        }
    }

    fn check_ordinal(&self, ordinal: u64) -> Result<(), EpisodeError> {
        if ordinal > 0 {
            return Ok(());
        }
        Err(EpisodeError::PassZero {
            place: self.at.place().unwrap_or_default().to_owned(),
        })
    }

    fn check_unwinds(&self, node: &str) -> Result<(), EpisodeError> {
        let fits = match &self.target {
            Target::Node(target) => !self.family.is_crash() || target == node,
            Target::Passer | Target::Link { .. } | Target::Disk(_) | Target::Store => true,
        };
        if fits {
            return Ok(());
        }
        Err(EpisodeError::OtherNode {
            family: self.family,
            target: self.target.clone(),
            node: node.to_owned(),
        })
    }
}

impl fmt::Display for Episode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ", self.family, self.target)?;
        match &self.at {
            Trigger::Nanos(at) => write!(f, "after {:?}", Duration::from_nanos(*at))?,
            Trigger::Pass {
                node,
                place,
                ordinal,
            } => write!(f, "at pass {ordinal} of {place} by {node}")?,
            Trigger::Armed {
                from_nanos,
                patience_nanos,
                places,
                ordinal,
            } => {
                let from = Duration::from_nanos(*from_nanos);
                let patience = Duration::from_nanos(*patience_nanos);
                let places = places.join(", ");
                write!(f, "at pass {ordinal} of {places} after {from:?}")?;
                write!(f, ", one more each {patience:?},")?;
            }
        }
        write!(f, " for {:?}", Duration::from_nanos(self.duration_nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Target {
        Target::Node("a".to_owned())
    }

    #[test]
    fn an_episode_of_a_plan_is_read_back() {
        let at = Trigger::Pass {
            node: "a".to_owned(),
            place: "log.create".to_owned(),
            ordinal: 2,
        };
        let mut episode = Episode::new(at, FaultFamily::CrashPoint, node());
        episode.parameters.salt = u32::MAX;
        let text = toml::to_string(&episode).expect("an episode is a table");
        assert_eq!(toml::from_str(&text), Ok(episode), "{text}");
    }

    fn armed(places: &[&str]) -> Trigger {
        Trigger::Armed {
            from_nanos: 5,
            patience_nanos: 7,
            places: places.iter().map(|&place| place.to_owned()).collect(),
            ordinal: 1,
        }
    }

    #[test]
    fn an_armed_episode_of_a_plan_is_read_back() {
        let at = armed(&["log.create", "stage.synced"]);
        let episode = Episode::new(at, FaultFamily::CrashPoint, Target::Passer);
        let text = toml::to_string(&episode).expect("an episode is a table");
        assert_eq!(toml::from_str(&text), Ok(episode), "{text}");
    }

    #[test]
    fn only_the_node_that_passes_is_unwound_by_an_armed_crash() {
        let check = |at, target| Episode::new(at, FaultFamily::CrashPoint, target).check();
        assert_eq!(check(armed(&["log.create"]), Target::Passer), Ok(()));
        assert!(check(armed(&["log.create"]), node()).is_err());
        assert!(check(armed(&[]), Target::Passer).is_err());
        assert!(check(Trigger::Nanos(0), Target::Passer).is_err());
    }

    #[test]
    fn a_family_refuses_a_target_of_another_kind() {
        let episode = Episode::new(Trigger::Nanos(0), FaultFamily::CutBoth, node());
        let error = episode.check().expect_err("a node is no link");
        let said = "cut-both is done to a link, not to node a";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn a_crash_point_unwinds_only_the_node_that_passes() {
        let at = Trigger::Pass {
            node: "b".to_owned(),
            place: "log.create".to_owned(),
            ordinal: 1,
        };
        let episode = Episode::new(at.clone(), FaultFamily::CrashPoint, node());
        assert!(episode.check().is_err());
        assert_eq!(Episode::new(at, FaultFamily::Pause, node()).check(), Ok(()));
    }
}
