//! One process of the recovery bench: the job master or a task manager of the keyed counter.
//!
//! Invariant: each process makes its settings from the same arguments. What the bench waits for is
//! a line on standard output, written when it happens; the engine's log goes to standard error.

use std::io::{self, Write as _};
use std::time::Duration;

use clap::{Args, Subcommand};
use sameriver::model::CheckpointId;
use sameriver::operator::Progress;
use sameriver::operator::sink::{Committable, Committer, Sink, SinkError, SinkWriter, WriterArgs};
use sameriver::{Batch, BuildError, Environment, NodeError, Restart, Settings};

use crate::jobs;
use crate::plain::Rows;
use crate::row_sink::RowSink;
use crate::spec;

/// Begins the line that says where the job master listens.
pub const LISTENS: &str = "listens ";
/// The line of a sink that was opened: the state is restored, no record has come.
pub const OPENED: &str = "opened";
/// The line of a sink that its first records have reached.
pub const FIRST: &str = "first record";
/// The line of a sink that has had so many records that every key has come.
pub const WARM: &str = "every key has come";
/// The name of the job.
pub const JOB: &str = "kc";

/// By then every key has come, but for one in ten million.
const WARM_RECORDS: u64 = 16 * spec::KEYS;
/// More records than any run comes to.
const RECORDS: u64 = 1 << 40;

/// What all processes of a run are told.
#[derive(Clone, Debug, Args)]
pub struct Terms {
    /// The folder of the checkpoint store.
    #[arg(long)]
    pub store: String,
    /// Milliseconds between two heartbeats.
    #[arg(long)]
    pub heartbeat_interval: u64,
    /// Milliseconds of silence after which a process is lost.
    #[arg(long)]
    pub heartbeat_timeout: u64,
    /// Milliseconds between two checkpoints.
    #[arg(long)]
    pub checkpoint_interval: u64,
}

/// Which process it is.
#[derive(Clone, Debug, Subcommand)]
pub enum Role {
    /// Leads the job.
    Jobmaster,
    /// Runs subtasks of it.
    Taskmanager {
        /// Which one.
        index: u32,
        /// Where the job master listens.
        master: String,
    },
}

/// How many task managers there are: one that works, and one that waits.
pub const TASK_MANAGERS: u32 = 2;

impl Terms {
    /// The command line of a process with these terms, without its role.
    pub fn arguments(&self) -> Vec<String> {
        let millis = [
            ("--heartbeat-interval", self.heartbeat_interval),
            ("--heartbeat-timeout", self.heartbeat_timeout),
            ("--checkpoint-interval", self.checkpoint_interval),
        ];
        let millis = millis.map(|(name, value)| [name.to_owned(), value.to_string()]);
        let store = ["--store".to_owned(), self.store.clone()];
        store
            .into_iter()
            .chain(millis.into_iter().flatten())
            .collect()
    }

    fn settings(&self) -> Settings {
        Settings {
            task_managers: TASK_MANAGERS,
            slots: 1,
            checkpoints: self.store.clone(),
            checkpoint_interval: Duration::from_millis(self.checkpoint_interval),
            heartbeat_interval: Duration::from_millis(self.heartbeat_interval),
            heartbeat_timeout: Duration::from_millis(self.heartbeat_timeout),
            restart: Restart::FixedDelay,
            restart_delay: Duration::ZERO,
            ..jobs::settings(1)
        }
    }
}

/// Plays the role until the job is over, which is never: the bench ends the process.
///
/// # Errors
/// [`NodeError`] when the process cannot play it.
pub fn play(role: &Role, terms: &Terms) -> Result<(), NodeError> {
    let logs = tracing_subscriber::fmt().with_writer(io::stderr);
    logs.with_ansi(false).init();
    let settings = terms.settings();
    match role {
        Role::Jobmaster => sameriver::run_job_master(job, &settings, "127.0.0.1:0", |address| {
            say(&format!("{LISTENS}{address}"));
        })
        .map(drop),
        Role::Taskmanager { index, master } => {
            let masters = [master.clone()];
            sameriver::run_task_manager(job, &settings, *index, &masters, "127.0.0.1")
        }
    }
}

fn job(env: &mut Environment) -> Result<(), BuildError> {
    env.name(JOB);
    jobs::counter(env, RECORDS, Announced(RowSink::new(Rows::Timed)))
}

/// Writes a line at once; a bench that is gone needs none.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A sink that says when it is opened and when its first records come.
struct Announced(RowSink);

type Row = (u64, u64);

impl Sink<Row> for Announced {
    fn describe(&self) -> String {
        Sink::<Row>::describe(&self.0)
    }

    fn writer(&self, args: WriterArgs) -> Result<Box<dyn SinkWriter<Row>>, SinkError> {
        let inner = self.0.writer(args)?;
        say(OPENED);
        Ok(Box::new(AnnouncedWriter { inner, records: 0 }))
    }

    fn commits(&self) -> bool {
        true
    }

    fn committer(&self, args: WriterArgs) -> Result<Option<Box<dyn Committer>>, SinkError> {
        Sink::<Row>::committer(&self.0, args)
    }
}

struct AnnouncedWriter {
    inner: Box<dyn SinkWriter<Row>>,
    records: u64,
}

impl SinkWriter<Row> for AnnouncedWriter {
    fn write(&mut self, batch: &mut Batch<Row>) -> Result<(), SinkError> {
        let before = self.records;
        self.records += batch.len() as u64;
        if before == 0 {
            say(FIRST);
        }
        if (before..self.records).contains(&WARM_RECORDS) {
            say(WARM);
        }
        self.inner.write(batch)
    }

    fn has_room(&self) -> bool {
        self.inner.has_room()
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.inner.flush()
    }

    fn finish(&mut self) -> Result<Progress, SinkError> {
        self.inner.finish()
    }

    fn stage(&mut self, checkpoint: CheckpointId) -> Result<(), SinkError> {
        self.inner.stage(checkpoint)
    }

    fn staged(&mut self) -> Result<Option<Vec<Committable>>, SinkError> {
        self.inner.staged()
    }
}
