//! Ends what is left of our processes if we are ended ourselves, whatever the signal was.
//!
//! Invariant: it is told of a process before anything is done with it, and of its end before its
//! number can be given to another one. It acts only when its input ends, which the system sees to
//! when this program is gone.
#![expect(clippy::disallowed_methods, reason = "real processes")]

use std::io::Write as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use super::Outcome;

/// Ignores what a terminal sends to all; kills whom it was told of when nobody talks any more.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
watched=
while read -r word number; do
    case $word in
    watch) watched="$watched $number" ;;
    forget)
        rest=
        for one in $watched; do
            [ "$one" = "$number" ] || rest="$rest $one"
        done
        watched=$rest
        ;;
    esac
done
for one in $watched; do
    kill -9 "$one" 2>/dev/null
done
"#;

/// A shell that outlives us if need be.
pub(super) struct Guard {
    shell: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    pub(super) fn start() -> Outcome<Self> {
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", SCRIPT]).stdin(Stdio::piped());
        let mut shell = shell
            .spawn()
            .map_err(|error| format!("no shell can be started: {error}"))?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }

    /// This process is ours.
    pub(super) fn watch(&mut self, process: u32) -> Outcome<()> {
        self.tell("watch", process)
    }

    /// This process has ended; call it before its number is released.
    pub(super) fn forget(&mut self, process: u32) -> Outcome<()> {
        self.tell("forget", process)
    }

    fn tell(&mut self, word: &str, process: u32) -> Outcome<()> {
        let input = self.input.as_mut().ok_or("the guard does not listen")?;
        let told = writeln!(input, "{word} {process}").and_then(|()| input.flush());
        told.map_err(|error| format!("the guard does not listen: {error}"))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends by itself; that it cannot be waited for would change nothing.
        let _ = self.shell.wait();
    }
}

/// Sends a signal to a process that was not waited for yet, so that the number is still its own.
pub(super) fn signal(name: &str, process: u32) -> Outcome<()> {
    let number = process.to_string();
    let mut shell = Command::new("sh");
    let sent = shell.args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &number]);
    match sent.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("SIG{name} to process {number}: {status}")),
        Err(error) => Err(format!("SIG{name} to process {number}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    /// A process that waits for an input that never comes.
    fn idle() -> Child {
        let mut idle = Command::new("sh");
        let idle = idle.args(["-c", "read -r _"]).stdin(Stdio::piped());
        idle.spawn().expect("a shell is there")
    }

    #[test]
    fn what_is_watched_is_killed_when_its_owner_is_gone_even_if_it_is_stopped() {
        let mut guard = Guard::start().expect("a shell is there");
        let [mut running, mut stopped, mut forgotten] = [idle(), idle(), idle()];
        for child in [&running, &stopped, &forgotten] {
            guard.watch(child.id()).expect("the guard listens");
        }
        guard.forget(forgotten.id()).expect("the guard listens");
        signal("STOP", stopped.id()).expect("it is ours");
        drop(guard);
        for child in [&mut running, &mut stopped] {
            let status = child.wait().expect("it is ours");
            assert_eq!(status.signal(), Some(9));
        }
        assert!(forgotten.try_wait().expect("it is ours").is_none());
        drop(forgotten.stdin.take());
        forgotten.wait().expect("it ends with its input");
    }
}
