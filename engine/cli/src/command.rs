//! The commands that every job binary has.
//!
//! Invariant: the command line's own mistakes end with 64, like unknown names and settings.

use std::ffi::OsString;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind as Complaint;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use sameriver::{BuildError, SettingValue};

use crate::exit::Exit;
use crate::named_job::{self, JobArguments, NamedJob};
use crate::{checkpoints, nodes, run, settings};

/// What a job binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the jobs of this binary.
    List,
    /// Run a job on this machine.
    Run(RunArguments),
    /// Draw a job's graph after chaining.
    Graph(GraphArguments),
    /// Show every setting, its value and where it came from.
    Settings(SettingsArguments),
    /// Verify the checkpoints that a store keeps; exit code 65 if something is damaged.
    Checkpoints(CheckpointsArguments),
    /// Lead a job that runs on several processes, until it is over.
    Jobmaster(JobMasterArguments),
    /// Run subtasks of a job that another process leads, until it is over.
    Taskmanager(TaskManagerArguments),
}

/// Settings from a file and from the command line.
#[derive(Clone, Debug, Default, Args)]
pub struct SettingsSource {
    /// Settings file; `sameriver.toml` of this folder is read if it is there.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// A setting on top of the file, such as `batch_records=64`; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    pub set: Vec<String>,
    /// Subtasks of every operator that does not choose.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub parallelism: Option<String>,
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The job; `list` describes all of them.
    pub scenario: String,
    /// A file to read; may be repeated. Without it the job's own input is used.
    #[arg(long, value_name = "FILE")]
    pub input: Vec<PathBuf>,
    /// The folder to write; without it the result is shown.
    #[arg(long, value_name = "FOLDER")]
    pub output: Option<PathBuf>,
    /// Bytes of a file that one subtask reads at a time.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub split_bytes: Option<u64>,
    /// How many records a generator makes.
    #[arg(long, value_name = "N")]
    pub records: Option<u64>,
    /// What a generator starts from.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many records a generator makes a second; as many as the job takes if left out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// How many different keys a generator draws.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keys: Option<u32>,
    /// The length of a window, such as 10s.
    #[arg(long, value_name = "TIME", value_parser = length)]
    pub window: Option<Duration>,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as a help text")]
    pub source: SettingsSource,
}

/// Reads a length of time, as settings are written; it must be whole milliseconds.
fn length(written: &str) -> Result<Duration, String> {
    let read: Duration = SettingValue::read(written)?;
    if read.as_millis() == 0 || !read.subsec_nanos().is_multiple_of(1_000_000) {
        return Err("write whole milliseconds, at least 1ms".to_owned());
    }
    Ok(read)
}

/// `graph`.
#[derive(Debug, Args)]
pub struct GraphArguments {
    /// The job; `list` describes all of them.
    pub scenario: String,
    /// Write Graphviz instead of text.
    #[arg(long)]
    pub dot: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as a help text")]
    pub source: SettingsSource,
}

/// `settings`.
#[derive(Debug, Args)]
pub struct SettingsArguments {
    /// Print a settings file that has every setting.
    #[arg(long, required = true)]
    pub print: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as a help text")]
    pub source: SettingsSource,
}

/// `checkpoints`.
#[derive(Debug, Args)]
pub struct CheckpointsArguments {
    /// The folder, as the setting `checkpoints` names it.
    #[arg(value_name = "DIR")]
    pub folder: String,
    /// The job; left out, the only one of the store, or a list if there are several.
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
}

/// `jobmaster`.
#[derive(Debug, Args)]
pub struct JobMasterArguments {
    /// Where task managers find it; port 0 is any that is free.
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as a help text")]
    pub run: RunArguments,
}

/// `taskmanager`.
#[derive(Debug, Args)]
pub struct TaskManagerArguments {
    /// Which task manager this is, counted from 0; the setting `task_managers` is how many.
    #[arg(long, value_name = "N")]
    pub index: u32,
    /// Where the job master listens, or each of several, separated by commas.
    #[arg(
        long,
        value_name = "HOST:PORT,..",
        value_delimiter = ',',
        required = true
    )]
    pub master: Vec<String>,
    /// Where other task managers reach this one: a name or address of this machine.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub host: String,
    #[command(flatten)]
    #[expect(missing_docs, reason = "clap would show it as a help text")]
    pub run: RunArguments,
}

/// Runs jobs of Sameriver.
#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Parses a command line as `P`, under the binary's name.
///
/// # Errors
/// The exit code, after help or a complaint was printed.
pub fn parse_with<P: Parser>(
    name: &'static str,
    words: impl IntoIterator<Item = OsString>,
) -> Result<P, Exit> {
    parse::<P>(P::command(), name, words)
}

