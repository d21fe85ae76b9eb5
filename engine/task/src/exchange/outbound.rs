//! The sending end of a data connection: from one task manager to another, for one attempt.
//!
//! Invariant: nothing is sent on a channel before its receiver granted credit, and never more
//! batches than it granted; the order inside a channel is kept. The connection ends when the sender
//! of every channel between the two task managers was released. Batches are encoded on a thread of
//! the connection's own: that runs a user's code, which may block.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use sameriver_model::{ChannelId, Failure, StreamElement};
use sameriver_operator::EdgeCodec;
use sameriver_runtime::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, split};
use sameriver_runtime::{Address, ByteStream, Lane, Wake, World, select};

use super::frame::{self, FrameError, FrameHeader, FrameKind, Sequence};
use super::hello::{Hello, field};
use super::link::{LinkError, guarded, lock};
use super::local::ChannelQueue;
use crate::settings::ExchangeSettings;

/// The sending end, shared by the connection's task and the exchange.
pub(crate) struct Outbound {
    /// Something to send, or credit for it.
    wake: Wake,
    stop: Wake,
    channels: Mutex<Channels>,
}

struct Channels {
    /// In ascending order of their ids.
    all: Vec<OutChannel>,
    /// How many were not closed yet.
    open: usize,
    /// Where the next look begins.
    next: usize,
    failure: Option<Failure>,
}

struct OutChannel {
    id: ChannelId,
    codec: Arc<dyn EdgeCodec>,
    /// `None` until the sending subtask is deployed.
    queue: Option<Arc<ChannelQueue>>,
    credit: u64,
    granted: bool,
    closed: bool,
    sent: Sequence,
    received: Sequence,
}

/// What the next frame carries.
enum Sent {
    Element(StreamElement),
    Close,
}

impl Outbound {
    /// Connects and begins to send. `channels` are all that lead to the peer, in any order.
    pub(crate) fn start(
        world: &World,
        settings: &ExchangeSettings,
        hello: Hello,
        address: Option<Address>,
        channels: Vec<(ChannelId, Arc<dyn EdgeCodec>)>,
    ) -> Arc<Self> {
        let open = channels.len();
        let closed = |(id, codec)| OutChannel {
            id,
            codec,
            queue: None,
            credit: 0,
            granted: false,
            closed: false,
            sent: Sequence::default(),
            received: Sequence::default(),
        };
        let mut all: Vec<OutChannel> = channels.into_iter().map(closed).collect();
        all.sort_by_key(|channel| channel.id);
        let link = Arc::new(Self {
            wake: Wake::new(),
            stop: Wake::new(),
            channels: Mutex::new(Channels {
                all,
                open,
                next: 0,
                failure: None,
            }),
        });
        let name = match &address {
            Some(address) => format!("data connection {} > {} at {address}", hello.from, hello.to),
            None => format!("data connection {} > {}", hello.from, hello.to),
        };
        let connection = Connection {
            world: world.clone(),
            settings: settings.clone(),
            hello,
            address,
            link: Arc::clone(&link),
        };
        // `world` counts it: the exchange waits for it when it closes.
        let task = world.spawn(Lane::Control, &name.clone(), connection.run(name));
        task.detach();
        link
    }

    /// Sends what comes into `queue`.
    pub(crate) fn add(&self, queue: &Arc<ChannelQueue>) {
        let mut channels = lock(&self.channels);
        queue.attach_consumer(self.wake.clone());
        if let Some(failure) = &channels.failure {
            queue.fail(failure.clone());
        }
        let channel = channels.find(queue.channel());
        let channel = channel.expect("the plan names every channel of the connection");
        channel.queue = Some(Arc::clone(queue));
        drop(channels);
        self.wake.wake();
    }

    /// Ends the connection, whatever is still to be sent.
    pub(crate) fn stop(&self) {
        self.stop.wake();
    }

