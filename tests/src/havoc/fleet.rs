//! The processes of a run: two job masters and three task managers, and what they have said.
//!
//! Invariant: every wait has a deadline, and ends early if a process ends that should not; whoever
//! is started is watched by the guard until its number is free.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes on real ports, and the time that they take"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::Outcome;
use super::guard::Guard;
use super::plan::{Counts, Pace};
use super::process::{Heard, Process};
use super::seen::{Life, Node, Seen};

pub(super) const JOB_MASTERS: u32 = 2;
pub(super) const TASK_MANAGERS: u32 = 3;
/// The folder of committed files.
pub(super) const OUTPUT: &str = "totals";
/// The folder of checkpoints.
pub(super) const STORE: &str = "kept";
/// How long anything but the job itself may take: far beyond the time-outs of [`SETTINGS`].
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Two task managers can run the job, so that it goes on while one is frozen. Time-outs are short,
/// so that ninety seconds see many of them pass.
const SETTINGS: &str = r#"parallelism = 4
task_managers = 3
slots = 2
checkpoints = "kept"
checkpoint_interval = "500ms"
restart = "fixed-delay"
restart_attempts = 1000000
restart_delay = "100ms"
heartbeat_interval = "250ms"
heartbeat_timeout = "2s"
leader_interval = "400ms"
leader_timeout = "2s"
hello_timeout = "500ms"
connect_timeout = "2s"
registration_timeout = "10s"
"#;

const SIGKILL: i32 = 9;

/// Ports below those that the system gives to connections by itself.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// The cluster of one run.
pub(super) struct Fleet {
    binary: PathBuf,
    folder: PathBuf,
    job: Vec<String>,
    masters: Vec<String>,
    running: BTreeMap<Life, Process>,
    lives: BTreeMap<Node, u32>,
    hears: Sender<Heard>,
    heard: Receiver<Heard>,
    /// Those of `running` that have ended, and how.
    ended: BTreeMap<Life, ExitStatus>,
    guard: Guard,
    pub(super) seen: Seen,
    pub(super) counts: Counts,
    /// From each blow until all subtasks ran again.
    pub(super) recoveries: Vec<Duration>,
}

impl Fleet {
    /// Starts all processes of a job in a folder.
    pub(super) fn start(binary: &Path, folder: &Path, pace: Pace, seed: u64) -> Outcome<Self> {
        std::fs::write(folder.join("sameriver.toml"), SETTINGS)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let (hears, heard) = channel();
        let mut fleet = Self {
            binary: binary.to_owned(),
            folder: folder.to_owned(),
            job: words(pace, seed),
            masters: free_addresses(seed)?,
            running: BTreeMap::new(),
            lives: BTreeMap::new(),
            hears,
            heard,
            ended: BTreeMap::new(),
            guard: Guard::start()?,
            seen: Seen::default(),
            counts: Counts::default(),
            recoveries: Vec::new(),
        };
        for index in 0..JOB_MASTERS {
            fleet.begin(Node::JobMaster(index))?;
        }
        for index in 0..TASK_MANAGERS {
            fleet.begin(Node::TaskManager(index))?;
        }
        Ok(fleet)
    }

    /// Starts the next process of a node.
    pub(super) fn begin(&mut self, node: Node) -> Outcome<Life> {
        let number = self.lives.entry(node).or_default();
        *number += 1;
        let life = Life {
            node,
            number: *number,
        };
        let mut words = self.job.clone();
        match node {
            Node::JobMaster(index) => {
                words.insert(0, "jobmaster".to_owned());
                let address = self.masters[index as usize].clone();
                words.extend(["--listen".to_owned(), address]);
            }
            Node::TaskManager(index) => {
                words.insert(0, "taskmanager".to_owned());
                words.extend(["--index".to_owned(), index.to_string()]);
                words.extend(["--master".to_owned(), self.masters.join(",")]);
            }
        }
        let hears = self.hears.clone();
        let process = Process::start(&self.binary, &self.folder, &words, life, hears)?;
        self.guard.watch(process.number())?;
        self.running.insert(life, process);
        Ok(life)
    }

    /// SIGKILL; afterwards all that it has said is known. One that was faster is not counted.
    pub(super) fn kill(&mut self, life: Life) -> Outcome<()> {
        let status = self.end(life)?;
        self.counts.kills += u32::from(status.signal() == Some(SIGKILL));
        Ok(())
    }

    /// Kills without counting.
    pub(super) fn end(&mut self, life: Life) -> Outcome<ExitStatus> {
        let process = self.running.remove(&life);
        let mut process = process.ok_or_else(|| format!("{life} does not run"))?;
        process.kill()?;
        self.guard.forget(process.number())?;
        let status = process.wait()?;
        self.listen()?;
        self.ended.remove(&life);
        Ok(status)
    }

