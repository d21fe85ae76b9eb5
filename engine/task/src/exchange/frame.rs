//! Frames of a data connection: one element of one channel, or credit for it.
//!
//! Invariant: the header is checked before its length is believed, so a damaged or hostile length
//! neither allocates memory nor makes anybody wait. Frames of a channel are numbered from zero in
//! each direction. `docs/formats.md` publishes the layout.

use sameriver_model::{ChannelId, EdgeId, SubtaskIndex};
use sameriver_runtime::io::{AsyncRead, AsyncReadExt};
use thiserror::Error;

use super::hello::field;

/// Length, kind, channel, sequence number, and the checksums of payload and header.
pub(crate) const HEADER_BYTES: usize = 33;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A batch in the encoding of its edge.
    Batch,
    /// A watermark: i64 milliseconds.
    Watermark,
    /// The channel is idle.
    Idle,
    /// The channel is active again.
    Active,
    /// No record and no watermark follows on the channel; barriers may.
    End,
    /// The receiver takes so many batches more: u32.
    Credit,
    /// A cut of the stream: u64, the checkpoint.
    Barrier,
    /// Nothing at all follows on the channel: its sender was released.
    Close,
}

impl FrameKind {
    const ALL: [(u8, Self); 8] = [
        (1, Self::Batch),
        (2, Self::Watermark),
        (3, Self::Idle),
        (4, Self::Active),
        (5, Self::End),
        (6, Self::Credit),
        (7, Self::Barrier),
        (8, Self::Close),
    ];

    /// Whether a frame may come behind [`End`](Self::End).
    pub(crate) fn may_follow_the_end(self) -> bool {
        matches!(self, Self::Barrier | Self::Close)
    }

    fn number(self) -> u8 {
        let pair = Self::ALL.iter().find(|(_, kind)| *kind == self);
        pair.expect("the table has every kind").0
    }

    fn of(number: u8) -> Option<Self> {
        let pair = Self::ALL.iter().find(|(own, _)| *own == number);
        pair.map(|(_, kind)| *kind)
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// What the frame carries.
    pub(crate) kind: FrameKind,
    /// The channel that it belongs to.
    pub(crate) channel: ChannelId,
    /// Its number in this channel and direction.
    pub(crate) sequence: u64,
}

/// Why a frame cannot be read or written.
#[derive(Debug, Error)]
pub(crate) enum FrameError {
    #[error("{0}: check the network and the node at the other end")]
    Io(#[from] std::io::Error),
    #[error("it ended inside the {part} of a frame: check the node at the other end")]
    Truncated { part: &'static str },
    #[error("the {part} of a frame was damaged on the way: check the network")]
    Checksum { part: &'static str },
    #[error("a frame has the unknown kind {0}: run one version on all nodes")]
    Kind(u8),
    #[error(
        "a frame of channel {channel} has {bytes} bytes, above frame_bytes {limit}: lower \
         batch_records, or raise frame_bytes on all nodes"
    )]
    TooLong {
        channel: ChannelId,
        bytes: u64,
        limit: u32,
    },
    #[error("frame {found} of channel {channel} came in place of {expected}: check the network")]
    Sequence {
        channel: ChannelId,
        found: u64,
        expected: u64,
    },
    #[error(
        "a frame of channel {channel} has a payload of {bytes} bytes, which does not fit: run one \
         version on all nodes"
    )]
    Payload { channel: ChannelId, bytes: usize },
    #[error(
        "a frame belongs to {channel}, which is no open channel here: look at the log of the node \
         at the other end"
    )]
    Channel { channel: ChannelId },
    #[error(
        "a {kind:?} frame of channel {channel} came after its end: run one version on all nodes"
    )]
    AfterEnd { channel: ChannelId, kind: FrameKind },
    #[error("a batch of channel {channel} came without credit: run one version on all nodes")]
    NoCredit { channel: ChannelId },
}

