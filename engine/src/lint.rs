//! Finds jobs whose graph is right, but cannot keep what their settings promise.
//!
//! Invariant: each problem names the operator, the setting and the remedy.

use std::collections::BTreeMap;

use sameriver_graph::{Operator, Recovery, StreamGraph};

use crate::build_error::BuildProblem;
use crate::settings::{CheckpointMode, Settings};

/// All of them: first outputs that two sinks share, then what checkpoints cannot keep.
pub(crate) fn problems(graph: &StreamGraph, settings: &Settings) -> Vec<BuildProblem> {
    let mut problems = shared_outputs(graph);
    if settings.has_checkpoints() {
        let operators = graph.operators().iter();
        problems.extend(operators.filter_map(|operator| unkept(operator, settings)));
        problems.extend(never_triggered(graph, settings));
    }
    problems
}

fn shared_outputs(graph: &StreamGraph) -> Vec<BuildProblem> {
    let mut writers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for operator in graph.operators() {
        let Some(output) = &operator.exclusive_output else {
            continue;
        };
        match writers.get(output.as_str()) {
            Some(first) => problems.push(BuildProblem::OneOutput {
                first: (*first).to_owned(),
                second: operator.name.clone(),
                output: output.clone(),
            }),
            None => {
                writers.insert(output, &operator.name);
            }
        }
    }
    problems
}

/// What becomes of this operator's records although the settings promise otherwise.
fn unkept(operator: &Operator, settings: &Settings) -> Option<BuildProblem> {
    match operator.recovery {
        Recovery::NotReplayable => Some(BuildProblem::NotReplayable {
            source_name: operator.name.clone(),
            checkpoints: settings.checkpoints.clone(),
        }),
        Recovery::Repeats if settings.checkpoint_mode == CheckpointMode::ExactlyOnce => {
            let sink = operator.name.clone();
            Some(BuildProblem::SinkRepeats { sink })
        }
        Recovery::Exact | Recovery::Repeats => None,
    }
}

/// A job whose checkpoints wait for what none of its sources tells.
fn never_triggered(graph: &StreamGraph, settings: &Settings) -> Option<BuildProblem> {
    if !settings.checkpoint_interval.is_zero() || settings.checkpoint_records > 0 {
        return None;
    }
    let tells = |what: fn(&Operator) -> bool| graph.operators().iter().any(what);
    let by_bytes = settings.checkpoint_bytes > 0;
    let by_markers = settings.checkpoint_markers;
    if by_bytes && tells(|o| o.tells.bytes) || by_markers && tells(|o| o.tells.markers) {
        return None;
    }
    let (setting, value, lacks) = if by_bytes {
        let bytes = settings.checkpoint_bytes.to_string();
        ("checkpoint_bytes", bytes, "counts bytes")
    } else {
        let lacks = "has markers (give one, such as `FileSource::marker`)";
        ("checkpoint_markers", by_markers.to_string(), lacks)
    };
    Some(BuildProblem::NeverTriggered {
        setting,
        value,
        lacks,
    })
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
        assert!(
            refusal.starts_with("source lines cannot be read again"),
            "{refusal}"
        );
    }

    #[test]
    fn checkpoints_that_wait_for_what_no_source_tells_are_refused() {
        let job = |env: &mut Environment| {
            let lines = env.source("lines", FileSource::lines("lines"));
            lines.sink("copy", FileSink::lines("copy"))
        };
        let marked = |env: &mut Environment| {
            let lines = env.source("lines", FileSource::lines("lines").marker("--"));
            lines.sink("copy", FileSink::lines("copy"))
        };
        let numbers = |env: &mut Environment| {
            let numbers = env.elements("numbers", [1_u64]).map(|n| n.to_string());
            numbers.sink("copy", FileSink::lines("copy"))
        };
        let markers = Settings {
            checkpoint_interval: std::time::Duration::ZERO,
            checkpoint_markers: true,
            ..settings(crate::CheckpointMode::ExactlyOnce)
        };
        let bytes = Settings {
            checkpoint_bytes: 10,
            checkpoint_markers: false,
            ..markers.clone()
        };
        assert!(crate::build_graph(marked, &markers).is_ok());
        assert!(crate::build_graph(job, &bytes).is_ok());
        let refusal = |built: Result<_, BuildError>| built.err().map(|error| error.to_string());
        assert_eq!(
            refusal(crate::build_graph(job, &markers)).as_deref(),
            Some(
                "setting checkpoint_markers = true triggers nothing: no source of the job has \
                 markers (give one, such as `FileSource::marker`): set checkpoint_interval or \
                 checkpoint_records"
            )
        );
        assert_eq!(
            refusal(crate::build_graph(numbers, &bytes)).as_deref(),
            Some(
                "setting checkpoint_bytes = 10 triggers nothing: no source of the job counts \
                 bytes: set checkpoint_interval or checkpoint_records"
            )
        );
    }

    #[test]
    fn two_sinks_of_one_folder_are_refused() {
        let job = |env: &mut Environment| {
            let numbers = env.elements("numbers", [1_u64, 2]);
            numbers.clone().sink("one", FileSink::json("totals"))?;
            numbers.sink("two", FileSink::json("totals"))
        };
        let built = crate::build_graph(job, &Settings::default());
        let refusal = built.expect_err("both write totals").to_string();
        assert!(
            refusal.starts_with("sinks one and two both write "),
            "{refusal}"
        );
    }
}
