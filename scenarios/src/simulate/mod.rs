//! One seed of a scenario: draws a workload, settings and faults, runs the job through all phases
//! in the simulated world, and lets the judge compare.
//!
//! Reading order: [`Trial`] (what a scenario adds for the simulator) → [`Workout`] (a workload in a
//! plan) → [`draw`] (a plan from a seed) → [`play`] → `promises` (less than equality).
//!
//! Invariant: a run is made of its plan alone, whether that was drawn or read; a run that compared
//! nothing is vacuous, not passed.

mod promises;
mod trial;
mod workout;

use std::sync::Arc;

use sameriver::runtime::RandomStream;
use sameriver::{CheckpointMode, JobEnd};
use sameriver_sim::judge::{self, DeclaredOrder, WentThrough};
use sameriver_sim::{
    Class, Compared, CutMode, Figures, Finding, Limits, Outcome, Phases, Plan, Promised, Ran,
    SimCluster, SimJob, SimWorld, draw_class, draw_lasting_settings, draw_modes, run_seed,
};

pub use promises::{each_number_at_least_as_high, each_row_at_least_as_often};
pub use trial::{Compare, Judged, Trial};
pub use workout::Workout;

use crate::catalogue::TRIALS;
use crate::story::{Rows, Story, Workload};

/// What a passed run compared.
#[derive(Clone, Debug)]
pub struct Played {
    /// The scenario.
    pub story: &'static str,
    /// How many output rows equalled the reference's.
    pub rows: u64,
    /// What the run went through.
    pub figures: Figures,
}

/// The scenario that a seed of `all` plays.
pub fn drawn_trial(seed: u64) -> &'static Trial {
    let mut random = RandomStream::named(seed, "story");
    &TRIALS[random.below(TRIALS.len() as u64) as usize]
}

/// Everything that a seed draws of a scenario; `class` instead of a drawn one.
pub fn draw(trial: &Trial, seed: u64, class: Option<Class>) -> Plan {
    let random = |name: &str| RandomStream::named(seed, &format!("scenario {name}"));
    let class = class.unwrap_or_else(|| draw_class(&mut random("class")));
    let mut settings = draw_lasting_settings(&mut random("settings"));
    let may_repeat = trial.at_least_once.is_some();
    draw_modes(&mut settings, may_repeat, &mut random("modes"));
    (trial.settle)(&mut settings);
    let workload = (trial.story.draw)(&mut random("workload"));
    let workout = Workout::draw(&workload, trial, &mut random("workout"));
    workout.settle(&mut settings);
    let (masters, phases) = (workout.masters, workout.phases());
    Plan {
        scenario: trial.story.job.name.to_owned(),
        seed,
        schedule_seed: seed,
        class,
        faults: SimCluster::draw_faults(seed, class, &settings, masters, workout.disks(), &phases),
        settings,
        workload: workout.to_table(),
        expectation: None,
    }
}

/// Plays a seed of a scenario.
pub fn play(trial: &'static Trial, seed: u64, limits: &Limits) -> Outcome<Played> {
    play_plan(trial, &draw(trial, seed, None), limits)
}

/// Plays a plan of a scenario.
pub fn play_plan(trial: &'static Trial, plan: &Plan, limits: &Limits) -> Outcome<Played> {
    let (seed, plan) = (plan.seed, plan.clone());
    let outcome = run_seed(plan.schedule_seed, limits, move |sim| async move {
        judged(&sim, trial, &plan).await
    });
    Outcome { seed, ..outcome }
}

