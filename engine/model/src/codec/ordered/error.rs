//! Why a value has no `ordered` bytes, or bytes are not those of a value.
//!
//! Invariant: the error is one pointer, so that the path without errors pays nothing for it; it
//! names the innermost field, and the type that was asked for when there is none.

use std::fmt;

use thiserror::Error;

use crate::codec::field::{self, Field};

/// A value that has no canonical bytes, or bytes that are not one of the expected type.
///
/// ```
/// use sameriver_model::codec::ordered;
/// #[derive(serde::Serialize)]
/// struct Quote { price: f64 }
/// assert_eq!(
///     ordered::encode(&Quote { price: 1.5 }).unwrap_err().to_string(),
///     "a float in field `price` of `Quote` cannot be part of a key: use an integer",
/// );
/// ```
#[derive(Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct OrderedError(Box<Problem>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    cause: Cause,
    field: Option<Field>,
    type_name: &'static str,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Float,
    SkippedField,
    MapOrder,
    SelfDescribing,
    CutShort,
    TooLong(usize),
    Marker { what: &'static str, found: u8 },
    NotText,
    NotAChar(u32),
    Other(String),
}

impl OrderedError {
    #[cold]
    pub(super) fn new(cause: Cause) -> Self {
        Self(Box::new(Problem {
            cause,
            field: None,
            type_name: "",
        }))
    }

    #[cold]
    pub(super) fn too_long(bytes: usize) -> Self {
        Self::new(Cause::TooLong(bytes))
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

impl serde::ser::Error for OrderedError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Cause::Other(message.to_string()))
    }
}

impl serde::de::Error for OrderedError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Cause::Other(message.to_string()))
    }
}

impl fmt::Debug for OrderedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = field::place(self.field, self.type_name);
        match &self.cause {
            Cause::Float => write!(
                f,
                "a float in {place} cannot be part of a key: use an integer"
            ),
            Cause::SkippedField => write!(
                f,
                "{place} is skipped, but every field is part of a key: remove `skip_serializing_if`"
            ),
            Cause::MapOrder => write!(
                f,
                "a map in {place} does not give its keys in ascending byte order, so it cannot be \
                 part of a key: use a `BTreeMap` instead of a hash map, with integers or strings \
                 as its keys"
            ),
            Cause::SelfDescribing => write!(
                f,
                "{place} asks the bytes of a key for their type, which they do not hold: use no \
                 `untagged`, `tag` or `flatten` in a key"
            ),
            Cause::CutShort => write!(f, "the bytes of {place} are cut short"),
            Cause::TooLong(bytes) => write!(f, "{bytes} bytes are left behind {place}"),
            Cause::Marker { what, found } => {
                write!(f, "{place} has byte {found:#04x} where {what} is expected")
            }
            Cause::NotText => write!(f, "a string in {place} is not UTF-8"),
            Cause::NotAChar(found) => write!(f, "{place} has {found:#x} where a char is expected"),
            Cause::Other(message) => write!(f, "{place}: {message}"),
        }
    }
}