fn parse<P: Parser>(
    line: clap::Command,
    name: &'static str,
    words: impl IntoIterator<Item = OsString>,
) -> Result<P, Exit> {
    let parsed = line
        .name(name)
        .bin_name(name)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .try_get_matches_from(words)
        .and_then(|matches| P::from_arg_matches(&matches));
    parsed.map_err(|complaint| {
        // A terminal that is gone hears nothing; the exit code still tells.
        let _ = complaint.print();
        let asked_for = [Complaint::DisplayHelp, Complaint::DisplayVersion];
        if asked_for.contains(&complaint.kind()) {
            Exit::Success
        } else {
            Exit::Usage
        }
    })
}

pub(crate) fn main(name: &'static str, jobs: &[NamedJob]) -> Exit {
    match parse::<Line>(line_of(jobs), name, std::env::args_os()) {
        Ok(line) => execute(&line.command, jobs),
        Err(exit) => exit,
    }
}

/// The command line of a binary with these jobs: its help names them.
fn line_of(jobs: &[NamedJob]) -> clap::Command {
    let known = jobs
        .iter()
        .map(|job| PossibleValue::new(job.name).help(job.about));
    let known = PossibleValuesParser::new(known);
    let names_a_job = |command: clap::Command| {
        command.mut_arg("scenario", |argument| {
            argument.value_name("JOB").value_parser(known.clone())
        })
    };
    Line::command()
        .mut_subcommand("run", names_a_job)
        .mut_subcommand("graph", names_a_job)
        .mut_subcommand("jobmaster", names_a_job)
        .mut_subcommand("taskmanager", names_a_job)
}

/// Carries out a command.
pub fn execute(command: &Command, jobs: &[NamedJob]) -> Exit {
    let done = match command {
        Command::List => list(jobs),
        Command::Run(arguments) => run::run(arguments, jobs),
        Command::Graph(arguments) => graph(arguments, jobs),
        Command::Settings(arguments) => print_settings(&arguments.source),
        Command::Checkpoints(arguments) => checkpoints::show(arguments),
        Command::Jobmaster(arguments) => nodes::job_master(arguments, jobs),
        Command::Taskmanager(arguments) => nodes::task_manager(arguments, jobs),
    };
    match done {
        Ok(()) => Exit::Success,
        Err((exit, message)) => {
            complain(&message);
            exit
        }
    }
}

/// A command's end that is not a success: the code, and what to tell the user.
pub type Ended = Result<(), (Exit, String)>;

/// Writes an error as the user sees it.
pub fn complain(message: &str) {
    // A terminal that is gone hears nothing; the exit code still tells.
    let _ = writeln!(std::io::stderr(), "error: {message}");
}

/// Writes to stderr what the user may want to know beside the result.
pub(crate) fn report(text: &str) {
    // A terminal that is gone hears nothing; the exit code still tells.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes to standard output; a reader that went away (`| head`) is no error.
///
/// # Errors
/// [`Exit::CannotCreate`] and a sentence when it cannot be written for another reason.
pub fn print(text: &str) -> Ended {
    let mut out = std::io::stdout().lock();
    let ending: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(ending))
        .and_then(|()| out.flush());
    written.or_else(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            return Ok(());
        }
        let remedy = "check the file or the disk that it goes to";
        let message = format!("cannot write standard output: {error}: {remedy}");
        Err((Exit::CannotCreate, message))
    })
}

fn print_settings(source: &SettingsSource) -> Ended {
    let usage = |message| (Exit::Usage, message);
    let settings = settings::effective(source).map_err(usage)?;
    let fits = settings.clone().validated();
    fits.map_err(|error| usage(error.to_string()))?;
    print(&settings.to_string())
}

fn list(jobs: &[NamedJob]) -> Ended {
    let width = jobs.iter().map(|job| job.name.len()).max().unwrap_or(0);
    let lines: Vec<String> = jobs
        .iter()
        .map(|job| format!("{:width$}  {}", job.name, job.about))
        .collect();
    print(&lines.join("\n"))
}

fn graph(arguments: &GraphArguments, jobs: &[NamedJob]) -> Ended {
    let usage = |message| (Exit::Usage, message);
    let job = named_job::find(jobs, &arguments.scenario).map_err(usage)?;
    let settings = settings::validated(&arguments.source).map_err(usage)?;
    let function = job.job(&JobArguments::default()).map_err(usage)?;
    let built = sameriver::build_graph(|env| function(env), &settings);
    let graph = built.map_err(|error: BuildError| usage(error.to_string()))?;
    print(&if arguments.dot {
        graph.to_graphviz()
    } else {
        graph.to_text()
    })
}
