//! The receiving end of a data connection: from one task manager to another, for one attempt.
//!
//! Invariant: what is pushed into a gate's queue is what the peer sent, in its order, and never
//! more batches than were granted: a damaged, repeated, missing or unpaid frame breaks every
//! channel of the connection. Each batch that the gate takes is one credit back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sameriver_model::{
    Barrier, ChannelId, CheckpointId, EventTime, Failure, StreamElement, Watermark,
};
use sameriver_operator::EdgeCodec;
use sameriver_runtime::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, split};
use sameriver_runtime::{ByteStream, Wake, World, select};

use super::frame::{self, FrameError, FrameHeader, FrameKind, Sequence};
use super::hello::field;
use super::link::{LinkError, guarded, lock};
use super::local::{ChannelQueue, Producer};
use crate::settings::ExchangeSettings;

/// The receiving end, shared by the connection's task and the exchange.
pub(crate) struct Inbound {
    /// A new channel, or a batch was taken: there is credit to send.
    wake: Wake,
    stop: Wake,
    channels: Mutex<Channels>,
}

#[derive(Default)]
struct Channels {
    all: BTreeMap<ChannelId, InChannel>,
    connected: bool,
    failure: Option<Failure>,
}

struct InChannel {
    codec: Arc<dyn EdgeCodec>,
    queue: Arc<ChannelQueue>,
    /// Batches that the peer may still send; `None` before the first grant.
    credit: Option<u64>,
    /// Taken batches whose credit went back.
    returned: u64,
    sent: Sequence,
    received: Sequence,
    phase: Phase,
}

/// What may still come on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Everything.
    Open,
    /// Barriers, and the close.
    Ended,
    /// Nothing.
    Closed,
}

impl Inbound {
    /// A receiving end whose peer has not connected yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            wake: Wake::new(),
            stop: Wake::new(),
            channels: Mutex::default(),
        })
    }

    /// Lets the peer send into `queue`.
    pub(crate) fn add(&self, queue: &Arc<ChannelQueue>, codec: Arc<dyn EdgeCodec>) {
        let mut channels = lock(&self.channels);
        queue.attach_producer(Producer::EachBatch(self.wake.clone()));
        if let Some(failure) = &channels.failure {
            queue.fail(failure.clone());
        }
        let channel = InChannel {
            codec,
            queue: Arc::clone(queue),
            credit: None,
            returned: 0,
            sent: Sequence::default(),
            received: Sequence::default(),
            phase: Phase::Open,
        };
        channels.all.insert(queue.channel(), channel);
        drop(channels);
        self.wake.wake();
    }

    /// Ends the connection.
    pub(crate) fn stop(&self) {
        self.stop.wake();
    }

    /// Whether this is the peer's first connection.
    pub(crate) fn connect(&self) -> bool {
        !std::mem::replace(&mut lock(&self.channels).connected, true)
    }

    /// Carries the connection until the peer closes it; `name` says between whom it is.
    pub(crate) async fn run(
        &self,
        world: &World,
        settings: &ExchangeSettings,
        stream: Box<dyn ByteStream>,
        name: &str,
    ) {
        let (reader, mut writer) = split(stream);
        let mut reader = BufReader::with_capacity(settings.write_bytes.max(1), reader);
        let carried = select! {
            () = self.stop.wait() => return,
            carried = self.read(&mut reader, settings) => carried,
            carried = self.return_credit(&mut writer, settings) => carried,
        };
        if let Err(error) = carried {
            if self.is_missed() {
                tracing::warn!(node = world.node(), "{name}: {error}");
            }
            self.fail(&error.failure(name));
        }
    }

    /// Whether somebody here waits, or will, for what comes.
    fn is_missed(&self) -> bool {
        let channels = lock(&self.channels);
        channels.all.is_empty() || channels.all.values().any(InChannel::is_missed)
    }

    /// Breaks every channel of the connection.
    pub(crate) fn fail(&self, failure: &Failure) {
        let mut channels = lock(&self.channels);
        channels.failure.get_or_insert_with(|| failure.clone());
        for channel in channels.all.values() {
            channel.queue.fail(failure.clone());
        }
    }

    async fn read(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        settings: &ExchangeSettings,
    ) -> Result<(), LinkError> {
        let mut payload = Vec::new();
        let limit = settings.frame_bytes;
        while let Some(header) = frame::read(stream, limit, &mut payload).await? {
            let (queue, codec) = self.admit(&header)?;
            if let Some(element) = decode(&header, &*codec, &payload)? {
                queue.push(element);
            }
        }
        let channels = lock(&self.channels);
        let granted = channels.all.values().filter(|c| c.credit.is_some());
        match granted.filter(|channel| channel.is_missed()).count() {
            0 => Ok(()),
            open => Err(LinkError::Closed { open }),
        }
    }

    /// Checks that the frame is the next one of an open channel and paid for.
    fn admit(
        &self,
        header: &FrameHeader,
    ) -> Result<(Arc<ChannelQueue>, Arc<dyn EdgeCodec>), FrameError> {
        let id = header.channel;
        let mut channels = lock(&self.channels);
        let channel = channels.all.get_mut(&id);
        let channel = channel.filter(|channel| channel.phase != Phase::Closed);
        let channel = channel.ok_or(FrameError::Channel { channel: id })?;
        channel.received.check(header)?;
        let credit = channel.credit.as_mut();
        let credit = credit.ok_or(FrameError::NoCredit { channel: id })?;
        let kind = header.kind;
        if channel.phase == Phase::Ended && !kind.may_follow_the_end() {
            return Err(FrameError::AfterEnd { channel: id, kind });
        }
        match kind {
            FrameKind::Batch => {
                let left = credit.checked_sub(1);
                *credit = left.ok_or(FrameError::NoCredit { channel: id })?;
            }
            FrameKind::End => channel.phase = Phase::Ended,
            FrameKind::Close => channel.phase = Phase::Closed,
            FrameKind::Watermark
            | FrameKind::Idle
            | FrameKind::Active
            | FrameKind::Barrier
            | FrameKind::Credit => {}
        }
        Ok((Arc::clone(&channel.queue), Arc::clone(&channel.codec)))
    }

    async fn return_credit(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        settings: &ExchangeSettings,
    ) -> Result<(), LinkError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.encode_credit(settings.frame_bytes, &mut bytes)?;
            if bytes.is_empty() {
                self.wake.wait().await;
                continue;
            }
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
    }

    fn encode_credit(&self, limit: u32, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let mut channels = lock(&self.channels);
        for (id, channel) in &mut channels.all {
            let amount = channel.owed();
            if amount == 0 || channel.phase != Phase::Open {
                continue;
            }
            let header = FrameHeader {
                kind: FrameKind::Credit,
                channel: *id,
                sequence: channel.sent.next(),
            };
            frame::encode(header, limit, out, |out| {
                out.extend(amount.to_le_bytes());
                Ok::<_, FrameError>(())
            })?;
            *channel.credit.get_or_insert(0) += u64::from(amount);
        }
        Ok(())
    }
}

