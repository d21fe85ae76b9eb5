//! The event-time clock of one operator, and the watermark whose timers have not all fired.
//!
//! Invariant: the clock never goes back, also not by a restore: what was late stays late, and a
//! watermark that a snapshot has cut between two of its timers is gone through to its end before
//! the next record.

use sameriver_model::{SectionKind, SectionWriter, Watermark};
use sameriver_state::Owner;
use serde::{Deserialize, Serialize};

use crate::error::OperatorError;
use crate::open::OpenArgs;
use crate::saved;

pub(crate) struct EventClock {
    pub(crate) owner: Owner,
    now: Watermark,
    /// A watermark whose timers have not all fired.
    pub(crate) firing: Option<Watermark>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    now: Watermark,
    firing: Option<Watermark>,
}

impl EventClock {
    /// The clock of an operator as its subtask opens: where the snapshot says, else at the
    /// beginning. Of several old subtasks the one that is behind decides.
    pub(crate) fn open(uid: &str, args: &OpenArgs) -> Result<Self, OperatorError> {
        let id = saved::section(uid, "", SectionKind::Operator);
        let all: Vec<Saved> = saved::read(&id, args)?;
        let now = all.iter().map(|saved| saved.now).min();
        Ok(Self {
            owner: Owner {
                operator: uid.into(),
                subtask: args.subtask,
                attempt: args.attempt,
            },
            now: now.unwrap_or(Watermark::MIN),
            firing: all.iter().filter_map(|saved| saved.firing).min(),
        })
    }

    /// Where it is.
    #[inline]
    pub(crate) fn now(&self) -> Watermark {
        self.now
    }

    /// Moves on and begins to fire; a watermark that is behind moves nothing.
    pub(crate) fn advance(&mut self, watermark: Watermark) -> Watermark {
        if watermark > self.now {
            self.now = watermark;
            self.owner.watermark(watermark);
        }
        self.firing = Some(self.now);
        self.now
    }

    pub(crate) fn save(&self, sections: &mut SectionWriter) -> Result<(), OperatorError> {
        let (now, firing) = (self.now, self.firing);
        let id = saved::section(&self.owner.operator, "", SectionKind::Operator);
        saved::write(id, &Saved { now, firing }, sections)
    }
}

#[cfg(test)]
mod tests {
    use sameriver_model::EventTime;

    use super::*;
    use crate::testing::args;

    #[test]
    fn a_clock_is_written_as_published() {
        let mut clock = EventClock::open("totals", &args(8)).expect("opens");
        clock.advance(Watermark::at(EventTime::from_millis(5)));
        let mut sections = SectionWriter::default();
        clock.save(&mut sections).expect("is written");
        saved::check_published("clock at 5 ms with timers left to fire", sections);
    }
}
