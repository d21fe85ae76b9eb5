//! What can go wrong when state is declared and when it is used.

use sameriver_model::codec::ordered::OrderedError;
use thiserror::Error;

/// Why a state cannot be declared.
///
/// ```
/// use sameriver_state::{Declare, DeclareError, ValueState};
/// fn states(declare: &mut Declare<'_, u64>) -> Result<ValueState<u32>, DeclareError> {
///     declare.value("count")
/// }
/// let error = DeclareError::DeclaredTwice { name: "count".to_owned() };
/// assert!(error.to_string().contains("give each state of an operator its own name"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeclareError {
    /// Snapshots find a state by its name.
    #[error("a state without a name was declared: give it one, such as \"count\"")]
    NameEmpty,
    /// Two states of one operator have one name.
    #[error("state {name:?} is declared twice: give each state of an operator its own name")]
    DeclaredTwice {
        /// The name.
        name: String,
    },
    /// An operator has more states than handles can count.
    #[error("state {name:?} is one too many: an operator can have {limit} states, use a map state")]
    TooMany {
        /// The name of the refused state.
        name: String,
        /// How many there can be.
        limit: usize,
    },
}

/// Why state or a timer cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// The handle was declared by another operator.
    #[error(
        "state handle {handle} of type {type_name} is not one of this operator: use the handles \
         that its own `states` returned"
    )]
    ForeignHandle {
        /// The position of the handle's state among the declared ones.
        handle: u16,
        /// What the handle would give.
        type_name: &'static str,
    },
    /// A key, a map key or a namespace has no canonical bytes.
    #[error("key of state: {0}")]
    Key(#[from] OrderedError),
}
