//! Says where in a value an encoder is, for its errors.

use std::fmt;

/// A field of a struct, or of a variant of an enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) owner: &'static str,
    pub(super) variant: Option<&'static str>,
    pub(super) name: FieldName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldName {
    Named(&'static str),
    Numbered(usize),
}

/// The field, or the whole type when no field is known.
pub(super) fn place(field: Option<Field>, type_name: &'static str) -> String {
    match field {
        Some(field) => field.to_string(),
        None => format!("`{type_name}`"),
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            FieldName::Named(name) => write!(f, "field `{name}` of `{}", self.owner)?,
            FieldName::Numbered(index) => write!(f, "field `{index}` of `{}", self.owner)?,
        }
        match self.variant {
            Some(variant) => write!(f, "::{variant}`"),
            None => f.write_str("`"),
        }
    }
}
