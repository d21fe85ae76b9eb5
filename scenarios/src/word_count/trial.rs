//! `word_count` in the simulator: lines arrive on a schedule, or are read from files.

use sameriver::Replacements;
use sameriver_sim::{ArrivalSchedule, Arrivals};

use crate::simulate::{Trial, each_number_at_least_as_high};
use crate::story::Workload;

/// The scenario in the simulator.
pub const TRIAL: Trial = Trial {
    at_least_once: Some(each_number_at_least_as_high),
    ..Trial::of(&super::STORY, replace)
};

fn replace(workload: &Workload, schedule: ArrivalSchedule) -> Replacements {
    let files = workload.files.iter();
    let lines = files.map(|(_, bytes)| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::to_owned).collect()
    });
    Replacements::new().source("text", Arrivals::new("text", lines.collect(), schedule))
}
