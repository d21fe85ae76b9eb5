//! One seed of a user's job, drawn or from a plan.
//!
//! Invariant: a run from a plan is the run that wrote it: what a seed draws is drawn before the run
//! begins, and written down.

use std::any::{Any, type_name};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sameriver::{Replacements, Settings};
use sameriver_model::Element;
use sameriver_runtime::RandomStream;
use serde::{Deserialize, Serialize};

use super::outputs::AnyOutput;
use super::reference::AnyReference;
use crate::arrivals::{ArrivalSchedule, Arrivals};
use crate::fault::{Class, FaultScript};
use crate::finding::Finding;
use crate::job::{
    CHECKPOINTS, DiskUse, FILE_CHECKPOINTS, JobFunction, Phases, Promised, SimCluster, draw_class,
    draw_lasting_settings,
};
use crate::judge::{self, CutMode, DeclaredOrder, Legal, WentThrough};
use crate::plan::Plan;
use crate::sim_world::SimWorld;
use crate::supervisor::{Limits, Outcome, run_seed};
use crate::tally::Figures;

/// So many fault-free schedules must agree where there is no reference function.
const AGREEING_SCHEDULES: u64 = 5;

/// What a run came to.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) figures: Figures,
    rows: BTreeMap<String, Vec<String>>,
}

/// Draws of a seed beyond settings and faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Workload {
    partitions: u32,
    masters: u32,
    warm_up_millis: u64,
    chaos_millis: u64,
    arrivals: ArrivalSchedule,
}

type Records = Arc<dyn Any + Send + Sync>;
type Adjust = dyn Fn(&mut Settings) + Send + Sync;
type Replace = dyn Fn(Replacements, u32, ArrivalSchedule) -> Replacements + Send + Sync;

#[derive(Clone)]
struct SourceRecords {
    name: String,
    type_name: &'static str,
    records: Records,
    replace: Arc<Replace>,
}

/// A job with its sources, sinks and reference.
#[derive(Clone)]
pub(super) struct Trial {
    name: String,
    job: JobFunction,
    sources: Vec<SourceRecords>,
    sinks: Vec<(String, AnyOutput)>,
    pub(super) reference: Option<Arc<dyn AnyReference>>,
    /// The class of every seed, if it is not drawn.
    pub(super) class: Option<Class>,
    adjust: Vec<Arc<Adjust>>,
    /// The rows of each sink, once they are known.
    right: BTreeMap<String, Vec<String>>,
}

