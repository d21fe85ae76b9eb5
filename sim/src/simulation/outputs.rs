//! The rows of a sink, with their type erased.
//!
//! Invariant: two rows are one row iff their text is equal; text is what `Debug` shows.

use std::any::{TypeId, type_name};
use std::fmt::Debug;

use sameriver::Replacements;
use sameriver::connectors::{Collect, CollectedResults};
use sameriver_model::Element;

/// What can be done with the rows of a sink whose type is known here only.
#[derive(Clone, Copy)]
pub(super) struct AnyOutput {
    pub(super) type_id: TypeId,
    pub(super) type_name: &'static str,
    replace: fn(Replacements, &str) -> Replacements,
    rows: fn(&CollectedResults, &str) -> Result<Vec<String>, String>,
}

impl AnyOutput {
    pub(super) fn of<T: Element + Debug>() -> Self {
        Self {
            type_id: TypeId::of::<T>(),
            type_name: type_name::<T>(),
            replace: |replacements, name| replacements.sink::<T>(name, Collect::named(name)),
            rows: |results, name| {
                let rows = results.take::<T>(name).map_err(|error| error.to_string())?;
                Ok(shown(&rows))
            },
        }
    }

    /// Lets the sink of that name collect.
    pub(super) fn replace(&self, replacements: Replacements, name: &str) -> Replacements {
        (self.replace)(replacements, name)
    }

    /// Takes what was collected.
    pub(super) fn rows(&self, from: &CollectedResults, name: &str) -> Result<Vec<String>, String> {
        (self.rows)(from, name)
    }
}

/// Rows as they are compared.
pub(super) fn shown<T: Debug>(rows: &[T]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}