    pub(super) fn freeze(&self, life: Life) -> Outcome<()> {
        self.process(life)?.freeze()
    }

    pub(super) fn thaw(&self, life: Life) -> Outcome<()> {
        self.process(life)?.thaw()
    }

    /// The newest process of each node of that kind, in the order of their numbers.
    pub(super) fn newest(&self, is_wanted: fn(Node) -> bool) -> Vec<Life> {
        let lives = self.lives.iter().filter(|(node, _)| is_wanted(**node));
        let lives = lives.map(|(node, number)| Life {
            node: *node,
            number: *number,
        });
        lives
            .filter(|life| self.running.contains_key(life))
            .collect()
    }

    /// Waits until `look` finds what it looks for.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        look: impl FnMut(&Seen) -> Option<T>,
    ) -> Outcome<T> {
        self.until_within(PATIENCE, what, look)
    }

    pub(super) fn until_within<T>(
        &mut self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut(&Seen) -> Option<T>,
    ) -> Outcome<T> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = look(&self.seen) {
                return Ok(found);
            }
            self.check_ends()?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(heard) => self.hear(heard)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(format!("after {patience:?} still not: {what}"));
                }
            }
        }
    }

    /// Lets the job run for a while; this is the pace of the acts, nothing is waited for.
    pub(super) fn pause(&mut self, pause: Duration) {
        // Nothing is found; only the deadline ends it, or an end that the next wait reports.
        let _ = self.until_within(pause, "the end of a pause", |_| None::<()>);
    }

    /// Waits until every process has ended by itself, and well.
    pub(super) fn ends(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.ended.len() < self.running.len() {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.heard.recv_timeout(left) {
                Ok(heard) => self.hear(heard)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let lives = self.running.keys();
                    let left = lives.filter(|life| !self.ended.contains_key(life));
                    let left: Vec<String> = left.map(ToString::to_string).collect();
                    return Err(format!("the job is over, but not {}", left.join(", ")));
                }
            }
        }
        self.check_ends()
    }

    /// Whoever has ended by itself has ended well.
    fn check_ends(&self) -> Outcome<()> {
        let mut bad = self.ended.iter().filter(|(_, status)| !status.success());
        match bad.next() {
            Some((life, status)) => Err(format!("{life} has ended with {status}: see {life}.log")),
            None => Ok(()),
        }
    }

    fn process(&self, life: Life) -> Outcome<&Process> {
        let process = self.running.get(&life);
        process.ok_or_else(|| format!("{life} does not run"))
    }

    /// Takes in what was said up to now.
    fn listen(&mut self) -> Outcome<()> {
        while let Ok(heard) = self.heard.try_recv() {
            self.hear(heard)?;
        }
        Ok(())
    }

    fn hear(&mut self, heard: Heard) -> Outcome<()> {
        match heard {
            Heard::Said(life, line) => self.seen.on_line(life, &line),
            Heard::Silent(life) => {
                if let Some(process) = self.running.get_mut(&life) {
                    self.guard.forget(process.number())?;
                    self.ended.insert(life, process.wait()?);
                }
            }
        }
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (_, mut process) in std::mem::take(&mut self.running) {
            // What cannot be killed any more has ended; the guard only must not take its number
            // for that of another one.
            let _ = process.kill();
            let _ = self.guard.forget(process.number());
            let _ = process.wait();
        }
    }
}

/// The job and its options, as all processes are given them.
fn words(pace: Pace, seed: u64) -> Vec<String> {
    let job = format!(
        "windowed_totals --output {OUTPUT} --seed {seed} --records {} --rate {} --keys {} --window \
         {}ms",
        records(pace),
        pace.rate,
        pace.keys,
        pace.window.as_millis()
    );
    job.split(' ').map(str::to_owned).collect()
}

/// How many events make the job last.
pub(super) fn records(pace: Pace) -> u64 {
    pace.rate * pace.lasts.as_secs()
}

/// An address that is free for each job master.
fn free_addresses(seed: u64) -> Outcome<Vec<String>> {
    let count = PORTS.end - PORTS.start;
    let first = (u64::from(std::process::id()) * 7 + seed * 31) % u64::from(count);
    let ports = (0..count).map(|step| PORTS.start + (first as u16 + step) % count);
    let addresses = ports.map(|port| format!("127.0.0.1:{port}"));
    let free = addresses.filter(|address| TcpListener::bind(address).is_ok());
    let free: Vec<String> = free.take(JOB_MASTERS as usize).collect();
    if free.len() == JOB_MASTERS as usize {
        return Ok(free);
    }
    Err(format!("no two ports of {PORTS:?} are free"))
}
