//! All scenarios of the binary.

use sameriver_cli::NamedJob;

use crate::story::Story;
use crate::{windowed_totals, word_count};

/// Every scenario, in the order of their names.
pub const STORIES: &[Story] = &[windowed_totals::STORY, word_count::STORY];

/// The jobs of every scenario.
pub fn jobs() -> Vec<NamedJob> {
    STORIES.iter().map(|story| story.job).collect()
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Story> {
    STORIES.iter().find(|story| story.job.name == name)
}
