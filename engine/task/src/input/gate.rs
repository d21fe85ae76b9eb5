//! All channels of one subtask's inputs, seen as one.
//!
//! Invariant: inside a channel the order is kept; between channels that have elements the gate
//! goes round, so none starves; of a channel that waits behind its barrier nothing is taken. What a
//! slice leaves of a batch stays here and comes first. Every record of a channel has a number,
//! counted from zero.

use std::sync::Arc;

use sameriver_model::{AnyBatch, Barrier, ChannelId, Failure, StreamElement, Watermark};

use crate::exchange::local::ChannelQueue;

/// What the gate has for its subtask.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Records: see [`InputGate::front`].
    Batch,
    /// A watermark of the channel at this position.
    Watermark(usize, Watermark),
    /// The channel at this position became idle or active.
    Idle(usize, bool),
    /// A barrier of the channel at this position.
    Barrier(usize, Barrier),
    /// The channel at this position ended.
    End(usize),
    /// A channel broke.
    Failed(Failure),
}

/// The batch at the front of the gate.
pub(crate) struct Front<'a> {
    /// The channel that it came through.
    pub(crate) channel: ChannelId,
    /// The number of its first record in that channel.
    pub(crate) from: u64,
    /// The records that no slice has taken yet.
    pub(crate) batch: &'a mut dyn AnyBatch,
}

struct GateChannel {
    queue: Arc<ChannelQueue>,
    /// How many records slices have taken.
    records: u64,
}

/// The input gate of one subtask.
pub(crate) struct InputGate {
    channels: Vec<GateChannel>,
    /// Where the next look begins.
    next: usize,
    front: Option<(usize, Box<dyn AnyBatch>)>,
}

impl InputGate {
    /// Joins channels; their positions are those in `queues`.
    pub(crate) fn new(queues: Vec<Arc<ChannelQueue>>) -> Self {
        let channels = queues.into_iter();
        Self {
            channels: channels
                .map(|queue| GateChannel { queue, records: 0 })
                .collect(),
            next: 0,
            front: None,
        }
    }

    /// The number of channels.
    pub(crate) fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Why a channel broke, if one did.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.channels
            .iter()
            .find_map(|channel| channel.queue.failure())
    }

    /// How many records slices have taken of each channel.
    pub(crate) fn reflected(&self) -> impl Iterator<Item = (ChannelId, u64)> {
        let channels = self.channels.iter();
        channels.map(|channel| (channel.queue.channel(), channel.records))
    }

    /// What comes next of the channels that are not `blocked`; `None` if none has anything.
    ///
    /// Answers `Batch` again until slices have taken all its records.
    pub(crate) fn take(&mut self, blocked: impl Fn(usize) -> bool) -> Option<Taken> {
        if self.front.is_some() {
            return Some(Taken::Batch);
        }
        for _ in 0..self.channels.len() {
            let position = self.next;
            self.next = if position + 1 == self.channels.len() {
                0
            } else {
                position + 1
            };
            let queue = &self.channels[position].queue;
            if let Some(failure) = queue.failure() {
                return Some(Taken::Failed(failure));
            }
            if blocked(position) {
                continue;
            }
            if let Some(element) = queue.pop(true) {
                return Some(self.accept(position, element));
            }
        }
        None
    }

    fn accept(&mut self, position: usize, element: StreamElement) -> Taken {
        match element {
            StreamElement::Batch(batch) => {
                self.front = Some((position, batch));
                Taken::Batch
            }
            StreamElement::Watermark(watermark) => Taken::Watermark(position, watermark),
            StreamElement::Idle => Taken::Idle(position, true),
            StreamElement::Active => Taken::Idle(position, false),
            StreamElement::Barrier(barrier) => Taken::Barrier(position, barrier),
            StreamElement::EndOfInput => Taken::End(position),
        }
    }

    /// The batch that [`take`](Self::take) announced.
    pub(crate) fn front(&mut self) -> Option<Front<'_>> {
        let (position, batch) = self.front.as_mut()?;
        let channel = &self.channels[*position];
        Some(Front {
            channel: channel.queue.channel(),
            from: channel.records,
            batch: &mut **batch,
        })
    }

    /// A slice took `records` off the front batch; answers whether that used it up.
    pub(crate) fn advance(&mut self, records: u64) -> bool {
        let Some((position, batch)) = self.front.take() else {
            return false;
        };
        let channel = &mut self.channels[position];
        channel.records += records;
        if batch.is_empty() {
            channel.queue.give_back(batch);
            return true;
        }
        self.front = Some((position, batch));
        false
    }
}