async fn judged(sim: &SimWorld, trial: &Trial, plan: &Plan) -> Result<Played, Finding> {
    let workout = Workout::of_table(&plan.workload).map_err(Finding::harness)?;
    let workload = workout.workload();
    let ran = cluster(trial, plan, &workout, &workload)?.run(sim).await?;
    let cut = match plan.settings.checkpoint_mode {
        CheckpointMode::ExactlyOnce => CutMode::ExactlyOnce,
        CheckpointMode::AtLeastOnce => CutMode::AtLeastOnce,
    };
    let mut compared = ran.judge(&Promised {
        cut,
        legal: (trial.legal)(&workload),
    })?;
    let rows = rows_of(sim, trial.story, &workload, &ran)?;
    let has_failed = ran.failed_as_it_had_to();
    let outputs = if has_failed {
        promises::of_failed(trial, cut, &workload, &rows)?
    } else if cut == CutMode::AtLeastOnce {
        promises::at_least_once(trial, &workload, &rows)?
    } else {
        compare_all(trial.story, &workload, &rows)?
    };
    compared.push(outputs);
    if !has_failed && cut == CutMode::ExactlyOnce {
        let seen = Judged {
            ran: &ran,
            workload: &workload,
            rows: &rows,
            collected: sim.ledger().collected(),
        };
        compared.extend((trial.judge)(&seen)?);
    }
    compared.retain(|compared| !trial.without.contains(&compared.invariant));
    let modes = ran.modes(&plan.settings);
    let mut figures = ran.figures;
    figures.modes = modes;
    judge::vacuity(&WentThrough {
        has_checkpoints: true,
        checkpoints: figures.checkpoints,
        compared: outputs.items,
        has_faults: plan.class != Class::Calm,
        effects: u64::from(figures.effects.any()),
    })?;
    (figures.class, figures.compared) = (plan.class, compared);
    Ok(Played {
        story: trial.story.job.name,
        rows: rows.as_slice().len() as u64,
        figures,
    })
}

/// Compares rows with the reference; one that a missing row would not break has shown nothing.
fn compare_all(story: &Story, workload: &Workload, rows: &Rows) -> Result<Compared, Finding> {
    let compared = compare(story, workload, rows)?;
    let Some((_, fewer)) = rows.as_slice().split_first() else {
        return Ok(compared);
    };
    match compare(story, workload, &Rows::new(fewer.to_vec())) {
        Err(_) => Ok(compared),
        Ok(_) => Err(Finding::harness(
            "the output is right, and right without its first row too: nothing is compared",
        )),
    }
}

fn compare(story: &Story, workload: &Workload, rows: &Rows) -> Result<Compared, Finding> {
    let right = (story.reference)(workload);
    judge::output(rows.as_slice(), right.as_slice(), DeclaredOrder::Multiset)
}

fn cluster(
    trial: &Trial,
    plan: &Plan,
    workout: &Workout,
    workload: &Workload,
) -> Result<SimCluster, Finding> {
    let job = trial.story.job.job(&workload.arguments);
    let Phases { warm_up, chaos } = workout.phases();
    Ok(SimCluster {
        job: job.map_err(Finding::harness)?,
        replacements: match workout.arrivals {
            Some(schedule) => (trial.replace)(workload, schedule),
            None => sameriver::Replacements::new(),
        },
        settings: plan.settings.clone(),
        masters: workout.masters,
        files: workload.files.clone(),
        output: workout.output(),
        last_arrival: workout.last_arrival(),
        record_cost: workout.record_cost(),
        faults: plan.faults.clone(),
        phases: Phases { warm_up, chaos },
    })
}

fn rows_of(sim: &SimWorld, story: &Story, workload: &Workload, ran: &Ran) -> Result<Rows, Finding> {
    if workload.arguments.output.is_none() {
        return (story.collected)(sim.ledger().collected()).map_err(Finding::safety);
    }
    lines(
        ran.files
            .iter()
            .map(|(path, bytes)| (path.as_str(), bytes.as_slice())),
    )
}

/// Runs the job over a workload where nothing goes wrong, and gives its output in canonical order.
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
    match job.run(sim).await?.status {
        JobEnd::Finished => {}
        end @ (JobEnd::Failed(_) | JobEnd::Cancelled) => {
            return Err(Finding::safety(format!(
                "without a fault the job has {end}"
            )));
        }
    }
    match &workload.arguments.output {
        None => (story.collected)(sim.ledger().collected()).map_err(Finding::safety),
        Some(folder) => {
            let files = SimJob::written(sim, task_managers, &folder.to_string_lossy());
            lines(
                files
                    .iter()
                    .map(|(path, bytes)| (path.as_str(), bytes.as_slice())),
            )
        }
    }
}

fn lines<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Rows, Finding> {
    let mut rows = Vec::new();
    for (path, bytes) in files {
        if path.ends_with(".inprogress") {
            return Err(Finding::safety(format!(
                "{path} was left behind by a finished job"
            )));
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| Finding::safety(format!("{path} is not UTF-8")))?;
        rows.extend(text.lines().map(str::to_owned));
    }
    Ok(Rows::new(rows))
}
