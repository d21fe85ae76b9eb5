//! Tables of facts against states and commands, and random orders of facts.

use sameriver_model::{
    FailureKind, MaxParallelism, Parallelism, PlanVertex, SubtaskId, SubtaskIndex, VertexId,
};

use super::*;
use crate::settings::Deadlines;
use crate::status::JobStatus as S;

use std::time::Duration;

mod random;
mod recovery;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

fn subtask(vertex: u32, index: u32) -> SubtaskId {
    SubtaskId::new(VertexId::new(vertex), SubtaskIndex::new(index))
}

fn tm(index: u32) -> TaskManagerIndex {
    TaskManagerIndex::new(index)
}

const FIRST: AttemptNumber = AttemptNumber::new(1);

fn settings(task_managers: u32) -> JobSettings {
    JobSettings {
        task_managers,
        fingerprint: 0xf1,
        deadlines: Deadlines {
            registration: SECOND * 10,
            grace: SECOND * 5,
            deploy: SECOND * 20,
            cancellation: SECOND * 30,
            conclusion: SECOND * 40,
        },
        restart: crate::RestartStrategy::None,
        seed: 0,
        checkpoints: None,
    }
}

/// Two vertices of two subtasks each on two task managers; deadlines of 10, 20 and 30 seconds.
fn machine() -> JobMachine {
    let vertex = |id| PlanVertex {
        id: VertexId::new(id),
        name: format!("vertex {id}"),
        parallelism: Parallelism::new(2).unwrap(),
        is_source: id == 0,
    };
    let plan = JobPlan {
        name: "job".to_owned(),
        max_parallelism: MaxParallelism::default(),
        vertices: vec![vertex(0), vertex(1)],
        edges: Vec::new(),
    };
    JobMachine::new(plan, settings(2))
}

fn subtasks() -> [SubtaskId; 4] {
    [subtask(0, 0), subtask(0, 1), subtask(1, 0), subtask(1, 1)]
}

fn registered(index: u32) -> Fact {
    Fact::TaskManagerRegistered {
        task_manager: tm(index),
        incarnation: Incarnation::new(1),
        slots: 1,
        data_address: format!("node{index}:1"),
    }
}

fn read() -> Fact {
    Fact::EnumeratorsRead { attempt: FIRST }
}

fn running(subtask: SubtaskId) -> Fact {
    let attempt = FIRST;
    Fact::SubtaskRunning { subtask, attempt }
}

fn finished(subtask: SubtaskId) -> Fact {
    let attempt = FIRST;
    Fact::SubtaskFinished { subtask, attempt }
}

fn cancelled(subtask: SubtaskId) -> Fact {
    let attempt = FIRST;
    Fact::SubtaskCancelled { subtask, attempt }
}

fn failed(subtask: SubtaskId, kind: FailureKind, message: &str) -> Fact {
    Fact::SubtaskFailed {
        subtask,
        attempt: FIRST,
        failure: Failure::new(kind, message),
    }
}

fn lost(index: u32) -> Fact {
    Fact::TaskManagerLost {
        task_manager: tm(index),
        incarnation: Incarnation::new(1),
        cause: "connection closed".to_owned(),
    }
}

fn feed(machine: &mut JobMachine, facts: impl IntoIterator<Item = Fact>) -> Vec<Command> {
    let mut out = Vec::new();
    for fact in facts {
        machine.on(fact, at(0), &mut out);
    }
    out
}

fn deployed() -> JobMachine {
    let mut machine = machine();
    feed(
        &mut machine,
        [Fact::Started, read(), registered(0), registered(1)],
    );
    machine
}

fn all_running() -> JobMachine {
    let mut machine = deployed();
    feed(&mut machine, subtasks().map(running));
    machine
}

fn end_of(commands: &[Command]) -> JobEnd {
    match commands.last() {
        Some(Command::JobEnded(end)) => end.clone(),
        other => panic!("the last command is {other:?}"),
    }
}

fn message_of(commands: &[Command]) -> String {
    match end_of(commands) {
        JobEnd::Failed(failure) => failure.to_string(),
        end @ (JobEnd::Finished | JobEnd::Cancelled) => panic!("the job ended as {end}"),
    }
}

fn cancel_on(index: u32) -> Command {
    Command::Cancel {
        task_manager: tm(index),
        attempt: FIRST,
    }
}

