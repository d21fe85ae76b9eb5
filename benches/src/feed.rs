//! A server in this process that sends numbered lines by a fixed schedule.
//!
//! Invariant: a line is never sent before its instant, and the schedule never waits for the job: a
//! server that was held up sends what is due at once, and each line keeps its own instant.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the server stands outside the engine, as a user's would"
)]

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long the server sleeps at most when the next line is near.
const NAP_MAX: Duration = Duration::from_micros(200);
/// How many lines are written at once at most.
const LINES_AT_ONCE: u64 = 4096;

/// When each line arrives: line `k` at `start + k / rate`, or as fast as the job takes them.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Lines a second; `None` for no schedule.
    pub rate: Option<f64>,
    /// How many lines there are.
    pub lines: u64,
}

impl Schedule {
    /// The time from the start to line `k`.
    pub fn instant(self, k: u64) -> Duration {
        self.rate.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(k as f64 / rate)
        })
    }

    /// How many lines are due after `elapsed`.
    fn due(self, elapsed: Duration) -> u64 {
        let due = self
            .rate
            .map_or(u64::MAX, |rate| (elapsed.as_secs_f64() * rate) as u64 + 1);
        due.min(self.lines)
    }
}

/// The running server.
pub struct Feed {
    address: String,
    server: JoinHandle<io::Result<Instant>>,
}

impl Feed {
    /// Listens on this machine and waits, in a thread of its own, for one reader.
    ///
    /// # Errors
    /// Those of the operating system: no port or no thread.
    pub fn start(schedule: Schedule) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let server = thread::Builder::new()
            .name("feed".to_owned())
            .spawn(move || serve(&listener, schedule))?;
        Ok(Self { address, server })
    }

    /// Where to connect to.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Waits until all lines are sent, and tells the instant of the first.
    ///
    /// # Errors
    /// When the reader went away.
    ///
    /// # Panics
    /// If the server did.
    pub fn join(self) -> io::Result<Instant> {
        self.server.join().expect("the server does not panic")
    }
}

fn serve(listener: &TcpListener, schedule: Schedule) -> io::Result<Instant> {
    let (mut reader, _) = listener.accept()?;
    reader.set_nodelay(true)?;
    let start = Instant::now();
    let (mut sent, mut text) = (0, Vec::new());
    while sent < schedule.lines {
        let due = schedule.due(start.elapsed()).min(sent + LINES_AT_ONCE);
        if due > sent {
            send(&mut reader, sent..due, &mut text)?;
            sent = due;
        } else {
            let wait = schedule.instant(sent).saturating_sub(start.elapsed());
            thread::sleep(wait.min(NAP_MAX).max(Duration::from_micros(1)));
        }
    }
    Ok(start)
}

fn send(reader: &mut TcpStream, lines: std::ops::Range<u64>, text: &mut Vec<u8>) -> io::Result<()> {
    text.clear();
    for line in lines {
        writeln!(text, "{line}")?;
    }
    reader.write_all(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_from_its_instant_on() {
        let schedule = Schedule {
            rate: Some(10.0),
            lines: 100,
        };
        assert_eq!(schedule.due(Duration::from_millis(99)), 1);
        assert_eq!(schedule.due(Duration::from_millis(501)), 6);
        assert_eq!(schedule.instant(5), Duration::from_millis(500));
    }
}