impl Trial {
    pub(super) fn new(name: &str, job: JobFunction) -> Self {
        Self {
            name: name.to_owned(),
            job,
            sources: Vec::new(),
            sinks: Vec::new(),
            reference: None,
            class: None,
            adjust: Vec::new(),
            right: BTreeMap::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn add_adjustment(
        &mut self,
        adjust: impl Fn(&mut Settings) + Send + Sync + 'static,
    ) {
        self.adjust.push(Arc::new(adjust));
    }

    /// Adds a source; `deal` spreads its records over so many partitions.
    pub(super) fn add_source<T, D>(&mut self, name: &str, records: Vec<T>, deal: D)
    where
        T: Element + Clone + Sync,
        D: Fn(&[T], u32) -> Vec<Vec<T>> + Send + Sync + 'static,
    {
        let (own, all) = (name.to_owned(), Arc::new(records));
        let kept: Arc<Vec<T>> = Arc::clone(&all);
        let replace = move |replacements: Replacements, partitions: u32, schedule| {
            let partitions = deal(&all, partitions);
            let arrivals = Arrivals::new(&own, partitions, schedule);
            replacements.source(&own, arrivals)
        };
        self.sources.push(SourceRecords {
            name: name.to_owned(),
            type_name: type_name::<T>(),
            records: kept,
            replace: Arc::new(replace),
        });
    }

    pub(super) fn add_sink(&mut self, name: &str, output: AnyOutput) {
        self.sinks.push((name.to_owned(), output));
    }

    /// The trial with its right rows: from the reference, or from fault-free runs that agree.
    ///
    /// # Errors
    /// [`Finding`] when the test is wrong, or fault-free runs do not agree.
    pub(super) fn prepared(&self) -> Result<Self, Finding> {
        let (Some(source), Some((sink, output))) = (self.sources.last(), self.sinks.last()) else {
            return Err(Finding::harness(
                "the simulation has no source or no sink: name them by `.source(name, records)` \
                 and `.sink::<T>(name)`",
            ));
        };
        let store = self.plan(0).settings.checkpoints;
        if ![CHECKPOINTS, FILE_CHECKPOINTS].contains(&store.as_str()) {
            return Err(Finding::harness(format!(
                "the simulation keeps checkpoints at {CHECKPOINTS} or {FILE_CHECKPOINTS}, not at \
                 {store}: leave the setting `checkpoints` alone, or choose one of them"
            )));
        }
        let mut trial = self.clone();
        if let Some(reference) = &self.reference {
            let rows = reference.rows(
                &*source.records,
                (&source.name, source.type_name),
                (sink, output),
            );
            trial
                .right
                .insert(sink.clone(), rows.map_err(Finding::harness)?);
            return Ok(trial);
        }
        trial.right = self.agreed()?;
        Ok(trial)
    }

    /// The rows of fault-free runs on several schedules.
    fn agreed(&self) -> Result<BTreeMap<String, Vec<String>>, Finding> {
        let mut agreed: Option<BTreeMap<String, Vec<String>>> = None;
        for seed in 0..AGREEING_SCHEDULES {
            let outcome = self.play_plan(&self.calm_plan(seed), &Limits::default());
            let rows = outcome.verdict?.rows;
            let Some(first) = &agreed else {
                agreed = Some(rows);
                continue;
            };
            for (sink, right) in first {
                let got = rows.get(sink).map(Vec::as_slice).unwrap_or_default();
                if let Err(finding) = judge::output(got, right, DeclaredOrder::Multiset) {
                    return Err(Finding::harness(format!(
                        "the job is not deterministic under legal schedules: without any fault \
                         sink {sink} differs between seed 0 and seed {seed}: {}; remedies: compare \
                         by a function (`exactly_once_against`), make the result independent of \
                         the order in which partitions are read, keep the records of a key in \
                         one partition (`source_by`), or allow windows so much lateness that no \
                         record is late",
                        finding.evidence
                    )));
                }
            }
        }
        Ok(agreed.unwrap_or_default())
    }

    /// A run without faults in which many records arrive at once, in more partitions each time:
    /// what depends on the order in which partitions are read shows itself.
    fn calm_plan(&self, seed: u64) -> Plan {
        let mut plan = self.drawn(seed, |workload| {
            workload.partitions = u32::try_from(seed + 1).unwrap_or(4).min(4);
            workload.arrivals.bursts = AGREEING_SCHEDULES - seed;
            // A second job master may take the lead early, and so restart the job.
            workload.masters = 1;
        });
        plan.faults = FaultScript::default();
        plan.class = Class::Calm;
        plan
    }

    /// Everything that a seed draws.
    pub(super) fn plan(&self, seed: u64) -> Plan {
        self.drawn(seed, |_| ())
    }

    fn drawn(&self, seed: u64, change: impl FnOnce(&mut Workload)) -> Plan {
        let random = |name: &str| RandomStream::named(seed, &format!("simulation {name}"));
        let class = draw_class(&mut random("class"));
        let class = self.class.unwrap_or(class);
        let mut settings = draw_lasting_settings(&mut random("settings"));
        for adjust in &self.adjust {
            adjust(&mut settings);
        }
        let phases = Phases::draw(&mut random("phases"));
        let mut draws = random("workload");
        let mut workload = Workload {
            partitions: u32::try_from(draws.between(1, 4)).expect("four fit"),
            masters: u32::try_from(draws.between(1, 2)).expect("two fit"),
            warm_up_millis: phases.warm_up.as_millis() as u64,
            chaos_millis: phases.chaos.as_millis() as u64,
            arrivals: ArrivalSchedule::draw(&mut draws, phases.healing()),
        };
        change(&mut workload);
        let masters = workload.masters;
        Plan {
            scenario: self.name.clone(),
            seed,
            schedule_seed: seed,
            class,
            faults: SimCluster::draw_faults(
                seed,
                class,
                &settings,
                masters,
                DiskUse::default(),
                &phases,
            ),
            settings,
            workload: toml::Table::try_from(workload).expect("numbers are plain data"),
            expectation: None,
        }
    }

    pub(super) fn play(&self, seed: u64, limits: &Limits) -> Outcome<Played> {
        let outcome = self.run(self.plan(seed), limits);
        Outcome { seed, ..outcome }
    }

    pub(super) fn play_plan(&self, plan: &Plan, limits: &Limits) -> Outcome<Played> {
        self.run(plan.clone(), limits)
    }

    /// What the output is compared with.
    pub(super) fn reference_is(&self) -> &'static str {
        match self.reference {
            Some(_) => "the function of the test",
            None => "what runs without faults gave",
        }
    }

    fn run(&self, plan: Plan, limits: &Limits) -> Outcome<Played> {
        let trial = self.clone();
        run_seed(plan.schedule_seed, limits, move |sim| async move {
            let workload: Result<Workload, _> = plan.workload.clone().try_into();
            let workload =
                workload.map_err(|error| Finding::harness(format!("[workload]: {error}")))?;
            trial.judge(&sim, &plan, workload).await
        })
    }

    async fn judge(
        &self,
        sim: &SimWorld,
        plan: &Plan,
        workload: Workload,
    ) -> Result<Played, Finding> {
        let cluster = self.cluster(plan, workload);
        let ran = cluster.run(sim).await?;
        let mut compared = ran.judge(&Promised {
            cut: CutMode::ExactlyOnce,
            legal: Legal::default(),
        })?;
        // The settings are the user's own: how often their job may fail is theirs to say.
        if let Some(given_up) = ran.has_given_up() {
            return Err(given_up);
        }
        let modes = ran.modes(&plan.settings);
        let mut played = Played {
            figures: ran.figures,
            rows: BTreeMap::new(),
        };
        let mut rows_compared = 0;
        for (sink, output) in &self.sinks {
            let rows = output.rows(sim.ledger().collected(), sink);
            let rows = rows.map_err(Finding::harness)?;
            if let Some(right) = self.right.get(sink) {
                let judged = judge::output(&rows, right, DeclaredOrder::Multiset)?;
                rows_compared += judged.items;
                compared.push(judged);
            } else {
                rows_compared += rows.len() as u64;
            }
            played.rows.insert(sink.clone(), rows);
        }
        judge::vacuity(&WentThrough {
            has_checkpoints: true,
            checkpoints: played.figures.checkpoints,
            compared: rows_compared,
            has_faults: plan.class != Class::Calm,
            effects: u64::from(played.figures.effects.any()),
        })?;
        played.figures.modes = modes;
        played.figures.class = plan.class;
        played.figures.compared = compared;
        Ok(played)
    }

    fn cluster(&self, plan: &Plan, workload: Workload) -> SimCluster {
        let mut replacements = Replacements::new();
        for source in &self.sources {
            replacements = (source.replace)(replacements, workload.partitions, workload.arrivals);
        }
        for (sink, output) in &self.sinks {
            replacements = output.replace(replacements, sink);
        }
        let settings: Settings = plan.settings.clone();
        SimCluster {
            job: Arc::clone(&self.job),
            replacements,
            settings,
            masters: workload.masters,
            files: Vec::new(),
            output: None,
            last_arrival: workload.arrivals.end(),
            record_cost: None,
            faults: plan.faults.clone(),
            phases: Phases {
                warm_up: Duration::from_millis(workload.warm_up_millis),
                chaos: Duration::from_millis(workload.chaos_millis),
            },
        }
    }
}

/// Deals the records out in turn.
pub(super) fn in_turn<T: Clone>(records: &[T], partitions: u32) -> Vec<Vec<T>> {
    let count = partitions.max(1) as usize;
    let mut spread = vec![Vec::new(); count];
    for (at, record) in records.iter().enumerate() {
        spread[at % count].push(record.clone());
    }
    spread
}

/// Deals the keys out in turn, in the order in which they come up: records of one key stay
/// together.
pub(super) fn by_key<T: Clone, K: Ord>(
    records: &[T],
    partitions: u32,
    key: impl Fn(&T) -> K,
) -> Vec<Vec<T>> {
    let count = partitions.max(1) as usize;
    let mut spread = vec![Vec::new(); count];
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    for record in records {
        let next = places.len() % count;
        let place = *places.entry(key(record)).or_insert(next);
        spread[place].push(record.clone());
    }
    spread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_a_key_stay_together_and_in_order() {
        let records = [(2, 'a'), (7, 'b'), (2, 'c'), (9, 'd'), (7, 'e')];
        let dealt = by_key(&records, 2, |record| record.0);
        let right = [vec![(2, 'a'), (2, 'c'), (9, 'd')], vec![(7, 'b'), (7, 'e')]];
        assert_eq!(dealt, right);
        assert_eq!(in_turn(&[1, 2, 3], 2), [vec![1, 3], vec![2]]);
    }
}
