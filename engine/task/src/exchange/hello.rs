//! The first bytes of a data connection, in both directions: plain, so that any version can read
//! them and say what does not fit.
//!
//! Invariant: no frame is read before both ends agreed on protocol, build and job.

use sameriver_model::{AttemptNumber, TaskManagerIndex};
use sameriver_runtime::io::{AsyncRead, AsyncReadExt};
use thiserror::Error;

/// What every data connection begins with.
pub(crate) const MAGIC: [u8; 8] = *b"samerdat";
/// The version of the frames behind it.
pub(crate) const PROTOCOL: u32 = 2;
/// Magic and version: equal in every version.
const PREFIX_BYTES: usize = 12;
/// The whole hello of this version.
pub(crate) const HELLO_BYTES: usize = 48;

/// Who speaks, and about which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    /// Names the build of the engine and the user's code.
    pub(crate) build: u64,
    /// The fingerprint of the job graph.
    pub(crate) fingerprint: u64,
    /// The attempt whose batches travel here.
    pub(crate) attempt: AttemptNumber,
    /// Who speaks.
    pub(crate) from: TaskManagerIndex,
    /// Who is meant.
    pub(crate) to: TaskManagerIndex,
}

/// Why the two ends do not fit.
#[derive(Debug, Error)]
pub(crate) enum HelloError {
    #[error("it broke before it said who speaks: {0}: check that the address is a data port")]
    Io(#[from] std::io::Error),
    #[error("it began with {0:02x?} instead of a hello: check that the address is a data port")]
    Magic([u8; 8]),
    #[error("it speaks protocol {theirs}, this node {PROTOCOL}: run one version on all nodes")]
    Protocol { theirs: u32 },
    #[error("its hello was damaged on the way: try again, and check the network")]
    Checksum,
    #[error("it was built as {theirs:016x}, this node as {ours:016x}: run one build on all nodes")]
    Build { theirs: u64, ours: u64 },
    #[error(
        "its job has fingerprint {theirs:016x}, this node's {ours:016x}: run one job function with \
         equal settings on all nodes"
    )]
    Fingerprint { theirs: u64, ours: u64 },
    #[error("it is {theirs} in attempt {attempt}, not {ours}: check the addresses of the nodes")]
    Peer {
        theirs: TaskManagerIndex,
        ours: TaskManagerIndex,
        attempt: AttemptNumber,
    },
    #[error("{peer} has a data connection of this attempt already: look for a second {peer}")]
    Repeated { peer: TaskManagerIndex },
}

impl Hello {
    /// The bytes: magic, version, build, fingerprint, attempt, from, to, CRC32C; little-endian.
    pub(crate) fn encode(&self) -> [u8; HELLO_BYTES] {
        let mut bytes = Vec::with_capacity(HELLO_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(PROTOCOL.to_le_bytes());
        bytes.extend(self.build.to_le_bytes());
        bytes.extend(self.fingerprint.to_le_bytes());
        bytes.extend(self.attempt.epoch().to_le_bytes());
        bytes.extend(self.attempt.ordinal().to_le_bytes());
        bytes.extend(self.from.get().to_le_bytes());
        bytes.extend(self.to.get().to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
            .try_into()
            .expect("the fields add up to the length of a hello")
    }

    /// Reads a hello; of another version only the prefix.
    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, HelloError> {
        let mut bytes = [0; HELLO_BYTES];
        stream.read_exact(&mut bytes[..MAGIC.len()]).await?;
        let magic: [u8; 8] = field(&bytes, 0);
        if magic != MAGIC {
            return Err(HelloError::Magic(magic));
        }
        let prefix = &mut bytes[MAGIC.len()..PREFIX_BYTES];
        stream.read_exact(prefix).await?;
        let theirs = u32::from_le_bytes(field(&bytes, 8));
        if theirs != PROTOCOL {
            return Err(HelloError::Protocol { theirs });
        }
        stream.read_exact(&mut bytes[PREFIX_BYTES..]).await?;
        let (body, crc) = bytes.split_at(HELLO_BYTES - 4);
        if crc != crc32c::crc32c(body).to_le_bytes() {
            return Err(HelloError::Checksum);
        }
        Ok(Self {
            build: u64::from_le_bytes(field(&bytes, 12)),
            fingerprint: u64::from_le_bytes(field(&bytes, 20)),
            attempt: AttemptNumber::of_epoch(
                u32::from_le_bytes(field(&bytes, 28)),
                u32::from_le_bytes(field(&bytes, 32)),
            ),
            from: TaskManagerIndex::new(u32::from_le_bytes(field(&bytes, 36))),
            to: TaskManagerIndex::new(u32::from_le_bytes(field(&bytes, 40))),
        })
    }

    /// Refuses a peer that runs other code; `self` is what this node would say.
    pub(crate) fn check(&self, peer: &Self) -> Result<(), HelloError> {
        if peer.build != self.build {
            return Err(HelloError::Build {
                theirs: peer.build,
                ours: self.build,
            });
        }
        if peer.fingerprint != self.fingerprint {
            return Err(HelloError::Fingerprint {
                theirs: peer.fingerprint,
                ours: self.fingerprint,
            });
        }
        if (peer.from, peer.attempt) != (self.to, self.attempt) {
            return Err(HelloError::Peer {
                theirs: peer.from,
                ours: self.to,
                attempt: peer.attempt,
            });
        }
        Ok(())
    }

    /// The same, said by the other end.
    pub(crate) fn answered(&self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            ..*self
        }
    }
}

/// The bytes of a field.
pub(crate) fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let field = &bytes[at..at + N];
    field.try_into().expect("the range has N bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_hello_is_what_is_written() {
        let hello = Hello {
            build: 0xB1,
            fingerprint: 0xF1,
            attempt: AttemptNumber::new(1),
            from: TaskManagerIndex::new(1),
            to: TaskManagerIndex::new(0),
        };
        let page =
            super::super::published("hello of tm1 to tm0, build `b1`, graph `f1`, attempt 1");
        assert_eq!(super::super::hex(&hello.encode()), page);
    }
}
