//! One direction between two nodes: how long it takes, and what is wrong with it.
//!
//! Invariant: without a fault, what something takes depends on the link and the connection's own
//! draws alone. A cut delivers nothing until it is mended; a clog delivers nothing before its end.

use sameriver_runtime::RandomStream;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::fault::{Effects, FaultFamily, Parameters, added_delay};
use crate::life::NodeId;
use crate::node_site::log_between;
use crate::timers::NEVER;

const SECOND_NANOS: u128 = 1_000_000_000;

struct LinkFault {
    number: u64,
    family: FaultFamily,
    parameters: Parameters,
    /// When it ends, unless it is mended before.
    until: u64,
    /// For a reset: how many bytes pass before.
    left: u64,
    asked: u64,
}

pub(super) struct Link {
    latency_nanos: u64,
    jitter_nanos: u64,
    /// Cut by hand.
    cut: bool,
    faults: Vec<LinkFault>,
    /// A slow link carries one thing after the other.
    busy_until: u64,
}

impl Link {
    pub(super) fn new(seed: u64, from: NodeId, to: NodeId) -> Self {
        let mut draws = RandomStream::named(seed, &format!("link {} {}", from.0, to.0));
        let latency_nanos = if from == to {
            log_between(&mut draws, 5_000, 50_000)
        } else {
            log_between(&mut draws, 20_000, 5_000_000)
        };
        Self {
            latency_nanos,
            jitter_nanos: latency_nanos / 4 + 1,
            cut: false,
            faults: Vec::new(),
            busy_until: 0,
        }
    }

    pub(super) fn set_cut(&mut self, cut: bool) {
        self.cut = cut;
    }

    pub(super) fn is_cut(&self) -> bool {
        let mut faults = self.faults.iter();
        self.cut || faults.any(|fault| is_cut(fault.family))
    }

    /// The first cut that a script has made.
    pub(super) fn cut_by(&self) -> Option<FaultFamily> {
        let mut faults = self.faults.iter();
        let cut = faults.find(|fault| is_cut(fault.family))?;
        Some(cut.family)
    }

    pub(super) fn hurt(
        &mut self,
        number: u64,
        family: FaultFamily,
        parameters: Parameters,
        until: u64,
    ) {
        self.faults.push(LinkFault {
            number,
            family,
            parameters,
            until,
            left: parameters.after_bytes,
            asked: 0,
        });
    }

    /// Whether there was such a fault.
    pub(super) fn mend(&mut self, number: u64) -> bool {
        let before = self.faults.len();
        self.faults.retain(|fault| fault.number != number);
        if !self
            .faults
            .iter()
            .any(|f| f.family == FaultFamily::SlowLink)
        {
            self.busy_until = 0;
        }
        self.faults.len() < before
    }

    /// When something of so many bytes that is sent now arrives; [`NEVER`] over a cut. `counts` is
    /// what it counts for if it is held up.
    pub(super) fn arrival(
        &mut self,
        now: u64,
        counts: u64,
        draws: &mut RandomStream,
        effects: &mut Effects,
    ) -> u64 {
        let jitter = draws.below(self.jitter_nanos);
        if self.is_cut() {
            if let Some(family) = self.cut_by() {
                effects.add(family, counts);
            }
            return NEVER;
        }
        let mut sent = now;
        let mut delay = self.latency_nanos.saturating_add(jitter);
        let mut not_before = 0;
        for fault in &mut self.faults {
            if fault.family == FaultFamily::Latency {
                fault.asked += 1;
                let salt = u64::from(fault.parameters.salt);
                let bits = xxh3_64_with_seed(&fault.asked.to_le_bytes(), salt);
                delay = delay.saturating_add(added_delay(fault.parameters, bits));
            } else if fault.family == FaultFamily::SlowLink {
                let speed = u128::from(fault.parameters.bytes_per_second.max(1));
                let takes = u128::from(counts) * SECOND_NANOS / speed;
                let takes = u64::try_from(takes).unwrap_or(u64::MAX);
                sent = sent.max(self.busy_until).saturating_add(takes);
                self.busy_until = sent;
            } else if fault.family == FaultFamily::Clog {
                not_before = fault.until.max(not_before);
            } else {
                continue;
            }
            effects.add(fault.family, counts);
        }
        sent.saturating_add(delay).max(not_before)
    }

    /// Whether `count` bytes more break their connection, and behind how many of them.
    pub(super) fn breaks_within(&mut self, count: u64) -> Option<u64> {
        let mut broken = None;
        for fault in &mut self.faults {
            if fault.family != FaultFamily::Reset || fault.left == 0 {
                continue;
            }
            if fault.left <= count {
                broken = Some(broken.unwrap_or(u64::MAX).min(fault.left));
                fault.left = 0;
            } else {
                fault.left -= count;
            }
        }
        broken
    }
}

fn is_cut(family: FaultFamily) -> bool {
    matches!(family, FaultFamily::CutBoth | FaultFamily::CutOneWay)
}
