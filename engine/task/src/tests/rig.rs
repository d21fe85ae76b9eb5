//! Task managers of a test: an exchange and one slot each, and what the cluster would do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sameriver_graph::JobGraph;
use sameriver_model::{
    AttemptNumber, Barrier, CheckpointId, Failure, JobNonce, RestoredState, SlotIndex, SubtaskId,
    SubtaskIndex, TaskManagerIndex, VertexId,
};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, World};

use super::chains::{Numbers, split};
use crate::{
    Deployment, Exchange, ExchangeSettings, Placement, Slot, SlotEvent, SlotMail, SlotSettings,
    SubtaskCheckpoints, SubtaskMetrics,
};

pub(super) const ATTEMPT: AttemptNumber = AttemptNumber::new(1);

pub(super) fn subtask(vertex: u32, index: u32) -> SubtaskId {
    SubtaskId::new(VertexId::new(vertex), SubtaskIndex::new(index))
}

/// A job on some task managers.
pub(super) struct Rig {
    graph: Arc<JobGraph>,
    slots: Vec<Slot>,
    exchanges: Vec<Exchange>,
    pub(super) events: mpsc::Receiver<SlotEvent>,
    pub(super) hosts: BTreeMap<SubtaskId, (TaskManagerIndex, SlotIndex)>,
    pub(super) addresses: BTreeMap<TaskManagerIndex, Address>,
    splits: Vec<Numbers>,
    pub(super) checkpoints: Option<SubtaskCheckpoints>,
    /// What subtasks start from, and the checkpoint that it is of.
    pub(super) restored: BTreeMap<SubtaskId, Arc<RestoredState>>,
    pub(super) restored_from: Option<CheckpointId>,
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum Ended {
    Finished(BTreeMap<SubtaskId, SubtaskMetrics>),
    Failed(Failure),
}

impl Rig {
    /// One task manager in each world. Subtask `i` of every vertex goes to world `i` (modulo), but
    /// `sinks_at` moves all subtasks of the second vertex.
    pub(super) async fn start(
        worlds: &[World],
        graph: Arc<JobGraph>,
        settings: SlotSettings,
        sinks_at: Option<u32>,
    ) -> Self {
        let (tx, events) = mpsc::channel(4);
        let (mut exchanges, mut slots) = (Vec::new(), Vec::new());
        let mut addresses = BTreeMap::new();
        for (index, world) in (0..).zip(worlds) {
            let exchange = Exchange::bind(world, &ExchangeSettings::default(), 1).await;
            let exchange = exchange.unwrap();
            let (index, events) = (SlotIndex::new(index), tx.clone());
            slots.push(Slot::start(
                world,
                index,
                settings,
                exchange.clone(),
                events,
            ));
            let here = TaskManagerIndex::new(index.get());
            addresses.insert(here, exchange.address().clone());
            exchanges.push(exchange);
        }
        let mut hosts = BTreeMap::new();
        for subtask in graph.plan().subtasks() {
            let own = subtask.index.get() % worlds.len() as u32;
            let is_sink = subtask.vertex == VertexId::new(1);
            let host = sinks_at.filter(|_| is_sink).unwrap_or(own);
            hosts.insert(subtask, (TaskManagerIndex::new(host), SlotIndex::new(host)));
        }
        Self {
            graph,
            slots,
            exchanges,
            events,
            hosts,
            addresses,
            splits: Vec::new(),
            checkpoints: None,
            restored: BTreeMap::new(),
            restored_from: None,
        }
    }

    /// One task manager with several slots: subtask `i` of every vertex goes to slot `i` (modulo).
    pub(super) async fn start_slots(world: &World, count: u32, graph: Arc<JobGraph>) -> Self {
        let settings = SlotSettings::default();
        let mut rig = Self::start(std::slice::from_ref(world), graph, settings, None).await;
        let (tx, events) = mpsc::channel(4);
        let start = |slot| {
            let exchange = rig.exchanges[0].clone();
            Slot::start(world, SlotIndex::new(slot), settings, exchange, tx.clone())
        };
        rig.slots = (0..count).map(start).collect();
        rig.events = events;
        for (subtask, (_, slot)) in &mut rig.hosts {
            *slot = SlotIndex::new(subtask.index.get() % count);
        }
        rig
    }

    /// The splits that sources get when they ask, one each.
    pub(super) fn splits(mut self, splits: impl IntoIterator<Item = Numbers>) -> Self {
        self.splits = splits.into_iter().collect();
        self.splits.reverse();
        self
    }