#[test]
fn a_job_walks_from_created_to_finished() {
    let mut machine = machine();
    let mut seen = vec![machine.status()];
    let mut commands = Vec::new();
    let start = [Fact::Started, read(), registered(1), registered(0)];
    let facts = start.into_iter().chain(subtasks().map(running));
    for fact in facts.chain(subtasks().map(finished)) {
        machine.on(fact, at(0), &mut commands);
        seen.push(machine.status());
    }
    seen.dedup();
    let walk = [
        S::Created,
        S::Waiting,
        S::Deploying,
        S::Running,
        S::Finishing,
        S::Finished,
    ];
    assert_eq!(seen, walk);
    assert_eq!(end_of(&commands), JobEnd::Finished);
}

#[test]
fn subtasks_are_deployed_once_all_task_managers_are_registered() {
    let mut machine = machine();
    assert_eq!(
        feed(&mut machine, [Fact::Started, read(), registered(1)]),
        [Command::OpenEnumerators {
            attempt: FIRST,
            restore: None
        }]
    );
    let commands = feed(&mut machine, [registered(0)]);
    let placed = |vertex, index| crate::PlacedSubtask {
        subtask: subtask(vertex, index),
        slot: sameriver_model::SlotIndex::new(0),
    };
    let deploy = |index| Command::Deploy {
        task_manager: tm(index),
        attempt: FIRST,
        subtasks: vec![placed(0, index), placed(1, index)],
        reports: None,
        restore: None,
    };
    assert_eq!(commands, [deploy(0), deploy(1)]);
    let addresses: Vec<_> = machine.data_addresses().collect();
    assert_eq!(addresses, [(tm(0), "node0:1"), (tm(1), "node1:1")]);
}

#[test]
fn a_job_without_vertices_finishes_at_once() {
    let plan = JobPlan {
        vertices: Vec::new(),
        ..machine().plan
    };
    let mut machine = JobMachine::new(plan, settings(1));
    let commands = feed(&mut machine, [Fact::Started, read(), registered(0)]);
    assert_eq!(end_of(&commands), JobEnd::Finished);
}

#[test]
fn too_few_slots_fail_the_job_with_the_setting() {
    let mut machine = machine();
    let empty = Fact::TaskManagerRegistered {
        task_manager: tm(1),
        incarnation: Incarnation::new(1),
        slots: 0,
        data_address: String::new(),
    };
    let commands = feed(&mut machine, [Fact::Started, registered(0), empty]);
    assert!(message_of(&commands).contains("raise slots"));
}

#[test]
fn a_task_manager_is_admitted_once_with_a_known_index_while_the_job_waits() {
    let mut machine = machine();
    let early = machine.admits(tm(0), Incarnation::new(1)).unwrap_err();
    assert_eq!(
        early.to_string(),
        "task manager tm0 cannot register now: the job is created"
    );
    feed(&mut machine, [Fact::Started, registered(0)]);
    assert_eq!(machine.admits(tm(1), Incarnation::new(1)), Ok(()));
    let twice = Err(AdmissionError::Duplicate {
        task_manager: tm(0),
    });
    assert_eq!(machine.admits(tm(0), Incarnation::new(1)), twice);
    let unknown = Err(AdmissionError::Unknown {
        task_manager: tm(2),
        expected: 2,
    });
    assert_eq!(machine.admits(tm(2), Incarnation::new(1)), unknown);
}

#[test]
fn a_job_goes_on_without_a_refused_task_manager_and_names_it_only_if_it_is_missing() {
    let refused = || Fact::TaskManagerRefused {
        task_manager: tm(1),
        reason: "task manager tm1 runs another build".to_owned(),
    };
    assert_eq!(feed(&mut all_running(), [refused()]), []);
    let mut waiting = machine();
    feed(&mut waiting, [Fact::Started, refused()]);
    assert_eq!(waiting.status(), JobStatus::Waiting);
    let mut missed = waiting.clone();
    let mut commands = Vec::new();
    let late = missed.deadline().expect("it does not wait for ever");
    missed.on(Fact::DeadlinePassed, late, &mut commands);
    let message = message_of(&commands);
    assert!(
        message.ends_with("; tm1 was refused: task manager tm1 runs another build"),
        "{message}"
    );
    let commands = feed(&mut waiting, [read(), registered(0), registered(1)]);
    assert_eq!(
        commands.len(),
        2,
        "the right one may come after it: {commands:?}"
    );
}

#[test]
fn a_failed_subtask_stops_the_others_and_fails_the_job_when_all_have_answered() {
    let mut machine = all_running();
    let commands = feed(
        &mut machine,
        [failed(subtask(1, 1), FailureKind::User, "bad record")],
    );
    assert_eq!(commands, [cancel_on(0), cancel_on(1)]);
    assert_eq!(machine.status(), JobStatus::Failing);
    assert_eq!(
        feed(
            &mut machine,
            [cancelled(subtask(0, 0)), finished(subtask(0, 1))]
        ),
        []
    );
    let commands = feed(&mut machine, [cancelled(subtask(1, 0))]);
    assert_eq!(message_of(&commands), "subtask v1/1: bad record");
}

