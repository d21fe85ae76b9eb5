//! What may go wrong in a simulated cluster, and the draw of what does.
//!
//! Invariant: a crash is armed only where the job passes: places of files only if it writes some.
//! A disk loses its space only if the job, or its checkpoints, are written there.

use sameriver::Settings;

use super::cluster::{SimCluster, leader_timeout};
use super::phases::Phases;
use super::settings::keeps_files;
use crate::VOLUME;
use crate::fault::{Class, FaultFamily, FaultScript, TargetKind, Targets};

/// How often a script that would hardly be felt is drawn again.
const REDRAWS_MAX: u64 = 32;
/// So many episodes on links are felt, mostly.
const LINK_EPISODES_MIN: usize = 5;

/// The crash points of a checkpoint, of a commit and of a restore, in their order.
pub const CRASH_POINTS: &[&str] = &[
    "checkpoint.trigger",
    "snapshot.align",
    "snapshot.synchronous",
    "stage.synced",
    "snapshot.upload",
    "snapshot.acknowledge",
    "checkpoint.publish.metadata",
    "checkpoint.publish.record",
    "log.create",
    "log.created",
    "checkpoint.published",
    "checkpoint.notify",
    "snapshot.complete",
    "commit.begin",
    "publish.done",
    "commit.done",
    "restore.plan",
    "restore.read",
    "restore.deploy",
    "restore.fetch",
    "restore.open",
];

/// Those that only a job passes that writes files.
const OF_WRITTEN_FILES: &[&str] = &["stage.synced", "publish.done"];

/// What disks a job uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Whether every node reads files of its own disk.
    pub reads_own: bool,
    /// Whether it writes files below `data/`.
    pub writes_shared: bool,
}

impl SimCluster {
    /// What a script may hurt in a cluster of this size; disks only if the job uses them.
    pub fn targets(settings: &Settings, masters: u32, disks: DiskUse) -> Targets {
        let nodes = Self::nodes(settings, masters);
        let read = if disks.reads_own {
            nodes.as_slice()
        } else {
            &[]
        };
        let on_files = keeps_files(settings);
        let written = (disks.writes_shared || on_files).then(|| VOLUME.to_owned());
        Targets {
            wipeable: nodes.clone(),
            read_disks: read.to_vec(),
            disks: written.into_iter().collect(),
            nodes,
            store: !on_files,
            crash_points: crash_points(disks),
            timeouts: vec![
                settings.heartbeat_timeout,
                settings.checkpoint_timeout,
                leader_timeout(settings),
                settings.registration_timeout,
                settings.deploy_timeout,
                settings.cancellation_timeout,
            ],
        }
    }

    /// Draws what goes wrong.
    pub fn draw_faults(
        seed: u64,
        class: Class,
        settings: &Settings,
        masters: u32,
        disks: DiskUse,
        phases: &Phases,
    ) -> FaultScript {
        let targets = Self::targets(settings, masters, disks);
        let draw = |seed| FaultScript::draw(seed, class, &targets, phases.window());
        let drawn = (0..REDRAWS_MAX).map(|redraw| draw(seed ^ redraw << 40));
        let is_felt = |script: &FaultScript| will_be_felt(script, keeps_files(settings));
        let mut scripts = drawn.filter(|script| class == Class::Calm || is_felt(script));
        scripts.next().unwrap_or_else(|| draw(seed))
    }
}

/// The places that the job passes; those that few runs reach are named more than once.
fn crash_points(disks: DiskUse) -> Vec<String> {
    let mut named = Vec::new();
    for place in CRASH_POINTS {
        let of_files = OF_WRITTEN_FILES.contains(place);
        let times = match (of_files, place.starts_with("restore.")) {
            (true, _) if !disks.writes_shared => 0,
            (true, _) => 6,
            (false, true) => 2,
            (false, false) => 1,
        };
        named.extend((0..times).map(|_| (*place).to_owned()));
    }
    named
}

/// Whether faults of a script meet somebody: doors only matter to those who come, many links carry
/// little, and many jobs write little.
fn will_be_felt(script: &FaultScript, on_files: bool) -> bool {
    let count = |is_one: &dyn Fn(FaultFamily) -> bool| {
        let episodes = script.0.iter();
        episodes.filter(|episode| is_one(episode.family)).count()
    };
    let of_nodes_or_store = count(&|family| match family.target_kind() {
        TargetKind::Node => !matches!(
            family,
            FaultFamily::ConnectRefused | FaultFamily::ConnectHang | FaultFamily::ClockJump
        ),
        TargetKind::Store => true,
        TargetKind::Disk => on_files,
        TargetKind::Link => false,
    });
    let of_links = count(&|family| family.target_kind() == TargetKind::Link);
    of_nodes_or_store >= 1 || of_links >= LINK_EPISODES_MIN
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use sameriver_runtime::RandomStream;

    use super::*;
    use crate::job::draw_lasting_settings;

    fn armed(disks: DiskUse) -> BTreeSet<String> {
        let phases = Phases {
            warm_up: Duration::from_secs(1),
            chaos: Duration::from_secs(30),
        };
        let scripts = (0..400).map(|seed| {
            let settings = draw_lasting_settings(&mut RandomStream::named(seed, "settings"));
            SimCluster::draw_faults(seed, Class::Swarm, &settings, 2, disks, &phases)
        });
        let episodes = scripts.flat_map(|script| script.0);
        episodes
            .filter_map(|episode| episode.at.place().map(str::to_owned))
            .collect()
    }

    #[test]
    fn every_step_that_a_job_passes_is_armed_by_some_seed_and_no_other() {
        let all: BTreeSet<String> = CRASH_POINTS.iter().map(|&place| place.to_owned()).collect();
        let files = DiskUse {
            writes_shared: true,
            ..DiskUse::default()
        };
        assert_eq!(armed(files), all);
        let without = armed(DiskUse::default());
        let lacking: Vec<&String> = all.difference(&without).collect();
        assert_eq!(lacking, ["publish.done", "stage.synced"]);
    }
}
