//! What a scenario adds for the simulator: how its input arrives, and what else it promises.
//!
//! Invariant: everything has a default that promises nothing; the reference stays with the story.

use sameriver::connectors::CollectedResults;
use sameriver::{Replacements, Settings};
use sameriver_sim::{ArrivalSchedule, Compared, Finding, Invariant, Legal, Ran};

use crate::story::{Rows, Story, Workload};

/// A run as the scenario's own oracles see it.
pub struct Judged<'a> {
    /// What was seen.
    pub ran: &'a Ran,
    /// What went in.
    pub workload: &'a Workload,
    /// What came out, in canonical order.
    pub rows: &'a Rows,
    /// What other sinks have collected.
    pub collected: &'a CollectedResults,
}

/// Compares the rows of a run with those of the reference.
pub type Compare = fn(&Rows, &Rows) -> Result<Compared, Finding>;

/// A scenario in the simulator.
#[derive(Clone, Copy)]
pub struct Trial {
    /// The scenario.
    pub story: &'static Story,
    /// Puts a source in that lets the records of a workload arrive on a schedule.
    pub replace: fn(&Workload, ArrivalSchedule) -> Replacements,
    /// Changes settings that the scenario cannot do with.
    pub settle: fn(&mut Settings),
    /// What its watermarks may be.
    pub legal: fn(&Workload) -> Legal,
    /// Oracles that have nothing to look at here.
    pub without: &'static [Invariant],
    /// Which rows of output are there as soon as they are right: a job that has given up may have
    /// put out some of these.
    pub is_final: fn(&str) -> bool,
    /// Compares rows with the reference's where records may count more than once; `None` if there
    /// is nothing that they promise then.
    pub at_least_once: Option<Compare>,
    /// What else it promises.
    pub judge: fn(&Judged<'_>) -> Result<Vec<Compared>, Finding>,
}

impl Trial {
    /// A scenario whose output is all that it promises.
    pub const fn of(
        story: &'static Story,
        replace: fn(&Workload, ArrivalSchedule) -> Replacements,
    ) -> Self {
        Self {
            story,
            replace,
            settle: |_| {},
            legal: |_| Legal {
                highest: None,
                none_late: false,
            },
            without: &[],
            is_final: |_| true,
            at_least_once: None,
            judge: |_| Ok(Vec::new()),
        }
    }
}
