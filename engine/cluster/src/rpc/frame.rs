//! Frames of the control protocol: limited in length, checked, numbered.
//!
//! Invariant: a message is handed out only if every byte of its frame is as it was sent and no
//! frame before it is missing. The header has a checksum of its own, so that a damaged length is
//! seen at once and never waited for.

use std::io;

use sameriver_model::codec::wire::{self, WireError};
use sameriver_runtime::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Length (u32), sequence (u64) and their CRC32C (u32), all little-endian.
pub const HEADER_BYTES: usize = 16;
/// CRC32C of the payload, behind it.
pub const TRAILER_BYTES: usize = 4;

/// A frame that cannot be sent, or must not be believed.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The peer announces more than it may send.
    #[error(
        "frame {sequence} announces {bytes} bytes, the limit is {limit}: raise \
         control_frame_bytes on all nodes, or distrust the peer"
    )]
    Announced {
        /// The frame's number.
        sequence: u64,
        /// The announced length of the payload in bytes.
        bytes: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// Our own message is too long.
    #[error(
        "message {message} has {bytes} bytes, the limit is {limit}: raise control_frame_bytes \
         on all nodes, or make fewer or smaller splits"
    )]
    TooLong {
        /// The type of the message.
        message: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: u32,
    },
    /// A frame is missing or repeated.
    #[error(
        "frame {found} came where {expected} was expected: the connection lost its order: run one \
         version on all nodes"
    )]
    Sequence {
        /// The number that was due.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// Bytes changed on their way.
    #[error(
        "{part} of frame {sequence} is damaged: its CRC32C is {found:08x}, not {expected:08x}: \
         check the network"
    )]
    Damaged {
        /// `header` or `payload`.
        part: &'static str,
        /// The number of the frame that was due.
        sequence: u64,
        /// The checksum that came with it.
        expected: u32,
        /// The checksum of what came.
        found: u32,
    },
    /// The connection ended inside a frame.
    #[error(
        "the connection ended inside frame {sequence}, {missing} bytes before its end: check the \
         node at the other end"
    )]
    Truncated {
        /// The number of the frame that was due.
        sequence: u64,
        /// How many bytes are missing, as far as it is known.
        missing: usize,
    },
    /// The payload is none of the messages.
    #[error(
        "frame {sequence} holds no message that this node knows: {cause}: run one version on all \
         nodes"
    )]
    Undecodable {
        /// The frame's number.
        sequence: u64,
        /// What the codec reports.
        cause: WireError,
    },
    /// A message cannot be turned into bytes.
    #[error("a message cannot be sent: {0}: report this, it is a bug")]
    Unencodable(WireError),
    /// The connection broke.
    #[error("the connection broke: {0}: check the network and the node at the other end")]
    Io(#[from] io::Error),
}

