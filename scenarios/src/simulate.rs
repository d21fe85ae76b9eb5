//! One seed of a scenario: draws a workload and settings, runs the job in the simulated world, and
//! compares what came out with the reference.
//!
//! Invariant: a run that compared nothing is vacuous, not passed; no draw here moves a draw of the
//! world.

use std::sync::Arc;

use sameriver::JobEnd;
use sameriver_sim::{Finding, Limits, Outcome, SimJob, SimWorld, draw_settings, run_seed};

use crate::catalogue::STORIES;
use crate::story::{Rows, Story, Workload};

/// What a passed run compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The scenario.
    pub story: &'static str,
    /// How many output rows equalled the reference's.
    pub rows: usize,
}

/// The scenario that a seed of `all` plays.
pub fn drawn_story(seed: u64) -> &'static Story {
    let mut random = sameriver::runtime::RandomStream::named(seed, "story");
    &STORIES[random.below(STORIES.len() as u64) as usize]
}

/// Plays a seed of a scenario.
pub fn play(story: &'static Story, seed: u64, limits: &Limits) -> Outcome<Compared> {
    run_seed(seed, limits, move |sim| async move {
        let mut random = sim.random("workload");
        let workload = (story.draw)(&mut random);
        let settings = draw_settings(&mut sim.random("settings"));
        let rows = rows(&sim, story, &workload, settings).await?;
        judge(story, &rows, &(story.reference)(&workload))
    })
}

/// Runs the job over a workload and gives its output in canonical order.
///
/// # Errors
/// [`Finding`] when the job fails, or does not end.
pub async fn rows(
    sim: &SimWorld,
    story: &Story,
    workload: &Workload,
    settings: sameriver::Settings,
) -> Result<Rows, Finding> {
    let job = story
        .job
        .job(&workload.arguments)
        .map_err(Finding::harness)?;
    let task_managers = settings.task_managers;
    sim.mark(&format!("{} {settings:?} {workload:?}", story.job.name));
    let job = SimJob {
        job: Arc::clone(&job),
        settings,
        files: workload.files.clone(),
    };
    let outcome = job.run(sim).await?;
    match outcome.status {
        JobEnd::Finished => {}
        JobEnd::Failed(failure) => {
            return Err(Finding::safety(format!(
                "the job failed without a fault: {failure}"
            )));
        }
        JobEnd::Cancelled => return Err(Finding::safety("the job was cancelled by nobody")),
    }
    match &workload.arguments.output {
        None => (story.collected)(sim.ledger().collected()).map_err(Finding::safety),
        Some(folder) => written(sim, task_managers, &folder.to_string_lossy()),
    }
}

fn written(sim: &SimWorld, task_managers: u32, folder: &str) -> Result<Rows, Finding> {
    let mut rows = Vec::new();
    for (path, bytes) in SimJob::written(sim, task_managers, folder) {
        if path.ends_with(".inprogress") {
            return Err(Finding::safety(format!(
                "{path} was left behind by a finished job"
            )));
        }
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| Finding::safety(format!("{path} is not UTF-8")))?;
        rows.extend(text.lines().map(str::to_owned));
    }
    Ok(Rows::new(rows))
}

fn judge(story: &Story, rows: &Rows, right: &Rows) -> Result<Compared, Finding> {
    if let Some(difference) = rows.difference(right) {
        return Err(Finding::safety(format!("{}: {difference}", story.job.name)));
    }
    match rows.as_slice().len() {
        0 => Err(Finding::vacuous(format!(
            "{}: no output to compare",
            story.job.name
        ))),
        rows => Ok(Compared {
            story: story.job.name,
            rows,
        }),
    }
}
