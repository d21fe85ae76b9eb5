//! What whoever starts a test asks of it from outside: other seeds, a plan, a trace.
//!
//! Invariant: without variables a test does what it says; a variable that it does not know, or
//! cannot follow, is an error. A test harness passes no arguments on, so these are variables.

use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};

use crate::fault::Class;

/// How all variables begin.
const PREFIX: &str = "SAMERIVER_";
pub(super) const SEEDS: &str = "SAMERIVER_SEEDS";
const CLASS: &str = "SAMERIVER_CLASS";
pub(super) const PLAN: &str = "SAMERIVER_PLAN";
const SCHEDULES: &str = "SAMERIVER_SCHEDULES";
const TRACE: &str = "SAMERIVER_TRACE";
const ALL: [&str; 5] = [SEEDS, CLASS, PLAN, SCHEDULES, TRACE];

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// These seeds instead of the test's.
    pub(super) seeds: Option<Range<u64>>,
    /// This class for every seed.
    pub(super) class: Option<Class>,
    /// This plan instead of seeds.
    pub(super) plan: Option<PathBuf>,
    /// The plan under so many further schedules.
    pub(super) schedules: u32,
    /// Every event of the one seed, or of the plan, into this file.
    pub(super) trace: Option<PathBuf>,
}

impl Request {
    /// Reads the variables of the process.
    ///
    /// # Errors
    /// The variable that is wrong, its value, and what it may be.
    pub(super) fn of_the_process() -> Result<Self, String> {
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let value = value.to_string_lossy().into_owned();
            name.starts_with(PREFIX).then_some((name, value))
        });
        Self::read(ours)
    }

    fn read(variables: impl Iterator<Item = (String, String)>) -> Result<Self, String> {
        let mut request = Self::default();
        let mut schedules = None;
        for (name, value) in variables {
            match name.as_str() {
                SEEDS => request.seeds = Some(range(&value)?),
                CLASS => request.class = Some(class(&value)?),
                PLAN => request.plan = Some(PathBuf::from(value)),
                SCHEDULES => schedules = Some(number(SCHEDULES, &value)?),
                TRACE => request.trace = Some(PathBuf::from(value)),
                unknown => {
                    let known = ALL.join(", ");
                    return Err(format!(
                        "{unknown} is no variable of a simulation: {known} are"
                    ));
                }
            }
        }
        request.schedules = schedules.unwrap_or_default();
        if request.plan.is_some() && (request.seeds.is_some() || request.class.is_some()) {
            return Err(format!(
                "{PLAN} names one run, {SEEDS} and {CLASS} draw others: set it alone"
            ));
        }
        if request.plan.is_none() && schedules.is_some() {
            return Err(format!(
                "{SCHEDULES} needs {PLAN}: a seed has its own schedule"
            ));
        }
        Ok(request)
    }

    /// The seed to trace, if these seeds are to run.
    ///
    /// # Errors
    /// When a trace is asked for and there are several.
    pub(super) fn traced(&self, seeds: &Range<u64>) -> Result<Option<(u64, &PathBuf)>, String> {
        let Some(file) = &self.trace else {
            return Ok(None);
        };
        if seeds.end - seeds.start == 1 {
            return Ok(Some((seeds.start, file)));
        }
        let (first, end) = (seeds.start, seeds.start.saturating_add(1));
        Err(format!(
            "{TRACE} is of one run, but seeds {seeds:?} are to run: set {SEEDS}={first}..{end} or \
             {PLAN} too"
        ))
    }
}

fn range(value: &str) -> Result<Range<u64>, String> {
    let wrong = || format!("{SEEDS}={value} is no range of seeds: write 0..300, the end exclusive");
    let (start, end) = value.split_once("..").ok_or_else(wrong)?;
    let range = start.parse().ok().zip(end.parse().ok());
    let range = range.map(|(start, end)| start..end).ok_or_else(wrong)?;
    if range.is_empty() {
        return Err(wrong());
    }
    Ok(range)
}

fn class(value: &str) -> Result<Class, String> {
    let text: StrDeserializer<'_, ValueError> = value.into_deserializer();
    Class::deserialize(text).map_err(|error| format!("{CLASS}: {error}"))
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    let parsed = value.parse();
    parsed.map_err(|_| format!("{name}={value} is no number of schedules: write 9"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Request, String> {
        let pairs = variables.iter();
        Request::read(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn every_variable_is_followed() {
        let request = read(&[(SEEDS, "7..8"), (CLASS, "solo"), (TRACE, "events")]);
        let request = request.expect("all is right");
        assert_eq!(request.seeds, Some(7..8));
        assert_eq!(request.class, Some(Class::Solo));
        let traced = request.traced(&(7..8)).map(|traced| traced.map(|of| of.0));
        assert_eq!(traced, Ok(Some(7)));
        let request = read(&[(PLAN, "a.toml"), (SCHEDULES, "9")]).expect("all is right");
        assert_eq!(
            (request.plan, request.schedules),
            (Some("a.toml".into()), 9)
        );
        assert_eq!(read(&[]), Ok(Request::default()));
    }

    #[test]
    fn a_variable_that_cannot_be_followed_is_named_with_its_remedy() {
        let wrong: [(&[(&str, &str)], &str); 7] = [
            (&[("SAMERIVER_SEED", "7")], "SAMERIVER_SEEDS, "),
            (&[(SEEDS, "7")], "write 0..300"),
            (&[(SEEDS, "8..8")], "write 0..300"),
            (&[(CLASS, "wild")], "`calm`, `solo`, `swarm`, `storm`"),
            (&[(PLAN, "a"), (SEEDS, "0..1")], "set it alone"),
            (&[(SCHEDULES, "9")], "needs SAMERIVER_PLAN"),
            (&[(PLAN, "a"), (SCHEDULES, "-1")], "write 9"),
        ];
        for (variables, remedy) in wrong {
            let said = read(variables).expect_err("it is wrong");
            assert!(said.contains(remedy), "{said}");
        }
        let request = read(&[(TRACE, "events")]).expect("what is missing depends on the test");
        let said = request.traced(&(0..300)).expect_err("it has 300 seeds");
        assert!(said.contains("set SAMERIVER_SEEDS=0..1"), "{said}");
    }
}