/// Sends messages as frames.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
    frame_bytes: u32,
    sequence: u64,
    buffer: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// Numbers frames from 0 and sends none with a payload above `frame_bytes` bytes.
    pub fn new(stream: W, frame_bytes: u32) -> Self {
        Self {
            stream,
            frame_bytes,
            sequence: 0,
            buffer: Vec::new(),
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`FrameError`] when it is too long, cannot be encoded, or the connection broke.
    ///
    /// # Cancel safety
    /// None: part of the frame may be out.
    pub async fn write<M: Serialize>(&mut self, message: &M) -> Result<(), FrameError> {
        let (buffer, limit) = (&mut self.buffer, self.frame_bytes);
        buffer.clear();
        buffer.resize(HEADER_BYTES, 0);
        wire::encode_into(message, buffer).map_err(FrameError::Unencodable)?;
        let bytes = buffer.len() - HEADER_BYTES;
        let length = u32::try_from(bytes).ok().filter(|length| *length <= limit);
        let length = length.ok_or(FrameError::TooLong {
            message: std::any::type_name::<M>(),
            bytes,
            limit,
        })?;
        let crc = crc32c::crc32c(&buffer[HEADER_BYTES..]);
        buffer.extend_from_slice(&crc.to_le_bytes());
        buffer[..4].copy_from_slice(&length.to_le_bytes());
        buffer[4..12].copy_from_slice(&self.sequence.to_le_bytes());
        let crc = crc32c::crc32c(&buffer[..12]);
        buffer[12..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        self.sequence += 1;
        self.stream.write_all(buffer).await?;
        Ok(self.stream.flush().await?)
    }

    /// Ends this direction: the peer reads to the last frame and then sees the end.
    ///
    /// # Errors
    /// [`FrameError::Io`] when the connection broke.
    pub async fn shutdown(&mut self) -> Result<(), FrameError> {
        Ok(self.stream.shutdown().await?)
    }
}

/// Receives messages from frames.
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    frame_bytes: u32,
    sequence: u64,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Expects frames numbered from 0 and refuses payloads above `frame_bytes` bytes.
    pub fn new(stream: R, frame_bytes: u32) -> Self {
        Self {
            stream,
            frame_bytes,
            sequence: 0,
            buffer: Vec::new(),
        }
    }

    /// Receives one message; `None` when the peer has ended its direction between two frames.
    ///
    /// # Errors
    /// [`FrameError`]; the connection is of no use afterwards.
    ///
    /// # Cancel safety
    /// None: part of a frame may be taken off the connection.
    pub async fn read<M: DeserializeOwned>(&mut self) -> Result<Option<M>, FrameError> {
        if !self.fill(HEADER_BYTES).await? {
            return Ok(None);
        }
        let length = self.open_header()?;
        let sequence = self.sequence;
        let missing = length + TRAILER_BYTES;
        if !self.fill(missing).await? {
            return Err(FrameError::Truncated { sequence, missing });
        }
        let (payload, trailer) = self.buffer.split_at(length);
        check("payload", sequence, payload, trailer)?;
        let message = wire::decode(payload);
        let message = message.map_err(|cause| FrameError::Undecodable { sequence, cause })?;
        self.sequence += 1;
        Ok(Some(message))
    }

    /// Checks the header in the buffer and answers the length of the payload.
    fn open_header(&self) -> Result<usize, FrameError> {
        let header = self.buffer.as_slice();
        check("header", self.sequence, &header[..12], &header[12..])?;
        let sequence = u64::from_le_bytes(array(&header[4..12]));
        if sequence != self.sequence {
            return Err(FrameError::Sequence {
                expected: self.sequence,
                found: sequence,
            });
        }
        let (bytes, limit) = (u32::from_le_bytes(array(&header[..4])), self.frame_bytes);
        if bytes > limit {
            return Err(FrameError::Announced {
                sequence,
                bytes,
                limit,
            });
        }
        Ok(bytes as usize)
    }

    /// Fills the buffer with exactly `length` bytes; false if the connection ended before the first
    /// of them. The buffer grows with what comes, not with what is announced.
    async fn fill(&mut self, length: usize) -> Result<bool, FrameError> {
        self.buffer.clear();
        let mut part = (&mut self.stream).take(length as u64);
        part.read_to_end(&mut self.buffer).await?;
        let missing = length - self.buffer.len();
        if missing == 0 {
            return Ok(true);
        }
        if self.buffer.is_empty() {
            return Ok(false);
        }
        let sequence = self.sequence;
        Err(FrameError::Truncated { sequence, missing })
    }
}

fn check(
    part: &'static str,
    sequence: u64,
    bytes: &[u8],
    checksum: &[u8],
) -> Result<(), FrameError> {
    let (expected, found) = (u32::from_le_bytes(array(checksum)), crc32c::crc32c(bytes));
    if expected == found {
        return Ok(());
    }
    Err(FrameError::Damaged {
        part,
        sequence,
        expected,
        found,
    })
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes
        .try_into()
        .expect("the caller cuts out exactly the bytes of the number")
}

#[cfg(test)]
mod tests;