    fn fail(&self, failure: &Failure) {
        let mut channels = lock(&self.channels);
        channels.failure.get_or_insert_with(|| failure.clone());
        for queue in channels.all.iter().filter_map(|c| c.queue.as_ref()) {
            queue.fail(failure.clone());
        }
    }

    fn open(&self) -> usize {
        lock(&self.channels).open
    }

    /// How many channels would miss the connection.
    fn missed(&self) -> usize {
        let channels = lock(&self.channels);
        let missed = |c: &&OutChannel| !c.queue.as_ref().is_some_and(|queue| queue.is_closed());
        channels.all.iter().filter(missed).count()
    }

    /// The next frame that may be sent, channels in turn.
    fn next(&self) -> Option<(FrameHeader, Arc<dyn EdgeCodec>, Sent)> {
        let mut channels = lock(&self.channels);
        let Channels {
            all, open, next, ..
        } = &mut *channels;
        let (behind, ahead) = all.split_at_mut(*next);
        let mut turns = ahead.iter_mut().chain(behind).enumerate();
        let (skipped, sent, channel) =
            turns.find_map(|(skipped, channel)| Some((skipped, channel.take()?, channel)))?;
        let kind = match &sent {
            Sent::Element(StreamElement::Batch(_)) => FrameKind::Batch,
            Sent::Element(StreamElement::Watermark(_)) => FrameKind::Watermark,
            Sent::Element(StreamElement::Idle) => FrameKind::Idle,
            Sent::Element(StreamElement::Active) => FrameKind::Active,
            Sent::Element(StreamElement::Barrier(_)) => FrameKind::Barrier,
            Sent::Element(StreamElement::EndOfInput) => FrameKind::End,
            Sent::Close => {
                *open -= 1;
                FrameKind::Close
            }
        };
        let header = FrameHeader {
            kind,
            channel: channel.id,
            sequence: channel.sent.next(),
        };
        let codec = Arc::clone(&channel.codec);
        *next = (*next + skipped + 1) % all.len();
        Some((header, codec, sent))
    }

    fn credit(&self, header: &FrameHeader, payload: &[u8]) -> Result<(), FrameError> {
        let channel = header.channel;
        let mut channels = lock(&self.channels);
        let open = channels
            .find(channel)
            .ok_or(FrameError::Channel { channel })?;
        open.received.check(header)?;
        let bytes = payload.len();
        if header.kind != FrameKind::Credit || bytes != 4 {
            return Err(FrameError::Payload { channel, bytes });
        }
        open.credit += u64::from(u32::from_le_bytes(field(payload, 0)));
        open.granted = true;
        drop(channels);
        self.wake.wake();
        Ok(())
    }
}

impl Channels {
    fn find(&mut self, id: ChannelId) -> Option<&mut OutChannel> {
        let position = self.all.binary_search_by_key(&id, |channel| channel.id);
        self.all.get_mut(position.ok()?)
    }
}

impl OutChannel {
    fn take(&mut self) -> Option<Sent> {
        if !self.granted || self.closed {
            return None;
        }
        let queue = self.queue.as_ref()?;
        // Looked at first: what was pushed before the close is in the queue by then.
        let closed = queue.is_closed();
        match queue.pop(self.credit > 0) {
            Some(element) => {
                if matches!(element, StreamElement::Batch(_)) {
                    self.credit -= 1;
                }
                Some(Sent::Element(element))
            }
            None if closed && queue.is_empty() => {
                self.closed = true;
                Some(Sent::Close)
            }
            None => None,
        }
    }
}

/// The tasks behind the sending end.
#[derive(Clone)]
struct Connection {
    world: World,
    settings: ExchangeSettings,
    hello: Hello,
    address: Option<Address>,
    link: Arc<Outbound>,
}

