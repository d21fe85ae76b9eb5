//! Which channels and connections of which attempts are open on this task manager.
//!
//! Invariant: a channel within the process has one queue, made by the end that comes first and
//! taken by the other; a pair of task managers has one connection per direction and attempt. An
//! attempt stays until it is released: what a finished subtask sent is still delivered.

use std::collections::BTreeMap;
use std::sync::Arc;

use sameriver_graph::JobGraph;
use sameriver_model::{
    AttemptNumber, ChannelId, Failure, FailureKind, SubtaskId, TaskManagerIndex,
};
use sameriver_operator::EdgeCodec;
use sameriver_runtime::{Wake, World};

use super::Ends;
use super::hello::{Hello, HelloError};
use super::inbound::Inbound;
use super::local::{ChannelQueue, Producer};
use super::outbound::Outbound;
use crate::mail::Deployment;
use crate::placement::Placement;
use crate::settings::ExchangeSettings;

/// What connections need to know of this node.
pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) settings: ExchangeSettings,
    pub(crate) build: u64,
}

/// All attempts that have a trace here.
#[derive(Default)]
pub(crate) struct Registry {
    attempts: BTreeMap<AttemptNumber, Attempt>,
    /// Nobody is admitted any more.
    is_closed: bool,
}

#[derive(Default)]
struct Attempt {
    /// Known since the first deployment.
    job: Option<Job>,
    /// Queues within the process that wait for their other end.
    half_open: BTreeMap<ChannelId, Arc<ChannelQueue>>,
    outbound: BTreeMap<TaskManagerIndex, Arc<Outbound>>,
    inbound: BTreeMap<TaskManagerIndex, Arc<Inbound>>,
}

struct Job {
    here: TaskManagerIndex,
    fingerprint: u64,
}

impl Registry {
    /// Opens all channels of a subtask.
    pub(crate) fn open(
        &mut self,
        node: &Node,
        deployment: &Deployment,
        wake: &Wake,
        capacity: usize,
    ) -> Result<Ends, Failure> {
        let (plan, subtask) = (deployment.graph.plan(), deployment.subtask);
        let attempt = self.attempts.entry(deployment.attempt).or_default();
        attempt.begin(deployment)?;
        let mut ends = Ends {
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        for edge in plan.outputs(subtask.vertex) {
            let mut queues = Vec::new();
            for channel in plan.output_channels(edge.id, subtask.index) {
                queues.push(attempt.open_output(node, deployment, channel, capacity)?);
            }
            ends.outputs.push(queues);
        }
        for queue in ends.outputs.iter().flatten() {
            queue.attach_producer(Producer::AtRoom(wake.clone()));
        }
        for channel in plan.input_channels(subtask) {
            let queue = attempt.open_input(deployment, channel, capacity)?;
            queue.attach_consumer(wake.clone());
            ends.inputs.push(queue);
        }
        Ok(ends)
    }

    /// The attempt is given up.
    pub(crate) fn release(&mut self, attempt: AttemptNumber) {
        if let Some(attempt) = self.attempts.remove(&attempt) {
            attempt.stop();
        }
    }

    /// Everything is given up, and nobody admitted any more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        for (_, attempt) in std::mem::take(&mut self.attempts) {
            attempt.stop();
        }
    }

    /// A peer wants to send: what to answer, and where its frames go; `None` if this node is gone.
    pub(crate) fn admit(
        &mut self,
        node: &Node,
        hello: &Hello,
    ) -> Option<(Hello, Result<Arc<Inbound>, HelloError>)> {
        if self.is_closed {
            return None;
        }
        let job = self.attempts.get(&hello.attempt);
        let job = job.and_then(|attempt| attempt.job.as_ref());
        let answer = Hello {
            build: node.build,
            fingerprint: job.map_or(hello.fingerprint, |job| job.fingerprint),
            from: job.map_or(hello.to, |job| job.here),
            ..hello.answered()
        };
        if let Err(error) = answer.check(hello) {
            return Some((answer, Err(error)));
        }
        if answer.from != hello.to {
            let error = HelloError::Peer {
                theirs: hello.to,
                ours: answer.from,
                attempt: hello.attempt,
            };
            return Some((answer, Err(error)));
        }
        let attempt = self.attempts.entry(hello.attempt).or_default();
        let link = attempt.inbound.entry(hello.from);
        let link = Arc::clone(link.or_insert_with(Inbound::new));
        let first = link.connect();
        let repeated = HelloError::Repeated { peer: hello.from };
        Some((answer, if first { Ok(link) } else { Err(repeated) }))
    }

    /// The peer's connection has ended; without a job here, nobody else would clear it away.
    pub(crate) fn disconnected(&mut self, hello: &Hello) {
        let Some(attempt) = self.attempts.get_mut(&hello.attempt) else {
            return;
        };
        if attempt.job.is_none() {
            attempt.inbound.remove(&hello.from);
            if attempt.inbound.is_empty() {
                self.attempts.remove(&hello.attempt);
            }
        }
    }
}

