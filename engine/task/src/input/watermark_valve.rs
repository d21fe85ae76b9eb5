//! Joins the watermarks of several channels into one.
//!
//! Invariant: the joined watermark is the minimum over the active channels and never goes back; an
//! ended channel holds nothing back, an idle one neither until it is active again. Knows nothing of
//! records, queues or time.

use sameriver_model::Watermark;

/// What a channel's news mean for the subtask, in this order: first the mark, then the watermark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Emission {
    /// The input became idle (`true`) or active again (`false`).
    pub(crate) idle: Option<bool>,
    /// The joined watermark advanced to this.
    pub(crate) watermark: Option<Watermark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Active,
    Idle,
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    watermark: Watermark,
    phase: Phase,
}

/// Joins the watermarks of the channels of one gate.
#[derive(Debug)]
pub(crate) struct WatermarkValve {
    channels: Vec<Channel>,
    joined: Watermark,
    idle: bool,
}

impl WatermarkValve {
    /// All `channels` are active and promise nothing yet.
    pub(crate) fn new(channels: usize) -> Self {
        let channel = Channel {
            watermark: Watermark::MIN,
            phase: Phase::Active,
        };
        Self {
            channels: vec![channel; channels],
            joined: Watermark::MIN,
            idle: false,
        }
    }

    /// A channel promises more. What an idle channel promises counts once it is active.
    pub(crate) fn on_watermark(&mut self, channel: usize, watermark: Watermark) -> Emission {
        let channel = &mut self.channels[channel];
        if watermark <= channel.watermark {
            return Emission::default();
        }
        let held_back = channel.watermark <= self.joined;
        channel.watermark = watermark;
        // Only a channel that holds the others back can move the minimum.
        if held_back && channel.phase == Phase::Active {
            return self.join();
        }
        Emission::default()
    }

    /// A channel is excused, or takes part again.
    pub(crate) fn on_idle(&mut self, channel: usize, idle: bool) -> Emission {
        let phase = &mut self.channels[channel].phase;
        match *phase {
            Phase::Active | Phase::Idle => {
                *phase = if idle { Phase::Idle } else { Phase::Active };
            }
            Phase::Ended => {}
        }
        self.join()
    }

    /// A channel has ended.
    pub(crate) fn on_end(&mut self, channel: usize) -> Emission {
        self.channels[channel].phase = Phase::Ended;
        self.join()
    }

    /// Whether every channel has ended.
    pub(crate) fn is_ended(&self) -> bool {
        self.count(Phase::Ended) == self.channels.len()
    }

    fn join(&mut self) -> Emission {
        let mut emission = Emission::default();
        let active = self.channels.iter().filter(|c| c.phase == Phase::Active);
        let Some(minimum) = active.map(|channel| channel.watermark).min() else {
            if !self.idle && self.count(Phase::Idle) > 0 {
                self.idle = true;
                emission.idle = Some(true);
            }
            return emission;
        };
        if self.idle {
            self.idle = false;
            emission.idle = Some(false);
        }
        if minimum > self.joined {
            self.joined = minimum;
            emission.watermark = Some(minimum);
        }
        emission
    }

    fn count(&self, phase: Phase) -> usize {
        self.channels.iter().filter(|c| c.phase == phase).count()
    }
}

#[cfg(test)]
mod tests;
