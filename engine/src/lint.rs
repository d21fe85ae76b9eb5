//! Finds jobs whose graph is right, but cannot keep what their settings promise.
//!
//! Invariant: each problem names the operator, the setting and the remedy.

use sameriver_graph::{Recovery, StreamGraph};

use crate::build_error::BuildProblem;
use crate::settings::{CheckpointMode, Settings};

/// All of them, in the order of the operators.
pub(crate) fn problems(graph: &StreamGraph, settings: &Settings) -> Vec<BuildProblem> {
    if !settings.has_checkpoints() {
        return Vec::new();
    }
    let operators = graph.operators().iter();
    let problem = |operator: &sameriver_graph::Operator| match operator.recovery {
        Recovery::NotReplayable => Some(BuildProblem::NotReplayable {
            source_name: operator.name.clone(),
            checkpoints: settings.checkpoints.clone(),
        }),
        Recovery::Repeats if settings.checkpoint_mode == CheckpointMode::ExactlyOnce => {
            let sink = operator.name.clone();
            Some(BuildProblem::SinkRepeats { sink })
        }
        Recovery::Exact | Recovery::Repeats => None,
    };
    operators.filter_map(problem).collect()
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    fn settings(mode: crate::CheckpointMode) -> Settings {
        Settings {
            checkpoints: "checkpoints".to_owned(),
            checkpoint_mode: mode,
            ..Settings::default()
        }
    }

    fn refusal(
        job: fn(&mut Environment) -> Result<(), BuildError>,
        mode: crate::CheckpointMode,
    ) -> String {
        let built = crate::build_graph(job, &settings(mode));
        built.map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
    }

    #[test]
    fn checkpoints_need_a_source_that_can_be_read_again() {
        let job = |env: &mut Environment| {
            let lines = env.source("lines", SocketSource::lines("127.0.0.1:1"));
            lines.discard("nowhere")
        };
        let refusal = refusal(job, crate::CheckpointMode::ExactlyOnce);
        assert!(refusal.starts_with("source lines cannot be read again"), "{refusal}");
    }
}