impl Connection {
    async fn run(self, name: String) {
        let limit = self.settings.connect_timeout;
        let connected = select! {
            connected = self.world.timeout(limit, self.connect()) => connected,
            () = self.link.stop.wait() => return,
        };
        let stream = match connected.map_err(LinkError::from).flatten() {
            Ok(stream) => stream,
            Err(error) => return self.broken(&error, &name),
        };
        let (sender, named) = (self.clone(), name.clone());
        let send = async move {
            select! {
                carried = sender.carry(stream) => if let Err(error) = carried {
                    sender.broken(&error, &named);
                },
                () = sender.link.stop.wait() => {}
            }
        };
        if let Err(panicked) = self.world.spawn(Lane::Data, &name, send).join().await {
            self.broken(&LinkError::Panicked(panicked), &name);
        }
    }

    fn broken(&self, error: &LinkError, name: &str) {
        if self.link.missed() > 0 {
            tracing::warn!(node = self.world.node(), "{name}: {error}");
            self.link.fail(&error.failure(name));
        }
    }

    async fn carry(&self, stream: Box<dyn ByteStream>) -> Result<(), LinkError> {
        let (reader, mut writer) = split(stream);
        let mut reader = BufReader::new(reader);
        let mut write = pin!(self.write(&mut writer));
        let mut read = pin!(self.read_credit(&mut reader));
        let mut written = false;
        loop {
            select! {
                result = &mut write, if !written => {
                    result?;
                    written = true;
                }
                // The peer closes behind us; to leave earlier could cost it our last frames.
                result = &mut read => return match (result, written) {
                    (Ok(()) | Err(LinkError::Frame(FrameError::Io(_))), true) => Ok(()),
                    (Ok(()), false) => Err(LinkError::Closed { open: self.link.open() }),
                    (Err(error), _) => Err(error),
                },
            }
        }
    }

    async fn connect(&self) -> Result<Box<dyn ByteStream>, LinkError> {
        let address = self.address.as_ref().ok_or(LinkError::NoAddress)?;
        let connected = self.world.connect(address).await;
        let mut stream = connected.map_err(LinkError::Connect)?;
        stream.write_all(&self.hello.encode()).await?;
        stream.flush().await?;
        let answer = Hello::read(&mut stream).await?;
        self.hello.check(&answer)?;
        Ok(stream)
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> Result<(), LinkError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            while bytes.len() < self.settings.write_bytes {
                let Some((header, codec, sent)) = self.link.next() else {
                    break;
                };
                self.encode(header, &*codec, sent, &mut bytes)?;
            }
            if !bytes.is_empty() {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            } else if self.link.open() == 0 {
                stream.shutdown().await?;
                return Ok(());
            } else {
                self.link.wake.wait().await;
            }
        }
    }

    fn encode(
        &self,
        header: FrameHeader,
        codec: &dyn EdgeCodec,
        sent: Sent,
        out: &mut Vec<u8>,
    ) -> Result<(), LinkError> {
        let limit = self.settings.frame_bytes;
        frame::encode(header, limit, out, |out| match sent {
            Sent::Element(StreamElement::Batch(batch)) => {
                guarded(header.channel, "encoded", || codec.encode(&*batch, out))
            }
            Sent::Element(StreamElement::Watermark(watermark)) => {
                out.extend(watermark.time().as_millis().to_le_bytes());
                Ok(())
            }
            Sent::Element(StreamElement::Barrier(barrier)) => {
                out.extend(barrier.checkpoint.get().to_le_bytes());
                Ok(())
            }
            Sent::Element(
                StreamElement::Idle | StreamElement::Active | StreamElement::EndOfInput,
            )
            | Sent::Close => Ok(()),
        })
    }

    async fn read_credit(&self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), LinkError> {
        let mut payload = Vec::new();
        let limit = self.settings.frame_bytes;
        while let Some(header) = frame::read(stream, limit, &mut payload).await? {
            self.link.credit(&header, &payload)?;
        }
        Ok(())
    }
}