/// Appends a frame to `out`: first an empty header, then what `payload` appends.
pub(crate) fn encode<E>(
    header: FrameHeader,
    limit: u32,
    out: &mut Vec<u8>,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<FrameError>,
{
    let start = out.len();
    out.resize(start + HEADER_BYTES, 0);
    payload(out)?;
    let (head, payload) = out[start..].split_at_mut(HEADER_BYTES);
    let bytes = payload.len() as u64;
    let length = u32::try_from(bytes).unwrap_or(u32::MAX);
    let channel = header.channel;
    if bytes > u64::from(limit) {
        let too_long = FrameError::TooLong {
            channel,
            bytes,
            limit,
        };
        return Err(too_long.into());
    }
    head[0..4].copy_from_slice(&length.to_le_bytes());
    head[4] = header.kind.number();
    head[5..9].copy_from_slice(&channel.edge.get().to_le_bytes());
    head[9..13].copy_from_slice(&channel.from.get().to_le_bytes());
    head[13..17].copy_from_slice(&channel.to.get().to_le_bytes());
    head[17..25].copy_from_slice(&header.sequence.to_le_bytes());
    head[25..29].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    let crc = crc32c::crc32c(&head[..29]);
    head[29..33].copy_from_slice(&crc.to_le_bytes());
    Ok(())
}

/// Reads the next frame and puts its payload in place of what `payload` held; `None` at the end.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    limit: u32,
    payload: &mut Vec<u8>,
) -> Result<Option<FrameHeader>, FrameError> {
    let mut head = [0; HEADER_BYTES];
    let mut filled = 0;
    while filled < HEADER_BYTES {
        match stream.read(&mut head[filled..]).await? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(FrameError::Truncated { part: "header" }),
            count => filled += count,
        }
    }
    let (length, crc, header) = parse(&head)?;
    if length > limit {
        return Err(FrameError::TooLong {
            channel: header.channel,
            bytes: u64::from(length),
            limit,
        });
    }
    payload.clear();
    // `take` lets memory grow with what arrives, not with what was announced.
    let mut body = (&mut *stream).take(u64::from(length));
    let arrived = body.read_to_end(payload).await?;
    if arrived < length as usize {
        return Err(FrameError::Truncated { part: "payload" });
    }
    if crc32c::crc32c(payload) != crc {
        return Err(FrameError::Checksum { part: "payload" });
    }
    Ok(Some(header))
}

/// Length and checksum of the payload, and the header.
fn parse(head: &[u8; HEADER_BYTES]) -> Result<(u32, u32, FrameHeader), FrameError> {
    let number = |at| u32::from_le_bytes(field(head, at));
    if crc32c::crc32c(&head[..29]) != number(29) {
        return Err(FrameError::Checksum { part: "header" });
    }
    let kind = FrameKind::of(head[4]).ok_or(FrameError::Kind(head[4]))?;
    let channel = ChannelId::new(
        EdgeId::new(number(5)),
        SubtaskIndex::new(number(9)),
        SubtaskIndex::new(number(13)),
    );
    let header = FrameHeader {
        kind,
        channel,
        sequence: u64::from_le_bytes(field(head, 17)),
    };
    Ok((number(0), number(25), header))
}

/// Counts the frames of one channel in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sequence(u64);

impl Sequence {
    /// The number of the next frame to be sent.
    pub(crate) fn next(&mut self) -> u64 {
        let sequence = self.0;
        self.0 += 1;
        sequence
    }

    /// Refuses a frame that is not the next one.
    pub(crate) fn check(&mut self, header: &FrameHeader) -> Result<(), FrameError> {
        let expected = self.next();
        if header.sequence == expected {
            return Ok(());
        }
        Err(FrameError::Sequence {
            channel: header.channel,
            found: header.sequence,
            expected,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: FrameKind, sequence: u64, payload: &[u8], example: &str) {
        let index = SubtaskIndex::new;
        let header = FrameHeader {
            kind,
            channel: ChannelId::new(EdgeId::new(1), index(2), index(3)),
            sequence,
        };
        let mut bytes = Vec::new();
        let encoded = encode(header, 8, &mut bytes, |out| {
            out.extend(payload);
            Ok::<_, FrameError>(())
        });
        assert!(encoded.is_ok());
        assert_eq!(super::super::hex(&bytes), super::super::published(example));
    }

    #[test]
    fn the_published_frames_are_what_is_written() {
        let watermark = "frame 4 of channel e1[2>3]: watermark 1000 ms";
        check(FrameKind::Watermark, 4, &1_000_i64.to_le_bytes(), watermark);
        let credit = "frame 0 of channel e1[2>3]: credit for 8 batches";
        check(FrameKind::Credit, 0, &8_u32.to_le_bytes(), credit);
        let barrier = "frame 5 of channel e1[2>3]: barrier of checkpoint 17";
        check(FrameKind::Barrier, 5, &17_u64.to_le_bytes(), barrier);
        let close = "frame 6 of channel e1[2>3]: close";
        check(FrameKind::Close, 6, &[], close);
    }

    #[test]
    fn a_frame_above_the_limit_is_not_sent() {
        let index = SubtaskIndex::new(0);
        let header = FrameHeader {
            kind: FrameKind::Batch,
            channel: ChannelId::new(EdgeId::new(0), index, index),
            sequence: 0,
        };
        let encoded = encode(header, 8, &mut Vec::new(), |out| {
            out.extend([0; 9]);
            Ok::<_, FrameError>(())
        });
        assert_eq!(
            encoded.map_err(|error| error.to_string()),
            Err(
                "a frame of channel e0[0>0] has 9 bytes, above frame_bytes 8: lower \
                 batch_records, or raise frame_bytes on all nodes"
                    .to_owned()
            )
        );
    }
}
