//! Why a value has no `wire` bytes, or bytes are not those of a value.

use std::fmt;

use thiserror::Error;

use crate::codec::field::{self, Field};

/// A value that `wire` cannot write, or bytes that are not one of the expected type.
///
/// ```
/// use sameriver_model::codec::wire;
/// let error = wire::decode::<u64>(&[1, 2, 3]).unwrap_err();
/// assert_eq!(error.to_string(), "the bytes of `u64` are cut short");
/// ```
#[derive(Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct WireError(Box<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    cause: Cause,
    field: Option<Field>,
    type_name: &'static str,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    SkippedField,
    UnknownLength,
    SelfDescribing,
    CutShort,
    TooLong(usize),
    Other(String),
}

impl WireError {
    #[cold]
    pub(super) fn new(cause: Cause) -> Self {
        Self(Box::new(Problem {
            cause,
            field: None,
            type_name: "",
        }))
    }

    /// Notes the field, unless an inner one is known.
    #[cold]
    pub(super) fn in_field(mut self, field: Field) -> Self {
        self.0.field.get_or_insert(field);
        self
    }

    /// Notes the type that was asked for.
    #[cold]
    pub(super) fn of_type(mut self, type_name: &'static str) -> Self {
        self.0.type_name = type_name;
        self
    }
}

impl serde::ser::Error for WireError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Cause::Other(message.to_string()))
    }
}

impl fmt::Debug for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = field::place(self.field, self.type_name);
        match &self.cause {
            Cause::SkippedField => write!(
                f,
                "{place} is skipped, so it cannot travel: remove `skip_serializing_if`"
            ),
            Cause::UnknownLength => write!(
                f,
                "{place} has a part of unknown length, so it cannot travel: use no `flatten`, and \
                 give `serialize_seq` and `serialize_map` a length"
            ),
            Cause::SelfDescribing => write!(
                f,
                "{place} asks its bytes for their type, which they do not hold, so it cannot \
                 travel: use no `untagged`, `tag` or `flatten`"
            ),
            Cause::CutShort => write!(f, "the bytes of {place} are cut short"),
            Cause::TooLong(bytes) => write!(f, "{bytes} bytes are left behind {place}"),
            Cause::Other(message) => write!(f, "{place}: {message}"),
        }
    }
}
