//! All scenarios of the binary.

use sameriver_cli::NamedJob;

#[cfg(feature = "sim")]
use crate::simulate::Trial;
use crate::story::Story;
use crate::{bank_transfer, poison_pill, session_cart, windowed_totals, word_count};

/// Every scenario, in the order of their names.
pub const STORIES: &[Story] = &[
    bank_transfer::STORY,
    poison_pill::STORY,
    session_cart::STORY,
    windowed_totals::STORY,
    word_count::STORY,
];

/// Every scenario as the simulator plays it, in the same order.
#[cfg(feature = "sim")]
pub const TRIALS: &[Trial] = &[
    bank_transfer::TRIAL,
    poison_pill::TRIAL,
    session_cart::TRIAL,
    windowed_totals::TRIAL,
    word_count::TRIAL,
];

/// The jobs of every scenario.
pub fn jobs() -> Vec<NamedJob> {
    STORIES.iter().map(|story| story.job).collect()
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Story> {
    STORIES.iter().find(|story| story.job.name == name)
}

/// The scenario of that name as the simulator plays it.
#[cfg(feature = "sim")]
pub fn find_trial(name: &str) -> Option<&'static Trial> {
    TRIALS.iter().find(|trial| trial.story.job.name == name)
}