impl Drop for InputGate {
    fn drop(&mut self) {
        for channel in &self.channels {
            channel.queue.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use sameriver_model::{Batch, CheckpointId, EdgeId, FailureKind, SubtaskIndex};

    use super::*;

    const OPEN: fn(usize) -> bool = |_| false;

    fn gate(channels: u32) -> (InputGate, Vec<Arc<ChannelQueue>>) {
        let id = |from| {
            ChannelId::new(
                EdgeId::new(0),
                SubtaskIndex::new(from),
                SubtaskIndex::new(0),
            )
        };
        let queues: Vec<_> = (0..channels)
            .map(|from| Arc::new(ChannelQueue::new(id(from), 8)))
            .collect();
        (InputGate::new(queues.clone()), queues)
    }

    fn send(queue: &ChannelQueue, records: &[u32]) {
        let batch = Batch::from_parts(records.to_vec(), None);
        queue.push(StreamElement::Batch(Box::new(batch)));
    }

    /// Takes a slice of up to `max` records: `channel from..to: records`.
    fn slice(gate: &mut InputGate, max: usize) -> String {
        assert!(matches!(gate.take(OPEN), Some(Taken::Batch)));
        let front = gate.front().unwrap();
        let batch = front.batch.as_any_mut().downcast_mut::<Batch<u32>>();
        let mut slice = Batch::new();
        batch.unwrap().move_front(max, &mut slice);
        let (channel, from) = (front.channel, front.from);
        gate.advance(slice.len() as u64);
        let to = from + slice.len() as u64;
        format!("{channel} {from}..{to}: {:?}", slice.records())
    }

    #[test]
    fn channels_with_elements_take_turns() {
        let (mut gate, queues) = gate(3);
        for record in 0..2 {
            send(&queues[0], &[record]);
            send(&queues[2], &[10 + record]);
        }
        let order: Vec<String> = (0..4).map(|_| slice(&mut gate, 256)).collect();
        assert_eq!(
            order,
            [
                "e0[0>0] 0..1: [0]",
                "e0[2>0] 0..1: [10]",
                "e0[0>0] 1..2: [1]",
                "e0[2>0] 1..2: [11]"
            ]
        );
        assert!(gate.take(OPEN).is_none());
    }

    #[test]
    fn the_rest_of_a_batch_comes_before_other_channels() {
        let (mut gate, queues) = gate(2);
        send(&queues[0], &[1, 2, 3]);
        send(&queues[1], &[9]);
        let order: Vec<String> = (0..3).map(|_| slice(&mut gate, 2)).collect();
        assert_eq!(
            order,
            [
                "e0[0>0] 0..2: [1, 2]",
                "e0[0>0] 2..3: [3]",
                "e0[1>0] 0..1: [9]"
            ]
        );
    }

    #[test]
    fn marks_keep_their_place_between_batches() {
        let (mut gate, queues) = gate(1);
        send(&queues[0], &[1]);
        queues[0].push(StreamElement::Watermark(Watermark::MIN));
        queues[0].push(StreamElement::EndOfInput);
        slice(&mut gate, 8);
        assert!(matches!(gate.take(OPEN), Some(Taken::Watermark(0, _))));
        assert!(matches!(gate.take(OPEN), Some(Taken::End(0))));
        assert!(gate.take(OPEN).is_none());
    }

    #[test]
    fn nothing_is_taken_of_a_channel_that_waits_behind_its_barrier() {
        let (mut gate, queues) = gate(2);
        let barrier = Barrier {
            checkpoint: CheckpointId::new(1),
        };
        queues[0].push(StreamElement::Barrier(barrier));
        send(&queues[0], &[1]);
        send(&queues[1], &[9]);
        assert!(matches!(gate.take(OPEN), Some(Taken::Barrier(0, _))));
        let blocked = |channel| channel == 0;
        assert!(matches!(gate.take(blocked), Some(Taken::Batch)));
        assert_eq!(slice(&mut gate, 8), "e0[1>0] 0..1: [9]");
        assert!(gate.take(blocked).is_none());
        assert_eq!(slice(&mut gate, 8), "e0[0>0] 0..1: [1]");
        let reflected: Vec<u64> = gate.reflected().map(|(_, records)| records).collect();
        assert_eq!(reflected, [1, 1]);
    }

    #[test]
    fn a_broken_channel_is_reported() {
        let (mut gate, queues) = gate(2);
        queues[1].fail(Failure::new(FailureKind::Cluster, "reset"));
        assert!(
            matches!(gate.take(OPEN), Some(Taken::Failed(failure)) if failure.message == "reset")
        );
    }
}
