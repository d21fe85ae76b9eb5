//! Starts the binary in a folder of its own, and keeps what it wrote.
//!
//! Invariant: nothing of the caller's surroundings reaches the program but the words given to it;
//! every folder is new and is removed with its [`Folder`].
#![expect(
    clippy::disallowed_methods,
    reason = "a shell's view: real files and real processes"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The top folder of the repository.
pub(crate) fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("the crate lies in the top folder")
        .into()
}

/// A text of the repository.
pub(crate) fn text(path: &str) -> String {
    let path = top().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A new folder, in which programs are started.
pub(crate) struct Folder(PathBuf);

/// A program that runs; it is killed if it is left alone.
pub(crate) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    /// The next line on stderr that has this text; fails if the program ends before.
    pub(crate) fn line_with(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stderr.read_line(&mut line);
            let bytes = read.expect("our own words are UTF-8");
            assert_ne!(bytes, 0, "no `{text}` in {}", self.said);
            self.said.push_str(&line);
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it ends");
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(mut self) -> Ended {
        let mut said = std::mem::take(&mut self.said);
        let read = self.stderr.read_to_string(&mut said);
        read.expect("our own words are UTF-8");
        let mut stdout = String::new();
        let mut out = self.child.stdout.take().expect("it is a pipe");
        out.read_to_string(&mut stdout)
            .expect("our own words are UTF-8");
        let status = self.child.wait().expect("it ends");
        Ended {
            code: status.code(),
            stdout,
            stderr: said,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, or nobody waits for it any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("our own words are UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("shell-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Self(path)
    }

    /// A new folder that every user may enter, unlike the target folder of some.
    pub(crate) fn of_everybody() -> Self {
        let own = Self::new();
        let name = own.0.file_name().expect("it was given one");
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("the folder of temporary files can be written");
        let folder = Self(path);
        folder.permit(".", 0o755);
        folder
    }

    /// Sets who may do what with a file.
    pub(crate) fn permit(&self, name: &str, mode: u32) {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path(name), mode).expect("the file is ours");
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).expect("a folder of ours can be written");
    }

    pub(crate) fn make(&self, folder: &str) {
        fs::create_dir_all(self.path(folder)).expect("a folder of ours can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names in a folder, in ascending order.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder of ours can be read");
        let names = entries.map(|entry| entry.expect("an entry can be read").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        names.sort();
        names
    }

    /// Runs `sameriver` with these words, separated by spaces.
    pub(crate) fn run(&self, words: &str) -> Ended {
        self.run_with(words, &[])
    }

    /// Runs `sameriver` with these words and environment variables.
    pub(crate) fn run_with(&self, words: &str, variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command(words);
        let output = command.envs(variables.iter().copied()).output();
        Ended::of(output.expect("the binary can be started"))
    }

    /// Starts `sameriver` with these words and environment variables, and does not wait for it.
    pub(crate) fn start(&self, words: &str, variables: &[(&str, &str)]) -> Running {
        let mut command = self.command(words);
        let mut child = command
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
        Running {
            child,
            stderr,
            said: String::new(),
        }
    }

    /// Runs `sameriver` as a user without privileges: nothing is unreadable to the superuser.
    ///
    /// The folder must be one [of everybody](Self::of_everybody).
    pub(crate) fn run_unprivileged(&self, words: &str) -> Ended {
        const NOBODY: u32 = 65_534;
        let program = self.path("sameriver");
        fs::copy(env!("CARGO_BIN_EXE_sameriver"), &program).expect("there is room for a copy");
        self.permit("sameriver", 0o755);
        let mut command = self.command_of(&program, words);
        let owner = fs::metadata(&program).expect("it was just made").uid();
        if owner == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        Ended::of(command.output().expect("the binary can be started"))
    }

    /// Runs `sameriver` with a terminal where its stderr goes; the control characters are in it.
    pub(crate) fn run_on_terminal(&self, words: &str) -> Ended {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY);
        let terminal = terminal.expect("there are pseudo terminals");
        grantpt(&terminal)
            .and_then(|()| unlockpt(&terminal))
            .expect("it is ours");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name");
        let name = name.into_string().expect("it is a path in ASCII");
        let no_controller = rustix::fs::OFlags::NOCTTY.bits().cast_signed();
        let screen = fs::File::options()
            .read(true)
            .write(true)
            .custom_flags(no_controller)
            .open(name)
            .expect("the other end can be opened");
        let mut command = self.command(words);
        command.env("TERM", "xterm").stdout(Stdio::piped());
        let mut child = command
            .stderr(screen)
            .spawn()
            .expect("the binary can be started");
        // The last other end goes with the program.
        drop(command);
        let mut shown = Vec::new();
        // Reading fails when nobody has the other end any more.
        let _ = fs::File::from(terminal).read_to_end(&mut shown);
        let mut stdout = String::new();
        let mut out = child.stdout.take().expect("it is a pipe");
        out.read_to_string(&mut stdout)
            .expect("our own words are UTF-8");
        let status = child.wait().expect("it ends");
        Ended {
            code: status.code(),
            stdout,
            stderr: String::from_utf8_lossy(&shown).into_owned(),
        }
    }

    /// Changes one byte in the middle of a file.
    pub(crate) fn damage(&self, name: &str) {
        let mut bytes = fs::read(self.path(name)).expect("a file of ours can be read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        self.write(name, bytes);
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("a file of ours can be removed");
    }

    /// Runs `sameriver` for a reader that takes its first byte and goes away, as `head -c 1` does.
    pub(crate) fn run_for_short_reader(&self, words: &str) -> Ended {
        let mut command = self.command(words);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be started");
        let mut byte = [0];
        let mut out = child.stdout.take().expect("it is a pipe");
        out.read_exact(&mut byte).expect("it writes something");
        drop(out);
        let output = child.wait_with_output().expect("the binary ends");
        Ended {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).expect("our own words are UTF-8"),
        }
    }

    /// Runs `sameriver` with its results going to a file.
    pub(crate) fn run_into(&self, words: &str, file: &Path) -> Ended {
        let file = fs::File::options().write(true).open(file);
        let file = file.expect("the file may be opened");
        let output = self.command(words).stdout(file).output();
        let output = output.expect("the binary can be started");
        Ended {
            code: output.status.code(),
            stdout: String::new(),
            stderr: String::from_utf8(output.stderr).expect("our own words are UTF-8"),
        }
    }

    fn command(&self, words: &str) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_sameriver")), words)
    }

    fn command_of(&self, program: &Path, words: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(words.split_whitespace())
            .current_dir(&self.0)
            .stdin(Stdio::null())
            .env_remove("RUST_LOG")
            // A panic would show itself at length.
            .env("RUST_BACKTRACE", "1");
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in the target folder does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}