    pub(super) fn exchange(&self, position: usize) -> &Exchange {
        &self.exchanges[position]
    }

    fn placement(&self, here: TaskManagerIndex) -> Placement {
        Placement {
            here,
            hosts: self.hosts.clone(),
            addresses: self.addresses.clone(),
        }
    }

    pub(super) async fn send(&self, subtask: SubtaskId, mail: SlotMail) {
        let (_, slot) = self.hosts[&subtask];
        self.slots[slot.position()].send(mail).await.unwrap();
    }

    pub(super) async fn deploy(&self, subtask: SubtaskId) {
        let (here, _) = self.hosts[&subtask];
        let deployment = Deployment {
            job: JobNonce::new(1),
            attempt: ATTEMPT,
            subtask,
            graph: Arc::clone(&self.graph),
            placement: Arc::new(self.placement(here)),
            restored: self.restored.get(&subtask).cloned(),
            restored_from: self.restored_from,
            checkpoints: self.checkpoints.clone(),
        };
        self.send(subtask, SlotMail::Deploy(deployment)).await;
    }

    pub(super) async fn deploy_all(&self) {
        for subtask in self.graph.plan().subtasks() {
            self.deploy(subtask).await;
        }
    }

    /// Tells every slot.
    pub(super) async fn tell_all(&self, mail: SlotMail) {
        for slot in &self.slots {
            slot.send(mail.clone()).await.unwrap();
        }
    }

    pub(super) async fn trigger(&self, subtask: SubtaskId, checkpoint: u64) {
        let barrier = Barrier {
            checkpoint: CheckpointId::new(checkpoint),
        };
        let mail = SlotMail::Trigger {
            subtask,
            attempt: ATTEMPT,
            barrier,
        };
        self.send(subtask, mail).await;
    }

    /// Triggers a checkpoint at every source.
    pub(super) async fn trigger_all(&self, checkpoint: u64) {
        let plan = self.graph.plan();
        for subtask in plan.subtasks().filter(|id| id.vertex == VertexId::new(0)) {
            self.trigger(subtask, checkpoint).await;
        }
    }

    /// Hands out a split, if the event asks for one.
    pub(super) async fn answer(&mut self, event: &SlotEvent) {
        if let SlotEvent::SplitRequest { subtask, attempt } = event {
            let split = self.splits.pop().map(split);
            let mail = SlotMail::Assign {
                subtask: *subtask,
                attempt: *attempt,
                no_more: split.is_none(),
                splits: split.into_iter().collect(),
            };
            self.send(*subtask, mail).await;
        }
    }

    /// Answers split requests until a subtask failed or all have finished; releases them when all
    /// have ended.
    pub(super) async fn run(&mut self) -> Ended {
        let (mut finished, mut ended) = (BTreeMap::new(), BTreeSet::new());
        while finished.len() < self.hosts.len() {
            let event = self.events.recv().await.unwrap();
            self.answer(&event).await;
            match event {
                SlotEvent::Finished {
                    subtask, metrics, ..
                } => {
                    finished.insert(subtask, metrics);
                }
                SlotEvent::Failed { failure, .. } => return Ended::Failed(failure),
                SlotEvent::Ended { subtask, .. } => {
                    ended.insert(subtask);
                    if ended.len() == self.hosts.len() {
                        let attempt = ATTEMPT;
                        self.tell_all(SlotMail::Release { attempt }).await;
                    }
                }
                SlotEvent::Running { .. }
                | SlotEvent::SourceRead { .. }
                | SlotEvent::SplitRequest { .. }
                | SlotEvent::Acknowledged { .. }
                | SlotEvent::Declined { .. }
                | SlotEvent::Cancelled { .. } => {}
            }
        }
        Ended::Finished(finished)
    }

    /// Deploys everything and expects it to finish.
    pub(super) async fn finish(&mut self) -> BTreeMap<SubtaskId, SubtaskMetrics> {
        self.deploy_all().await;
        match self.run().await {
            Ended::Finished(metrics) => metrics,
            Ended::Failed(failure) => panic!("the job failed: {failure}"),
        }
    }

    /// Deploys everything and expects a failure.
    pub(super) async fn fail(&mut self) -> Failure {
        self.deploy_all().await;
        match self.run().await {
            Ended::Finished(_) => panic!("the job finished"),
            Ended::Failed(failure) => failure,
        }
    }

    /// Stops the slots, then closes the exchanges.
    pub(super) async fn stop(self) {
        for slot in self.slots {
            slot.stop().await.unwrap();
        }
        for exchange in self.exchanges {
            exchange.close().await;
        }
    }
}
