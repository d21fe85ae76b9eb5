//! The kinds of faults by name.
//!
//! Invariant: a name in a plan means the same fault for ever: names are added, never reused. Knows
//! nothing of when a fault happens or to whom.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A kind of fault.
///
/// ```
/// use sameriver_sim::FaultFamily;
/// assert_eq!(FaultFamily::CutOneWay.to_string(), "cut-one-way");
/// assert_eq!("cut-one-way".parse(), Ok(FaultFamily::CutOneWay));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultFamily {
    /// A node loses its power and starts again on the same disk.
    Crash,
    /// A node loses its power and its disk; it starts again on an empty one.
    RestartWiped,
    /// A node stands still and goes on.
    Pause,
    /// A node stands still until others have given it up, and goes on.
    Zombie,
    /// A node loses its power at a marked place of the engine.
    CrashPoint,
    /// A link delivers nothing in either direction.
    CutBoth,
    /// A link delivers nothing in one direction.
    CutOneWay,
    /// A link keeps everything back and delivers it at once, later.
    Clog,
    /// A link carries few bytes a second.
    SlowLink,
    /// A connection breaks behind some byte.
    Reset,
    /// New connections to a node are refused.
    ConnectRefused,
    /// New connections to a node get no answer.
    ConnectHang,
    /// A link takes longer.
    Latency,
    /// A disk fails reads, writes and syncs.
    DiskEio,
    /// A disk has no space left, until it is freed.
    DiskEnospc,
    /// A disk takes longer.
    DiskSlow,
    /// A sync fails once; the bytes count as clean and are gone at the next crash.
    DiskFsyncLost,
    /// The blob store takes longer.
    BlobLatency,
    /// The blob store fails requests without carrying them out.
    BlobErrorBurst,
    /// The blob store carries requests out and does not answer.
    BlobUnanswered,
    /// The blob store neither carries requests out nor ever answers them.
    BlobSilent,
    /// The blob store takes no more bytes, until it is freed.
    BlobFull,
    /// A node's wall clock is set forward or back.
    ClockJump,
    /// A node's clocks run fast or slow.
    ClockDrift,
}

/// No such family.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no family of faults is called {name}: choose from {offered}")]
pub struct UnknownFamily {
    /// What was asked for.
    pub name: String,
    /// The names that there are.
    pub offered: String,
}

impl FaultFamily {
    /// All families, in the order of their declaration.
    pub const ALL: [Self; 24] = [
        Self::Crash,
        Self::RestartWiped,
        Self::Pause,
        Self::Zombie,
        Self::CrashPoint,
        Self::CutBoth,
        Self::CutOneWay,
        Self::Clog,
        Self::SlowLink,
        Self::Reset,
        Self::ConnectRefused,
        Self::ConnectHang,
        Self::Latency,
        Self::DiskEio,
        Self::DiskEnospc,
        Self::DiskSlow,
        Self::DiskFsyncLost,
        Self::BlobLatency,
        Self::BlobErrorBurst,
        Self::BlobUnanswered,
        Self::BlobSilent,
        Self::BlobFull,
        Self::ClockJump,
        Self::ClockDrift,
    ];

    /// The name in plans and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crash => "crash",
            Self::RestartWiped => "restart-wiped",
            Self::Pause => "pause",
            Self::Zombie => "zombie",
            Self::CrashPoint => "crash-point",
            Self::CutBoth => "cut-both",
            Self::CutOneWay => "cut-one-way",
            Self::Clog => "clog",
            Self::SlowLink => "slow-link",
            Self::Reset => "reset",
            Self::ConnectRefused => "connect-refused",
            Self::ConnectHang => "connect-hang",
            Self::Latency => "latency",
            Self::DiskEio => "disk-eio",
            Self::DiskEnospc => "disk-enospc",
            Self::DiskSlow => "disk-slow",
            Self::DiskFsyncLost => "disk-fsync-lost",
            Self::BlobLatency => "blob-latency",
            Self::BlobErrorBurst => "blob-error-burst",
            Self::BlobUnanswered => "blob-unanswered",
            Self::BlobSilent => "blob-silent",
            Self::BlobFull => "blob-full",
            Self::ClockJump => "clock-jump",
            Self::ClockDrift => "clock-drift",
        }
    }

    /// What it is done to.
    pub const fn target_kind(self) -> TargetKind {
        match self {
            Self::Crash
            | Self::RestartWiped
            | Self::Pause
            | Self::Zombie
            | Self::CrashPoint
            | Self::ConnectRefused
            | Self::ConnectHang
            | Self::ClockJump
            | Self::ClockDrift => TargetKind::Node,
            Self::CutBoth
            | Self::CutOneWay
            | Self::Clog
            | Self::SlowLink
            | Self::Reset
            | Self::Latency => TargetKind::Link,
            Self::DiskEio | Self::DiskEnospc | Self::DiskSlow | Self::DiskFsyncLost => {
                TargetKind::Disk
            }
            Self::BlobLatency
            | Self::BlobErrorBurst
            | Self::BlobUnanswered
            | Self::BlobSilent
            | Self::BlobFull => TargetKind::Store,
        }
    }

    /// Whether the node has lost its power while it lasts.
    pub const fn is_crash(self) -> bool {
        matches!(self, Self::Crash | Self::RestartWiped | Self::CrashPoint)
    }
}

impl fmt::Display for FaultFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for FaultFamily {
    type Err = UnknownFamily;

    fn from_str(name: &str) -> Result<Self, UnknownFamily> {
        let found = Self::ALL.into_iter().find(|family| family.name() == name);
        found.ok_or_else(|| UnknownFamily {
            name: name.to_owned(),
            offered: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// What a family of faults is done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// A node.
    Node,
    /// A directed link.
    Link,
    /// The disk of a node.
    Disk,
    /// The blob store.
    Store,
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Node => "a node",
            Self::Link => "a link",
            Self::Disk => "a disk",
            Self::Store => "the store",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_is_that_of_the_plan() {
        for family in FaultFamily::ALL {
            assert_eq!(family.name().parse(), Ok(family));
            let value = toml::Value::try_from(family).expect("a name is a value");
            assert_eq!(value.as_str(), Some(family.name()));
        }
    }
}
