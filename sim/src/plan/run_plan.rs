//! A run written out.
//!
//! Invariant: reading what was written gives the same plan; unknown keys, families and settings are
//! errors that name them.

use std::path::Path;

use sameriver::Settings;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::error::PlanError;
use super::expectation::Expectation;
use super::settings_table;
use crate::fault::{Class, Episode, FaultScript};

/// The version of the file.
pub const SCHEMA: u32 = 1;

/// Everything that a run is made of, beside the code.
///
/// ```
/// use sameriver::Settings;
/// use sameriver_sim::{Class, FaultScript, Plan};
/// let plan = Plan {
///     scenario: "word_count".to_owned(),
///     seed: 7,
///     schedule_seed: 7,
///     class: Class::Calm,
///     settings: Settings::default(),
///     workload: toml::Table::new(),
///     faults: FaultScript::default(),
///     expectation: None,
/// };
/// let text = plan.to_text();
/// assert_eq!(Plan::parse(&text, "plan.toml")?, plan);
/// assert!(Plan::parse(&format!("colour = 3\n{text}"), "plan.toml").is_err());
/// # Ok::<(), sameriver_sim::PlanError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The scenario, or the name of a user's job.
    pub scenario: String,
    /// The seed that everything was drawn from.
    pub seed: u64,
    /// The seed of the world: tasks, packets, latencies.
    pub schedule_seed: u64,
    /// How much of the fault menu the seed had got.
    pub class: Class,
    /// What the job runs with.
    pub settings: Settings,
    /// What goes in, as the scenario writes it.
    pub workload: Table,
    /// What goes wrong.
    pub faults: FaultScript,
    /// What came of it.
    pub expectation: Option<Expectation>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    schema: u32,
    scenario: String,
    /// Text: TOML has no numbers from 2^63 on.
    seed: String,
    schedule_seed: String,
    class: Class,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expectation: Option<Expectation>,
    #[serde(default)]
    settings: Table,
    #[serde(default)]
    workload: Table,
    #[serde(default, rename = "fault", skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Episode>,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError`] when the text is no plan of this schema.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, PlanError> {
        let path = path.as_ref();
        let malformed = |cause: String| PlanError::malformed(path, cause);
        schema(text, path)?;
        let file: File = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let seed = |name: &str, seed: &str| {
            let complaint = format!("{name} `{seed}` is no whole number below 2^64");
            seed.parse().map_err(|_| malformed(complaint))
        };
        let plan = Self {
            seed: seed("seed", &file.seed)?,
            schedule_seed: seed("schedule-seed", &file.schedule_seed)?,
            scenario: file.scenario,
            class: file.class,
            settings: settings_table::read(&file.settings).map_err(malformed)?,
            workload: file.workload,
            faults: FaultScript(file.faults),
            expectation: file.expectation,
        };
        let faults = plan.faults.check().map_err(|error| error.to_string());
        faults.map_err(malformed)?;
        if let Some(expectation) = &plan.expectation {
            expectation.check().map_err(malformed)?;
        }
        Ok(plan)
    }

    /// Reads a plan from its file.
    ///
    /// # Errors
    /// [`PlanError`] when the file cannot be read or is no plan.
    #[expect(
        clippy::disallowed_methods,
        reason = "a file of the user's, outside of any world"
    )]
    pub fn load(path: impl AsRef<Path>) -> Result<Self, PlanError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|cause| PlanError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        Self::parse(&text, path)
    }

    /// The text of the file.
    ///
    /// # Panics
    /// If the workload cannot be written as TOML: a bug of the scenario.
    pub fn to_text(&self) -> String {
        let file = File {
            schema: SCHEMA,
            scenario: self.scenario.clone(),
            seed: self.seed.to_string(),
            schedule_seed: self.schedule_seed.to_string(),
            class: self.class,
            expectation: self.expectation.clone(),
            settings: settings_table::written(&self.settings),
            workload: self.workload.clone(),
            faults: self.faults.0.clone(),
        };
        toml::to_string(&file).expect("every part of a plan is plain data")
    }
}

/// The schema is looked at before the rest: another one may have other keys.
fn schema(text: &str, path: &Path) -> Result<(), PlanError> {
    let table: Table = text
        .parse()
        .map_err(|error| PlanError::malformed(path, error))?;
    let found = table.get("schema").and_then(toml::Value::as_integer);
    let Some(found) = found.and_then(|found| u32::try_from(found).ok()) else {
        return Err(PlanError::malformed(path, "it has no `schema = 1`"));
    };
    if found != SCHEMA {
        return Err(PlanError::OtherSchema {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fault::{FaultFamily, Target, Trigger};
    use crate::finding::Finding;
    use crate::judge::Invariant;
    use crate::trace::TraceHash;

    fn plan() -> Plan {
        let at = Trigger::Pass {
            node: "job-master-0".to_owned(),
            place: "checkpoint.publish.record".to_owned(),
            ordinal: 2,
        };
        let target = Target::Node("job-master-0".to_owned());
        let crash = Episode::new(at, FaultFamily::CrashPoint, target);
        let finding = Finding::breach(Invariant::Metadata, "it is not there");
        Plan {
            scenario: "windowed_totals".to_owned(),
            seed: u64::MAX,
            schedule_seed: 3,
            class: Class::Solo,
            settings: Settings {
                parallelism: 3,
                ..Settings::default()
            },
            workload: "records = 7\n[[files]]\ntext = \"a\\nb\""
                .parse()
                .expect("it is TOML"),
            faults: FaultScript(vec![crash.lasting(Duration::from_secs(2))]),
            expectation: Some(Expectation::of(&finding, TraceHash::from_u64(7))),
        }
    }

    #[test]
    fn a_plan_is_read_back() {
        let text = plan().to_text();
        let read = Plan::parse(&text, "plan.toml");
        assert_eq!(
            read.map_err(|error| error.to_string()),
            Ok(plan()),
            "{text}"
        );
    }

    fn complaint(from: &str, to: &str) -> String {
        let text = plan().to_text();
        assert!(text.contains(from), "{text}");
        let read = Plan::parse(&text.replace(from, to), "plan.toml");
        read.expect_err("it is wrong").to_string()
    }

    #[test]
    fn what_a_plan_may_not_say_is_named() {
        for (from, to, said) in [
            ("schema = 1", "schema = 2", "schema 2"),
            ("schema = 1\n", "", "no `schema = 1`"),
            ("class = ", "colour = ", "colour"),
            ("parallelism", "paralelism", "paralelism"),
            ("crash-point", "crash-joint", "crash-joint"),
            ("ordinal = 2", "ordinal = 0", "at least 1"),
            ("kind = \"safety\"", "kind = \"safe\"", "`safe`"),
            ("I14", "I99", "I99"),
            ("seed = \"1844", "seed = \"x", "no whole number"),
        ] {
            let complaint = complaint(from, to);
            assert!(complaint.contains(said), "{complaint}");
        }
    }
}
