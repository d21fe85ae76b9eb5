//! Other processes of this binary: what they say, and when.
//!
//! Invariant: a line gets its instant when this process reads it, so that all instants are of one
//! clock. No process outlives its owner.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the processes of a cluster stand outside of any world"
)]

use std::io::{self, BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A line that a process wrote.
#[derive(Clone, Debug)]
pub struct Said {
    /// The number of the process, in the order in which they were started.
    pub process: usize,
    /// When it was read here.
    pub at: Instant,
    /// The line.
    pub line: String,
}

/// How a process is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// It is gone, and its connections with it.
    Kill,
    /// It stands still; its connections stay.
    Stop,
}

/// Processes of this binary.
pub struct Processes {
    children: Vec<Child>,
    says: Sender<Said>,
    said: Receiver<Said>,
    /// All lines so far, for whoever wants to know why nothing came.
    pub log: Vec<Said>,
}

impl Default for Processes {
    fn default() -> Self {
        let (says, said) = channel();
        Self {
            children: Vec::new(),
            says,
            said,
            log: Vec::new(),
        }
    }
}

impl Processes {
    /// Starts another one; gives its number.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn start(&mut self, arguments: &[String]) -> io::Result<usize> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let process = self.children.len();
        let (out, err) = (child.stdout.take(), child.stderr.take());
        self.children.push(child);
        if let Some(out) = out {
            self.listen(process, out)?;
        }
        if let Some(err) = err {
            self.listen(process, err)?;
        }
        Ok(process)
    }

    fn listen(&self, process: usize, pipe: impl Read + Send + 'static) -> io::Result<()> {
        let says = self.says.clone();
        let listener = thread::Builder::new().name(format!("listens to {process}"));
        listener.spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let at = Instant::now();
                if says.send(Said { process, at, line }).is_err() {
                    return;
                }
            }
        })?;
        Ok(())
    }

    /// Waits for a line that `is_it`; what else is said meanwhile is kept in the log. `None` when
    /// nothing came in time.
    pub fn wait_for(&mut self, within: Duration, is_it: impl Fn(&Said) -> bool) -> Option<Said> {
        let until = Instant::now() + within;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.said.recv_timeout(left) {
                Ok(said) => {
                    self.log.push(said.clone());
                    if is_it(&said) {
                        return Some(said);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Strikes a process; gives the instant before.
    ///
    /// # Errors
    /// Those of the operating system: the process had ended.
    pub fn strike(&mut self, process: usize, blow: Blow) -> io::Result<Instant> {
        let child = &mut self.children[process];
        let at = Instant::now();
        match blow {
            Blow::Kill => child.kill()?,
            Blow::Stop => {
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let pid = pid.ok_or(io::ErrorKind::NotFound)?;
                kill_process(pid, Signal::STOP)?;
            }
        }
        Ok(at)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that has ended already needs no signal.
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}
