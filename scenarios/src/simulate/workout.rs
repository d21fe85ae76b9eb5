//! A workload with the phases of its run, as a plan has it.
//!
//! Invariant: what is written is read back equal; an unknown key is an error.

use std::path::PathBuf;
use std::time::Duration;

use sameriver::Settings;
use sameriver::runtime::RandomStream;
use sameriver_cli::JobArguments;
use sameriver_sim::{ArrivalSchedule, DiskUse, Phases};
use serde::{Deserialize, Serialize};

use super::trial::Trial;
use crate::story::Workload;

/// The folder that all simulated nodes share.
const SHARED: &str = "data";

/// About what a record of a file has.
const WORD_BYTES: usize = 8;

/// The smallest splits of slow nodes.
const SLOW_SPLIT_BYTES_MIN: u64 = 40;
/// The most that a record costs: batches of such records still pass before a checkpoint times out.
const RECORD_MICROS_MAX: u64 = 20_000;

/// A file of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct InputFile {
    path: PathBuf,
    text: String,
}

/// The `[workload]` of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Workout {
    /// How many job masters there are.
    pub masters: u32,
    warm_up_millis: u64,
    chaos_millis: u64,
    /// What a record costs on every node, if not what is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record_micros: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    records: Option<u64>,
    /// Text: TOML has no numbers from 2^63 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    split_bytes: Option<u64>,
    /// How the records arrive, if not as fast as they are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalSchedule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<InputFile>,
    /// Whether the files are the job's input, in this order, or only the records' source.
    #[serde(default)]
    reads_files: bool,
}

impl Workout {
    /// Draws phases and arrivals for a workload.
    pub fn draw(workload: &Workload, trial: &Trial, random: &mut RandomStream) -> Self {
        let reads_files = !workload.files.is_empty() && random.chance(250);
        let phases = if reads_files {
            Phases {
                warm_up: Duration::from_millis(random.between(0, 500)),
                chaos: Duration::from_millis(random.between(2_000, 6_000)),
            }
        } else {
            Phases::draw(random)
        };
        let arguments = &workload.arguments;
        let name = trial.story.job.name;
        let output = arguments.output.as_ref();
        Self {
            masters: u32::try_from(random.between(1, 2)).expect("two fit"),
            warm_up_millis: phases.warm_up.as_millis() as u64,
            chaos_millis: phases.chaos.as_millis() as u64,
            record_micros: reads_files.then(|| slow(workload, phases.healing())),
            output: output.map(|_| PathBuf::from(SHARED).join(name)),
            records: arguments.records,
            seed: arguments.seed.map(|seed| seed.to_string()),
            split_bytes: arguments
                .split_bytes
                // Each split costs a journey to the job master.
                .map(|bytes| bytes.max(if reads_files { SLOW_SPLIT_BYTES_MIN } else { 1 })),
            arrivals: (!reads_files).then(|| ArrivalSchedule::draw(random, phases.healing())),
            files: workload.files.iter().map(InputFile::of).collect(),
            reads_files,
        }
    }

    /// The phases of the run.
    pub fn phases(&self) -> Phases {
        Phases {
            warm_up: Duration::from_millis(self.warm_up_millis),
            chaos: Duration::from_millis(self.chaos_millis),
        }
    }

    /// When the last record has arrived.
    pub fn last_arrival(&self) -> Duration {
        let schedule = self.arrivals.map(|schedule| schedule.end());
        schedule.unwrap_or_default()
    }

    /// What a record costs on every node, if not what is drawn.
    pub fn record_cost(&self) -> Option<Duration> {
        self.record_micros.map(Duration::from_micros)
    }

    /// Lets checkpoints of slow nodes take their time.
    pub fn settle(&self, settings: &mut Settings) {
        if self.record_micros.is_some() {
            settings.batch_records = settings.batch_records.min(64);
            settings.checkpoint_timeout = settings.checkpoint_timeout.max(Duration::from_secs(20));
            settings.checkpoint_failures = settings.checkpoint_failures.max(1_000_000);
        }
    }

    /// Which disks the job uses.
    pub fn disks(&self) -> DiskUse {
        DiskUse {
            reads_own: self.reads_files,
            writes_shared: self.output.is_some(),
        }
    }

    /// The folder in which output becomes visible.
    pub fn output(&self) -> Option<String> {
        let output = self.output.as_ref();
        output.map(|folder| folder.to_string_lossy().into_owned())
    }

    /// The workload.
    pub fn workload(&self) -> Workload {
        let files = self.files.iter();
        let files: Vec<_> = files
            .map(|file| (file.path.clone(), file.text.clone().into_bytes()))
            .collect();
        Workload {
            arguments: JobArguments {
                input: files.iter().map(|(path, _)| path.clone()).collect(),
                output: self.output.clone(),
                split_bytes: self.split_bytes,
                records: self.records,
                seed: self.seed.as_ref().and_then(|seed| seed.parse().ok()),
                ..JobArguments::default()
            },
            files,
        }
    }

    /// As a plan has it.
    pub fn to_table(&self) -> toml::Table {
        toml::Table::try_from(self).expect("texts and numbers are plain data")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// What is wrong with the table.
    pub fn of_table(table: &toml::Table) -> Result<Self, String> {
        let workout: Result<Self, _> = table.clone().try_into();
        let workout = workout.map_err(|error| format!("[workload]: {error}"))?;
        if let Some(seed) = &workout.seed
            && seed.parse::<u64>().is_err()
        {
            return Err(format!(
                "[workload] seed `{seed}` is no whole number below 2^64"
            ));
        }
        Ok(workout)
    }
}

/// What a record has to cost for reading the files to last about so long.
fn slow(workload: &Workload, lasting: Duration) -> u64 {
    let texts = workload.files.iter().map(|(_, text)| text);
    let records: usize = texts.map(|text| text.len() / WORD_BYTES + 1).sum();
    let micros = u64::try_from(lasting.as_micros()).unwrap_or(u64::MAX);
    (micros / records.max(1) as u64).clamp(1_000, RECORD_MICROS_MAX)
}

impl InputFile {
    fn of((path, bytes): &(PathBuf, Vec<u8>)) -> Self {
        Self {
            path: path.clone(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::TRIALS;

    #[test]
    fn every_drawn_workload_is_read_back_from_a_plan() {
        for seed in 0..200 {
            for trial in TRIALS {
                let mut random = RandomStream::named(seed, "workload");
                let workload = (trial.story.draw)(&mut random);
                let workout = Workout::draw(&workload, trial, &mut random);
                assert_eq!(Workout::of_table(&workout.to_table()), Ok(workout.clone()));
                let back = workout.workload();
                assert_eq!(back.files, workload.files);
                assert_eq!(back.arguments.seed, workload.arguments.seed);
            }
        }
    }
}
