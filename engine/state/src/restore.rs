//! Reads sections of a snapshot back, and refuses what does not belong where it is read.
//!
//! Invariant: nothing is taken for what it is not: another version, kind or type, a key of another
//! key group, a key that comes twice, a state that nobody declares is an error that names the
//! section. Knows neither tables nor files.

use sameriver_model::codec::ordered;
use sameriver_model::codec::wire;
use sameriver_model::{
    Key, KeyGroup, KeyGroupRange, KeyHash, MaxParallelism, RestoredState, SectionId, SectionKind,
    Uid,
};
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::descriptor::{StateDescriptor, StateKind};
use crate::snapshot::FORMAT;

/// Why an operator cannot start from a snapshot. Each names the section and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RestoreError {
    /// Written by another version of the engine.
    #[error(
        "{section} has format {found}, this binary reads {newest}: start the job with the binary \
         that took the checkpoint"
    )]
    Version {
        /// The section.
        section: SectionId,
        /// Its format.
        found: u8,
        /// What can be read.
        newest: u8,
    },
    /// The state was declared otherwise when the snapshot was taken.
    #[error(
        "{section} holds {found}, but {expected} is declared: declare it as it was, or give the \
         changed operator a new uid"
    )]
    Declared {
        /// The section.
        section: SectionId,
        /// What it holds.
        found: String,
        /// What is expected.
        expected: String,
    },
    /// The snapshot has a state that the operator does not declare any more.
    #[error(
        "{section} is in the snapshot, but the operator declares no such state: declare it, or \
         give the changed operator a new uid"
    )]
    Undeclared {
        /// The section.
        section: SectionId,
    },
    /// The bytes are not what their head says.
    #[error(
        "{section} cannot be read: {cause}: start the job with the binary that took the checkpoint"
    )]
    Unreadable {
        /// The section.
        section: SectionId,
        /// What is wrong.
        cause: String,
    },
    /// A key group that another subtask owns.
    #[error("{section} was given to the subtask of {range}: a bug of the engine, please report it")]
    ForeignGroup {
        /// The section.
        section: SectionId,
        /// What the subtask owns.
        range: KeyGroupRange,
    },
    /// A key of another key group.
    #[error(
        "{section} holds a key of {group}: if `Serialize` of the key was changed, start the job \
         with the binary that took the checkpoint"
    )]
    ForeignKey {
        /// The section.
        section: SectionId,
        /// Where the key belongs.
        group: KeyGroup,
    },
    /// Two entries of one key.
    #[error("{section} holds a key twice: a bug of the engine, please report it")]
    KeyTwice {
        /// The section.
        section: SectionId,
    },
}

