//! How soon the keyed counter goes on after its task manager is lost.
//!
//! Invariant: real processes of this binary over loopback, one job master and two task managers of
//! which one waits; all instants are of the bench's clock. Nothing is taken from a run that had not
//! all its keys in the checkpoint.

use std::fmt;
use std::time::Duration;

use sameriver::CheckpointStore;

use crate::check::BenchError;
use crate::node::{FIRST, JOB, LISTENS, OPENED, TASK_MANAGERS, Terms, WARM};
use crate::processes::{Blow, Processes, Said};
use crate::rounds::median;
use crate::spec;
use crate::store::Folder;

/// How long anything may take that is waited for, beyond the heartbeat time-out.
const PATIENCE: Duration = Duration::from_mins(3);
/// A checkpoint of all keys has at least so many bytes: key and count of each.
const BYTES_MIN: u64 = spec::KEYS * 16;
/// The job master is the process that is started first.
const MASTER: usize = 0;
/// Then come the task managers, in the order of their indices.
const FIRST_TASK_MANAGER: usize = 1;
/// How the log of the job master tells that the job does not run any more.
const DETECTED: &str = "from=running";
/// How it tells of a checkpoint.
const PUBLISHED: &str = "checkpoint published";

/// A failure, and how heartbeats are set meanwhile.
#[derive(Clone, Copy, Debug)]
struct Case {
    blow: Blow,
    interval: Duration,
    timeout: Duration,
    /// Whether a supervisor starts the process again at once.
    is_replaced: bool,
    /// What Flink took to its first record; see `SPECIFICATION.md`.
    flink: &'static str,
}

impl Case {
    const fn new(blow: Blow, interval: u64, timeout: u64, flink: &'static str) -> Self {
        Self {
            blow,
            interval: Duration::from_secs(interval),
            timeout: Duration::from_secs(timeout),
            is_replaced: false,
            flink,
        }
    }
}

const CASES: [Case; 4] = [
    Case::new(Blow::Kill, 10, 50, "19.8 s"),
    Case::new(Blow::Kill, 1, 4, "4.2 s"),
    Case {
        is_replaced: true,
        ..Case::new(Blow::Kill, 1, 4, "-")
    },
    Case::new(Blow::Stop, 1, 4, "-"),
];

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Trials {
    /// How often each failure is tried.
    pub each: usize,
    /// How many checkpoints there are before, once every key has come.
    pub checkpoints: usize,
    /// The time between two checkpoints.
    pub interval: Duration,
}

impl Trials {
    /// What the published figures are about.
    pub const FULL: Self = Self {
        each: 3,
        checkpoints: 5,
        interval: Duration::from_secs(1),
    };
    /// One of each, sooner.
    pub const QUICK: Self = Self {
        each: 1,
        checkpoints: 2,
        interval: Duration::from_secs(1),
    };
}

/// What one failure took.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// From the blow until the job master knows.
    detection: Duration,
    /// From then until the sink is open again, its state restored.
    opened: Duration,
    /// From then until the first record was processed.
    first: Duration,
    /// Bytes of the last checkpoint.
    bytes: u64,
}

/// A measured table.
pub struct Recovery {
    trials: Trials,
    rows: Vec<(Case, Vec<Trial>)>,
}

impl Recovery {
    /// Tries each failure.
    ///
    /// # Errors
    /// [`BenchError`] when a process does not do what it should, with what they said last.
    pub fn measure(trials: Trials) -> Result<Self, BenchError> {
        let mut rows = Vec::new();
        for (number, case) in CASES.into_iter().enumerate() {
            let name = |trial| format!("recovery-{number}-{trial}");
            let all = (0..trials.each).map(|trial| case.run(&name(trial), trials));
            rows.push((case, all.collect::<Result<_, _>>()?));
        }
        Ok(Self { trials, rows })
    }
}

impl Case {
    fn run(self, name: &str, trials: Trials) -> Result<Trial, BenchError> {
        let folder = Folder::new(name).map_err(BenchError::Store)?;
        let store = folder.path().display().to_string();
        let mut cluster = Cluster::start(Terms {
            store: store.clone(),
            heartbeat_interval: self.interval.as_millis() as u64,
            heartbeat_timeout: self.timeout.as_millis() as u64,
            checkpoint_interval: trials.interval.as_millis() as u64,
        })?;
        let victim = cluster.wait("the first record", PATIENCE, |said| said.line == FIRST)?;
        cluster.wait("every key", PATIENCE, |said| said.line == WARM)?;
        for _ in 0..trials.checkpoints {
            cluster.wait("a checkpoint", PATIENCE, |said| {
                said.process == MASTER && said.line.contains(PUBLISHED)
            })?;
        }
        let struck = cluster.processes.strike(victim.process, self.blow);
        let struck = struck.map_err(BenchError::Process)?;
        if self.is_replaced {
            cluster.task_manager(victim.process - FIRST_TASK_MANAGER)?;
        }
        let patience = self.timeout + PATIENCE;
        let detected = cluster.wait("the detection of the failure", patience, |said| {
            said.process == MASTER && said.line.contains(DETECTED)
        })?;
        let mut of_other = |what, line: &str| {
            cluster.wait(what, PATIENCE, |said| {
                said.process != victim.process && said.line == line
            })
        };
        let opened = of_other("the restored state", OPENED)?;
        let first = of_other("the first record after it", FIRST)?;
        drop(cluster);
        Ok(Trial {
            detection: detected.at.duration_since(struck),
            opened: opened.at.duration_since(detected.at),
            first: first.at.duration_since(detected.at),
            bytes: checkpoint_bytes(&store)?,
        })
    }
}