impl InChannel {
    /// Whether its receiver still waits for something.
    fn is_missed(&self) -> bool {
        self.phase != Phase::Closed && !self.queue.is_abandoned()
    }

    /// The credit that the peer does not know of yet.
    fn owed(&mut self) -> u32 {
        if self.credit.is_none() {
            return u32::try_from(self.queue.capacity()).unwrap_or(u32::MAX);
        }
        let taken = self.queue.taken();
        let owed = taken - self.returned;
        self.returned = taken;
        u32::try_from(owed).expect("no more batches were taken than granted, which fit into u32")
    }
}

/// The element in a frame; a close has none.
fn decode(
    header: &FrameHeader,
    codec: &dyn EdgeCodec,
    payload: &[u8],
) -> Result<Option<StreamElement>, LinkError> {
    let channel = header.channel;
    let bytes = payload.len();
    let element = match (header.kind, bytes) {
        (FrameKind::Batch, _) => {
            let batch = guarded(channel, "decoded", || codec.decode(payload))?;
            StreamElement::Batch(batch)
        }
        (FrameKind::Watermark, 8) => {
            let millis = i64::from_le_bytes(field(payload, 0));
            StreamElement::Watermark(Watermark::at(EventTime::from_millis(millis)))
        }
        (FrameKind::Idle, 0) => StreamElement::Idle,
        (FrameKind::Active, 0) => StreamElement::Active,
        (FrameKind::End, 0) => StreamElement::EndOfInput,
        (FrameKind::Barrier, 8) => StreamElement::Barrier(Barrier {
            checkpoint: CheckpointId::new(u64::from_le_bytes(field(payload, 0))),
        }),
        (FrameKind::Close, 0) => return Ok(None),
        (
            FrameKind::Watermark
            | FrameKind::Idle
            | FrameKind::Active
            | FrameKind::End
            | FrameKind::Barrier
            | FrameKind::Close
            | FrameKind::Credit,
            _,
        ) => return Err(FrameError::Payload { channel, bytes }.into()),
    };
    Ok(Some(element))
}