/// The rest of a section that is being read.
pub(crate) struct Reading<'a> {
    section: &'a SectionId,
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    /// Begins behind the version.
    pub(crate) fn new(section: &'a SectionId, bytes: &'a [u8]) -> Result<Self, RestoreError> {
        let mut reading = Self {
            section,
            rest: bytes,
        };
        match reading.byte()? {
            FORMAT => Ok(reading),
            found => Err(RestoreError::Version {
                section: section.clone(),
                found,
                newest: FORMAT,
            }),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn unreadable(&self, cause: &dyn std::fmt::Display) -> RestoreError {
        RestoreError::Unreadable {
            section: self.section.clone(),
            cause: cause.to_string(),
        }
    }

    fn byte(&mut self) -> Result<u8, RestoreError> {
        let (first, rest) = self
            .rest
            .split_first()
            .ok_or_else(|| self.unreadable(&"it is empty"))?;
        self.rest = rest;
        Ok(*first)
    }

    /// A value in `wire`.
    pub(crate) fn value<V: DeserializeOwned>(&mut self) -> Result<V, RestoreError> {
        wire::decode_front(&mut self.rest).map_err(|cause| self.unreadable(&cause))
    }

    /// A value in `ordered`.
    pub(crate) fn ordered<V: DeserializeOwned>(&mut self) -> Result<V, RestoreError> {
        ordered::decode_front(&mut self.rest).map_err(|cause| self.unreadable(&cause))
    }

    /// Compares what stands before the entries with what is declared.
    pub(crate) fn head<K>(&mut self, expected: &StateDescriptor) -> Result<(), RestoreError> {
        let kind = self.byte()?;
        let kind = StateKind::of_code(kind);
        let kind = kind.ok_or_else(|| self.unreadable(&"it is of an unknown kind"))?;
        let [key, value] = [self.value::<String>()?, self.value::<String>()?];
        let declared_key = std::any::type_name::<K>();
        if kind == expected.kind() && key == declared_key && value == expected.type_name() {
            return Ok(());
        }
        let name = expected.name();
        Err(RestoreError::Declared {
            section: self.section.clone(),
            found: format!("{kind} {name}: {value} by {key}"),
            expected: format!("{expected} by {declared_key}"),
        })
    }

    /// A key, its hash computed anew; it must be of the section's group.
    pub(crate) fn key<K: Key>(
        &mut self,
        max: MaxParallelism,
        scratch: &mut Vec<u8>,
    ) -> Result<(K, KeyHash), RestoreError> {
        let key: K = self.ordered()?;
        let hash = KeyHash::of(&key, scratch).map_err(|cause| self.unreadable(&cause))?;
        let group = hash.group(max);
        if Some(group) == self.section.group {
            return Ok((key, hash));
        }
        let section = self.section.clone();
        Err(RestoreError::ForeignKey { section, group })
    }

    pub(crate) fn key_twice(&self) -> RestoreError {
        let section = self.section.clone();
        RestoreError::KeyTwice { section }
    }
}

/// The parts of the sections of an operator that `wanted` picks; all must be of groups of `range`.
pub(crate) fn parts<'a>(
    restored: &'a RestoredState,
    operator: &'a Uid,
    range: KeyGroupRange,
    wanted: impl Fn(&SectionId) -> bool + 'a,
) -> impl Iterator<Item = Result<(&'a SectionId, &'a [u8]), RestoreError>> {
    let sections = restored.of(operator).filter(move |(id, _)| wanted(id));
    sections.flat_map(move |(id, parts)| {
        parts.iter().map(move |part| match id.group {
            Some(group) if range.contains(group) => Ok((id, &part[..])),
            Some(_) | None => Err(RestoreError::ForeignGroup {
                section: id.clone(),
                range,
            }),
        })
    })
}

/// Refuses keyed state of an operator that it does not declare (by these names), and timers if it
/// has none.
///
/// # Errors
/// [`RestoreError::Undeclared`], naming the first such section.
///
/// ```
/// use sameriver_model::{KeyGroup, RestoredState, SectionId, SectionKind, Uid};
/// let mut restored = RestoredState::default();
/// let count = SectionId {
///     operator: Uid::new("totals"),
///     state: "count".to_owned(),
///     kind: SectionKind::Keyed,
///     group: Some(KeyGroup::new(41)),
/// };
/// restored.add(count, vec![].into());
/// let refuse = |names| {
///     sameriver_state::refuse_undeclared(&restored, &Uid::new("totals"), names, false)
/// };
/// assert!(refuse(&["count"]).is_ok());
/// let error = refuse(&["sum"]).unwrap_err().to_string();
/// assert!(error.starts_with("keyed state count of totals, kg41 is in the snapshot, but"));
/// ```
pub fn refuse_undeclared(
    restored: &RestoredState,
    operator: &Uid,
    names: &[&str],
    has_timers: bool,
) -> Result<(), RestoreError> {
    for (id, _) in restored.of(operator) {
        let is_known = match id.kind {
            SectionKind::Keyed => names.contains(&id.state.as_str()),
            SectionKind::Timers => has_timers,
            SectionKind::Operator | SectionKind::Splits | SectionKind::Committables => true,
        };
        if !is_known {
            let section = id.clone();
            return Err(RestoreError::Undeclared { section });
        }
    }
    Ok(())
}