impl Attempt {
    fn begin(&mut self, deployment: &Deployment) -> Result<(), Failure> {
        let placement = &deployment.placement;
        let fingerprint = deployment.graph.fingerprint();
        let here = placement.here;
        let job = self.job.get_or_insert(Job { here, fingerprint });
        if job.fingerprint == fingerprint {
            return Ok(());
        }
        Err(Failure::from(HelloError::Fingerprint {
            theirs: job.fingerprint,
            ours: fingerprint,
        }))
    }

    fn open_output(
        &mut self,
        node: &Node,
        deployment: &Deployment,
        channel: ChannelId,
        capacity: usize,
    ) -> Result<Arc<ChannelQueue>, Failure> {
        let (graph, placement) = (&deployment.graph, &deployment.placement);
        let peer = host(placement, graph.plan().receiver(channel))?;
        if peer == placement.here {
            return Ok(self.meet(channel, capacity));
        }
        let link = self.outbound.entry(peer).or_insert_with(|| {
            let hello = Hello {
                build: node.build,
                fingerprint: graph.fingerprint(),
                attempt: deployment.attempt,
                from: placement.here,
                to: peer,
            };
            let address = placement.addresses.get(&peer).cloned();
            let channels = channels_to(graph, placement, peer);
            Outbound::start(&node.world, &node.settings, hello, address, channels)
        });
        let queue = Arc::new(ChannelQueue::new(channel, capacity));
        link.add(&queue);
        Ok(queue)
    }

    fn open_input(
        &mut self,
        deployment: &Deployment,
        channel: ChannelId,
        capacity: usize,
    ) -> Result<Arc<ChannelQueue>, Failure> {
        let (graph, placement) = (&deployment.graph, &deployment.placement);
        let peer = host(placement, graph.plan().sender(channel))?;
        if peer == placement.here {
            return Ok(self.meet(channel, capacity));
        }
        let queue = Arc::new(ChannelQueue::new(channel, capacity));
        let link = self.inbound.entry(peer).or_insert_with(Inbound::new);
        link.add(&queue, Arc::clone(graph.codec(channel.edge)));
        Ok(queue)
    }

    /// The queue between two slots of this process.
    fn meet(&mut self, channel: ChannelId, capacity: usize) -> Arc<ChannelQueue> {
        if let Some(queue) = self.half_open.remove(&channel) {
            return queue;
        }
        let queue = Arc::new(ChannelQueue::new(channel, capacity));
        self.half_open.insert(channel, Arc::clone(&queue));
        queue
    }

    fn stop(self) {
        for link in self.outbound.values() {
            link.stop();
        }
        for link in self.inbound.values() {
            link.stop();
        }
    }
}

fn host(placement: &Placement, subtask: SubtaskId) -> Result<TaskManagerIndex, Failure> {
    placement.host(subtask).ok_or_else(|| {
        let message = format!("the placement has no host for subtask {subtask}: place all of them");
        Failure::new(FailureKind::Cluster, message)
    })
}

/// All channels that lead from this task manager to `peer`.
fn channels_to(
    graph: &JobGraph,
    placement: &Placement,
    peer: TaskManagerIndex,
) -> Vec<(ChannelId, Arc<dyn EdgeCodec>)> {
    let plan = graph.plan();
    let is_at = |subtask, host| placement.host(subtask) == Some(host);
    let mut channels = Vec::new();
    for sender in plan.subtasks().filter(|id| is_at(*id, placement.here)) {
        for edge in plan.outputs(sender.vertex) {
            let all = plan.output_channels(edge.id, sender.index).into_iter();
            let remote = all.filter(|channel| is_at(plan.receiver(*channel), peer));
            channels.extend(remote.map(|channel| (channel, Arc::clone(graph.codec(edge.id)))));
        }
    }
    channels
}
