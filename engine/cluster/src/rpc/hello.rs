//! The first bytes of a control connection, plain, so that strangers and other releases are told
//! apart before anything is decoded.
//!
//! Invariant: the first 16 bytes (magic, version, number) keep their meaning in every version.
//! Knows nothing of the job: whether a task manager is admitted is decided by whoever asks.

use std::io;

use sameriver_control::{AdmissionError, Incarnation};
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::TimedOut;
use sameriver_runtime::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use thiserror::Error;

/// The first 8 bytes of both directions.
pub const MAGIC: [u8; 8] = *b"samerctl";
/// The version of hello, frames and messages that this code speaks.
pub const PROTOCOL_VERSION: u32 = 4;
/// The length of a hello and of its answer in bytes.
pub const HELLO_BYTES: usize = 40;

/// What two nodes must agree in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The code that runs.
    pub build: u64,
    /// The job graph that the code made.
    pub fingerprint: u64,
}

/// What a task manager says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Which task manager it is.
    pub task_manager: TaskManagerIndex,
    /// Which of its connections this is.
    pub incarnation: Incarnation,
    /// What it runs.
    pub identity: Identity,
}

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The job master.
    JobMaster,
    /// A task manager.
    TaskManager(TaskManagerIndex),
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::JobMaster => f.write_str("the job master"),
            Self::TaskManager(index) => write!(f, "task manager {index}"),
        }
    }
}

/// Why a job master turns away a task manager that runs the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The index is not one of the job's.
    #[error("its index is not one of the job's: mend the index or raise task_managers")]
    Unknown,
    /// The index is taken by a connection that is not older.
    #[error("another task manager has this index: give each its own")]
    Duplicate,
    /// The job does not take task managers now.
    #[error("the job does not wait for task managers now")]
    NotWaiting,
    /// Another job master leads.
    #[error("the job master stands by: another one leads")]
    StandingBy,
    /// The job has ended.
    #[error("the job is over")]
    Over,
}

impl From<AdmissionError> for Refusal {
    fn from(error: AdmissionError) -> Self {
        match error {
            AdmissionError::Unknown { .. } => Self::Unknown,
            AdmissionError::Duplicate { .. } => Self::Duplicate,
            AdmissionError::NotWaiting { .. } => Self::NotWaiting,
        }
    }
}

