//! What one declared state is called and what it holds.

use std::fmt;

/// The shape of a state under one key.
///
/// ```
/// assert_eq!(sameriver_state::StateKind::Map.to_string(), "map");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// One value.
    Value,
    /// Values in the order in which they were pushed.
    List,
    /// Values by a second key.
    Map,
}

impl StateKind {
    /// How snapshots name it; never changed.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Value => 0,
            Self::List => 1,
            Self::Map => 2,
        }
    }

    pub(crate) const fn of_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Value),
            1 => Some(Self::List),
            2 => Some(Self::Map),
            _ => None,
        }
    }
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::List => "list",
            Self::Map => "map",
        })
    }
}

/// Name, kind and type of a state, as declared.
///
/// Two declarations of one operator agree when their descriptors are equal, in order.
///
/// ```
/// use sameriver_state::{StateDescriptor, StateKind};
/// let count = StateDescriptor::new::<u64>("count", StateKind::Value);
/// assert_eq!(count.to_string(), "value count: u64");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDescriptor {
    name: String,
    kind: StateKind,
    type_name: &'static str,
}

impl StateDescriptor {
    /// Describes a state that holds `V`.
    pub fn new<V>(name: impl Into<String>, kind: StateKind) -> Self {
        Self {
            name: name.into(),
            kind,
            type_name: std::any::type_name::<V>(),
        }
    }

    /// The name, unique in its operator.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape under one key.
    pub fn kind(&self) -> StateKind {
        self.kind
    }

    /// What is held, as Rust prints it; for messages only.
    pub fn type_name(&self) -> &'static str {
        self.type_name
    }
}

impl fmt::Display for StateDescriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind, self.name, self.type_name)
    }
}
