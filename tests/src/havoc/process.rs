//! One process of the cluster: started, listened to, signalled, ended.
//!
//! Invariant: every line that it writes goes to a file and to the fleet, in order; after its end
//! all of its lines are there. It is killed when it is dropped.
#![expect(
    clippy::disallowed_methods,
    reason = "real processes, and a thread that listens to each"
)]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use super::Outcome;
use super::guard::signal;
use super::seen::Life;

/// What is heard of processes.
pub(super) enum Heard {
    /// One has written a line to its standard error.
    Said(Life, String),
    /// One will write no more.
    Silent(Life),
}

/// A process that runs, is stopped, or was not waited for yet.
pub(super) struct Process {
    child: Child,
    listener: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `binary` with these words in `folder`; what it writes goes to `NAME.log` there.
    pub(super) fn start(
        binary: &Path,
        folder: &Path,
        words: &[String],
        life: Life,
        hearers: Sender<Heard>,
    ) -> Outcome<Self> {
        let log = create(&folder.join(format!("{life}.log")))?;
        let results = create(&folder.join(format!("{life}.out")))?;
        let mut command = Command::new(binary);
        command
            .args(words)
            .current_dir(folder)
            .env("RUST_LOG", "info")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(results)
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", binary.display()))?;
        let errors = child.stderr.take();
        let listener = errors.map(|errors| {
            std::thread::spawn(move || {
                listen(errors, log, life, &hearers);
            })
        });
        Ok(Self { child, listener })
    }

    /// The number that the system gave it.
    pub(super) fn number(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL. Its number is its own until it is waited for.
    pub(super) fn kill(&mut self) -> Outcome<()> {
        let killed = self.child.kill();
        killed.map_err(|error| format!("process {} cannot be killed: {error}", self.number()))
    }

    /// SIGSTOP.
    pub(super) fn freeze(&self) -> Outcome<()> {
        signal("STOP", self.number())
    }

    /// SIGCONT.
    pub(super) fn thaw(&self) -> Outcome<()> {
        signal("CONT", self.number())
    }

    /// Waits until it has ended and everything that it said was passed on.
    pub(super) fn wait(&mut self) -> Outcome<ExitStatus> {
        let status = self.child.wait();
        if let Some(listener) = self.listener.take() {
            listener
                .join()
                .map_err(|_| "a listener has panicked".to_owned())?;
        }
        status.map_err(|error| format!("a process cannot be waited for: {error}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, or nobody waits for it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn create(path: &Path) -> Outcome<File> {
    File::create(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Passes on what a process says, until its end.
fn listen(errors: ChildStderr, mut log: File, life: Life, hearers: &Sender<Heard>) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    loop {
        line.clear();
        match errors.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let said = String::from_utf8_lossy(&line).trim_end().to_owned();
        // A fleet that is gone hears nothing; the file is for people, who see that it ends.
        let _ = hearers.send(Heard::Said(life, said));
        let _ = log.write_all(&line);
    }
    let _ = hearers.send(Heard::Silent(life));
}