/// The processes of one trial.
struct Cluster {
    processes: Processes,
    terms: Terms,
    /// Where the job master listens.
    address: String,
}

impl Cluster {
    fn start(terms: Terms) -> Result<Self, BenchError> {
        let mut cluster = Self {
            processes: Processes::default(),
            terms,
            address: String::new(),
        };
        cluster.process(["jobmaster".to_owned()])?;
        let listens = |said: &Said| said.line.starts_with(LISTENS);
        let listens = cluster.wait("the job master", PATIENCE, listens)?;
        listens.line[LISTENS.len()..].clone_into(&mut cluster.address);
        for index in 0..TASK_MANAGERS as usize {
            cluster.task_manager(index)?;
        }
        Ok(cluster)
    }

    fn task_manager(&mut self, index: usize) -> Result<(), BenchError> {
        let address = self.address.clone();
        self.process(["taskmanager".to_owned(), index.to_string(), address])
    }

    fn process(&mut self, role: impl IntoIterator<Item = String>) -> Result<(), BenchError> {
        let mut arguments = vec!["node".to_owned()];
        arguments.extend(self.terms.arguments());
        arguments.extend(role);
        let started = self.processes.start(&arguments);
        started.map(drop).map_err(BenchError::Process)
    }

    fn wait(
        &mut self,
        what: &'static str,
        within: Duration,
        is_it: impl Fn(&Said) -> bool,
    ) -> Result<Said, BenchError> {
        let said = self.processes.wait_for(within, is_it);
        said.ok_or_else(|| {
            let last = self.processes.log.iter().rev().take(20).rev();
            let last = last.map(|said| format!("{}: {}\n", said.process, said.line));
            BenchError::Silent {
                what,
                last: last.collect(),
            }
        })
    }
}

/// The bytes of the newest checkpoint, which must have all keys.
fn checkpoint_bytes(store: &str) -> Result<u64, BenchError> {
    let audit = CheckpointStore::open(store)?.audit(JOB)?;
    let newest = audit.checkpoints.iter().max_by_key(|row| row.id);
    let bytes = newest.map_or(0, |newest| newest.bytes);
    if bytes < BYTES_MIN {
        return Err(BenchError::Vacuous("a checkpoint did not have all keys"));
    }
    Ok(bytes)
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, each) = (spec::KEYS, self.trials.each);
        writeln!(
            f,
            "kc, {keys} keys, parallelism 1, a checkpoint each {:?}; medians of {each}",
            self.trials.interval
        )?;
        writeln!(
            f,
            "| failure | heartbeats, time-out | detection, ms | detection to open state, ms | \
             detection to first record, ms | failure to first record, ms | each, ms | state, MB | \
             Flink, failure to first record |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|")?;
        for (case, trials) in &self.rows {
            case.write(trials, f)?;
        }
        Ok(())
    }
}

impl Case {
    fn write(self, trials: &[Trial], f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1e3;
        let of = |figure: fn(&Trial) -> Duration| median(trials.iter().map(figure).map(millis));
        let whole: fn(&Trial) -> Duration = |trial| trial.detection + trial.first;
        let each = trials.iter().map(whole).map(millis);
        let each: Vec<String> = each.map(|each| format!("{each:.0}")).collect();
        let blow = match (self.blow, self.is_replaced) {
            (Blow::Kill, false) => "SIGKILL",
            (Blow::Kill, true) => "SIGKILL, started again at once",
            (Blow::Stop, _) => "SIGSTOP",
        };
        writeln!(
            f,
            "| {blow} | {:?}, {:?} | {:.1} | {:.0} | {:.0} | {:.0} | {} | {:.1} | {} |",
            self.interval,
            self.timeout,
            of(|trial| trial.detection),
            of(|trial| trial.opened),
            of(|trial| trial.first),
            of(whole),
            each.join(" "),
            median(trials.iter().map(|trial| trial.bytes as f64 / 1e6)),
            self.flink,
        )
    }
}