/// Why two nodes do not work together.
#[derive(Debug, Error)]
pub enum HelloError {
    /// Something else is at the other end.
    #[error(
        "the peer does not speak the control protocol (it begins with {found:02x?}): check the \
         address"
    )]
    OtherMagic {
        /// Its first bytes.
        found: [u8; 8],
    },
    /// Another release.
    #[error(
        "{peer} speaks version {theirs} of the control protocol, this node version {ours}: run one \
         release on all nodes"
    )]
    OtherVersion {
        /// Who.
        peer: Peer,
        /// Its version.
        theirs: u32,
        /// Our version.
        ours: u32,
    },
    /// Another binary.
    #[error(
        "{peer} runs another build ({theirs:016x}, this node {ours:016x}): start the same binary \
         on all nodes"
    )]
    OtherBuild {
        /// Who.
        peer: Peer,
        /// Its build.
        theirs: u64,
        /// Our build.
        ours: u64,
    },
    /// The same binary with another job.
    #[error(
        "{peer} runs another job graph ({theirs:016x}, this node {ours:016x}): give the job \
         function the same arguments and settings on all nodes"
    )]
    OtherGraph {
        /// Who.
        peer: Peer,
        /// The fingerprint of its graph.
        theirs: u64,
        /// The fingerprint of our graph.
        ours: u64,
    },
    /// The job master turns this task manager away.
    #[error("the job master refuses task manager {task_manager}: {reason}")]
    Refused {
        /// Who was refused.
        task_manager: TaskManagerIndex,
        /// Why.
        reason: Refusal,
    },
    /// The peer closed the connection before it had said its hello.
    #[error("the connection ended after {bytes} of {HELLO_BYTES} bytes of the hello")]
    Truncated {
        /// How many bytes came.
        bytes: usize,
    },
    /// The answer is none that this version knows.
    #[error(
        "the job master answered with the unknown verdict {code}: run one release on all nodes"
    )]
    UnknownVerdict {
        /// The verdict.
        code: u32,
    },
    /// The peer is silent.
    #[error("the peer has not said its hello: {0}")]
    TimedOut(#[from] TimedOut),
    /// The connection broke.
    #[error("the connection broke during the hello: {0}")]
    Io(#[from] io::Error),
}

impl HelloError {
    /// The task manager that is at the other end, as far as it has said so.
    pub fn task_manager(&self) -> Option<TaskManagerIndex> {
        match self {
            Self::OtherVersion { peer, .. }
            | Self::OtherBuild { peer, .. }
            | Self::OtherGraph { peer, .. } => match peer {
                Peer::TaskManager(index) => Some(*index),
                Peer::JobMaster => None,
            },
            Self::OtherMagic { .. }
            | Self::Refused { .. }
            | Self::Truncated { .. }
            | Self::UnknownVerdict { .. }
            | Self::TimedOut(_)
            | Self::Io(_) => None,
        }
    }

    /// The verdict by which the peer learns of a mismatch; `None` if there is nobody to tell.
    fn verdict(&self) -> Option<u32> {
        match self {
            Self::OtherMagic { .. } => Some(verdict::OTHER_MAGIC),
            Self::OtherVersion { .. } => Some(verdict::OTHER_VERSION),
            Self::OtherBuild { .. } => Some(verdict::OTHER_BUILD),
            Self::OtherGraph { .. } => Some(verdict::OTHER_GRAPH),
            Self::Refused { reason, .. } => Some(verdict::of(*reason)),
            Self::Truncated { .. }
            | Self::UnknownVerdict { .. }
            | Self::TimedOut(_)
            | Self::Io(_) => None,
        }
    }
}

/// The numbers of the answer.
mod verdict {
    use super::Refusal;

    pub(super) const WELCOME: u32 = 0;
    pub(super) const OTHER_MAGIC: u32 = 1;
    pub(super) const OTHER_VERSION: u32 = 2;
    pub(super) const OTHER_BUILD: u32 = 3;
    pub(super) const OTHER_GRAPH: u32 = 4;
    pub(super) const UNKNOWN: u32 = 5;
    pub(super) const DUPLICATE: u32 = 6;
    pub(super) const NOT_WAITING: u32 = 7;
    pub(super) const STANDING_BY: u32 = 8;
    pub(super) const OVER: u32 = 9;

    pub(super) const fn of(refusal: Refusal) -> u32 {
        match refusal {
            Refusal::Unknown => UNKNOWN,
            Refusal::Duplicate => DUPLICATE,
            Refusal::NotWaiting => NOT_WAITING,
            Refusal::StandingBy => STANDING_BY,
            Refusal::Over => OVER,
        }
    }
}

/// Says hello to a job master and reads its answer.
///
/// # Errors
/// [`HelloError`]; whoever is at the other end has been told as well, if it can be.
pub async fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    hello: Hello,
) -> Result<(), HelloError> {
    let number = hello.task_manager.get();
    let bytes = layout(
        PROTOCOL_VERSION,
        number,
        hello.identity,
        hello.incarnation.get(),
    );
    // A master that has refused us already may have closed: its answer says why.
    let sent = stream.write_all(&bytes).await;
    let flushed = stream.flush().await;
    let mut front = [0; 16];
    read_part(stream, &mut front, 0).await?;
    sent.and(flushed)?;
    let (version, code) = open_front(front, Peer::JobMaster)?;
    let mut back = [0; BACK_BYTES];
    read_part(stream, &mut back, front.len()).await?;
    let (theirs, _) = open_back(back);
    match code {
        verdict::WELCOME | verdict::OTHER_BUILD | verdict::OTHER_GRAPH => {
            compare(Peer::JobMaster, theirs, hello.identity)
        }
        verdict::UNKNOWN => Err(refused(hello, Refusal::Unknown)),
        verdict::DUPLICATE => Err(refused(hello, Refusal::Duplicate)),
        verdict::NOT_WAITING => Err(refused(hello, Refusal::NotWaiting)),
        verdict::STANDING_BY => Err(refused(hello, Refusal::StandingBy)),
        verdict::OVER => Err(refused(hello, Refusal::Over)),
        verdict::OTHER_VERSION => Err(HelloError::OtherVersion {
            peer: Peer::JobMaster,
            theirs: version,
            ours: PROTOCOL_VERSION,
        }),
        code => Err(HelloError::UnknownVerdict { code }),
    }
}

/// Reads the hello of a task manager and answers it if the two do not match; if they do, the caller
/// answers by [`welcome`] or [`refuse`].
///
/// # Errors
/// [`HelloError`]; whoever is at the other end has been told as well, if it can be.
pub async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    ours: Identity,
) -> Result<Hello, HelloError> {
    let received = read_hello(stream, ours).await;
    if let Err(error) = &received
        && let Some(code) = error.verdict()
    {
        // What was found counts more than whether the peer still listens.
        let _ = answer(stream, code, ours).await;
        let _ = stream.shutdown().await;
    }
    received
}

/// Reads and forgets what a refused peer still sends, until it closes: a connection that is closed
/// with unread bytes is reset, and the answer with it. Give it a time limit.
pub async fn drain<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut waste = [0; 256];
    while let Ok(1..) = stream.read(&mut waste).await {}
}