#[test]
fn a_cause_replaces_the_broken_channel_that_was_reported_first() {
    let mut machine = all_running();
    let consequence = failed(subtask(1, 0), FailureKind::Cluster, "peer tm1 is gone");
    let cause = failed(subtask(1, 1), FailureKind::User, "bad record");
    let later = failed(subtask(0, 0), FailureKind::Internal, "too late to matter");
    let facts = [consequence, cause, later, cancelled(subtask(0, 1))];
    assert_eq!(
        message_of(&feed(&mut machine, facts)),
        "subtask v1/1: bad record"
    );
}

#[test]
fn a_lost_task_manager_fails_the_job_and_owes_no_answers() {
    let mut machine = all_running();
    assert_eq!(feed(&mut machine, [lost(1)]), [cancel_on(0)]);
    let answers = [cancelled(subtask(0, 0)), cancelled(subtask(1, 0))];
    let commands = feed(&mut machine, answers);
    assert_eq!(
        message_of(&commands),
        "task manager tm1 was lost: connection closed"
    );
}

#[test]
fn a_cancel_request_before_the_deployment_ends_the_job_at_once() {
    for facts in [
        vec![],
        vec![Fact::Started],
        vec![Fact::Started, registered(0)],
    ] {
        let mut machine = machine();
        feed(&mut machine, facts);
        let commands = feed(&mut machine, [Fact::CancelRequested]);
        assert_eq!(commands, [Command::JobEnded(JobEnd::Cancelled)]);
    }
}

#[test]
fn a_cancelled_job_ends_when_all_subtasks_have_answered_in_any_way() {
    let mut machine = deployed();
    let commands = feed(&mut machine, [Fact::CancelRequested, Fact::CancelRequested]);
    assert_eq!(commands, [cancel_on(0), cancel_on(1)]);
    let answers = [
        finished(subtask(0, 0)),
        failed(subtask(0, 1), FailureKind::Cluster, "peer is gone"),
        cancelled(subtask(1, 0)),
    ];
    assert_eq!(feed(&mut machine, answers), []);
    assert_eq!(end_of(&feed(&mut machine, [lost(1)])), JobEnd::Cancelled);
}

#[test]
fn answers_of_another_attempt_and_repeated_answers_are_ignored() {
    let mut machine = all_running();
    let attempt = AttemptNumber::new(2);
    let stale = Fact::SubtaskFailed {
        subtask: subtask(0, 0),
        attempt,
        failure: Failure::new(FailureKind::User, "stale"),
    };
    assert_eq!(feed(&mut machine, [stale]), []);
    let twice = [finished(subtask(0, 0)), cancelled(subtask(0, 0))];
    assert_eq!(feed(&mut machine, twice), []);
    assert_eq!(machine.status(), JobStatus::Finishing);
}

#[test]
fn a_deadline_names_who_is_missing_and_the_setting() {
    let check = |mut machine: JobMachine, too_early: u64, expected: &str| {
        let mut out = Vec::new();
        machine.on(Fact::DeadlinePassed, at(too_early), &mut out);
        assert_eq!(out, [], "too early is harmless");
        machine.on(Fact::DeadlinePassed, at(too_early + 1), &mut out);
        let mut time = too_early + 1;
        while !machine.status().is_terminal() {
            time += 30;
            machine.on(Fact::DeadlinePassed, at(time), &mut out);
        }
        assert_eq!(message_of(&out), expected);
    };
    let mut waiting = machine();
    feed(&mut waiting, [Fact::Started, registered(0)]);
    check(
        waiting,
        9,
        "task managers tm1 of 2 have not registered within 10s: start them, or raise \
         registration_timeout",
    );
    let mut deploying = deployed();
    feed(
        &mut deploying,
        [running(subtask(0, 0)), running(subtask(1, 0))],
    );
    check(
        deploying,
        19,
        "subtasks v0/1, v1/1 do not run after 20s: look at their task managers, or raise \
         deploy_timeout",
    );
    let mut cancelling = all_running();
    feed(
        &mut cancelling,
        [Fact::CancelRequested, finished(subtask(0, 0))],
    );
    check(
        cancelling,
        29,
        "subtasks v0/1, v1/0, v1/1 have not stopped 30s after the cancel request: look for a \
         function that blocks, or raise cancellation_timeout",
    );
}

fn is_deploy_on(command: &Command, index: u32) -> bool {
    matches!(command, Command::Deploy { task_manager, .. } if task_manager.get() == index)
}