/// Admits a task manager: frames follow.
///
/// # Errors
/// [`HelloError::Io`] when the connection broke.
pub async fn welcome<S: AsyncWrite + Unpin>(
    stream: &mut S,
    ours: Identity,
) -> Result<(), HelloError> {
    answer(stream, verdict::WELCOME, ours).await
}

/// Turns a task manager away: nothing follows.
///
/// # Errors
/// [`HelloError::Io`] when the connection broke.
pub async fn refuse<S: AsyncWrite + Unpin>(
    stream: &mut S,
    ours: Identity,
    reason: Refusal,
) -> Result<(), HelloError> {
    answer(stream, verdict::of(reason), ours).await?;
    Ok(stream.shutdown().await?)
}

async fn answer<S: AsyncWrite + Unpin>(
    stream: &mut S,
    code: u32,
    ours: Identity,
) -> Result<(), HelloError> {
    let bytes = layout(PROTOCOL_VERSION, code, ours, 0);
    stream.write_all(&bytes).await?;
    Ok(stream.flush().await?)
}

async fn read_hello<S: AsyncRead + Unpin>(
    stream: &mut S,
    ours: Identity,
) -> Result<Hello, HelloError> {
    let mut front = [0; 16];
    read_part(stream, &mut front, 0).await?;
    let number = u32::from_le_bytes(part(&front, 12));
    let task_manager = TaskManagerIndex::new(number);
    open_front(front, Peer::TaskManager(task_manager))?;
    let mut back = [0; BACK_BYTES];
    read_part(stream, &mut back, front.len()).await?;
    let (identity, incarnation) = open_back(back);
    compare(Peer::TaskManager(task_manager), identity, ours)?;
    Ok(Hello {
        task_manager,
        incarnation: Incarnation::new(incarnation),
        identity,
    })
}

fn refused(hello: Hello, reason: Refusal) -> HelloError {
    let task_manager = hello.task_manager;
    HelloError::Refused {
        task_manager,
        reason,
    }
}

/// The bytes behind those that keep their meaning.
const BACK_BYTES: usize = HELLO_BYTES - 16;

/// Magic, version, number (the task manager's index, or the verdict), build, fingerprint,
/// incarnation (0 in an answer).
fn layout(version: u32, number: u32, identity: Identity, incarnation: u64) -> [u8; HELLO_BYTES] {
    let mut bytes = [0; HELLO_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    bytes[12..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..24].copy_from_slice(&identity.build.to_le_bytes());
    bytes[24..32].copy_from_slice(&identity.fingerprint.to_le_bytes());
    bytes[32..].copy_from_slice(&incarnation.to_le_bytes());
    bytes
}

/// Version and number of the first half.
fn open_front(front: [u8; 16], peer: Peer) -> Result<(u32, u32), HelloError> {
    let found = part(&front, 0);
    if found != MAGIC {
        return Err(HelloError::OtherMagic { found });
    }
    let theirs = u32::from_le_bytes(part(&front, 8));
    if theirs != PROTOCOL_VERSION {
        let ours = PROTOCOL_VERSION;
        return Err(HelloError::OtherVersion { peer, theirs, ours });
    }
    Ok((theirs, u32::from_le_bytes(part(&front, 12))))
}

fn open_back(back: [u8; BACK_BYTES]) -> (Identity, u64) {
    let identity = Identity {
        build: u64::from_le_bytes(part(&back, 0)),
        fingerprint: u64::from_le_bytes(part(&back, 8)),
    };
    (identity, u64::from_le_bytes(part(&back, 16)))
}

fn compare(peer: Peer, theirs: Identity, ours: Identity) -> Result<(), HelloError> {
    if theirs.build != ours.build {
        let (theirs, ours) = (theirs.build, ours.build);
        return Err(HelloError::OtherBuild { peer, theirs, ours });
    }
    if theirs.fingerprint != ours.fingerprint {
        let (theirs, ours) = (theirs.fingerprint, ours.fingerprint);
        return Err(HelloError::OtherGraph { peer, theirs, ours });
    }
    Ok(())
}

fn part<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let part = bytes[from..from + N].try_into();
    part.expect("the parts of a hello have fixed places")
}

/// Fills `into`; `before` bytes of the hello came already.
async fn read_part<S: AsyncRead + Unpin>(
    stream: &mut S,
    into: &mut [u8],
    before: usize,
) -> Result<(), HelloError> {
    let mut filled = 0;
    while filled < into.len() {
        match stream.read(&mut into[filled..]).await? {
            0 => {
                let bytes = before + filled;
                return Err(HelloError::Truncated { bytes });
            }
            count => filled += count,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
