//! What the output must be, computed by the user's own plain function.
//!
//! Invariant: the function sees all records of the source in their order, and nothing of the run.

use std::any::{Any, TypeId, type_name};
use std::fmt::Debug;
use std::marker::PhantomData;

use super::outputs::{AnyOutput, shown};

/// A reference with its types erased.
pub(super) trait AnyReference: Send + Sync {
    /// The rows for these records of a source, in a `Vec` of its type, whose name is given, and
    /// for this sink.
    fn rows(
        &self,
        records: &(dyn Any + Send + Sync),
        source: (&str, &'static str),
        sink: (&str, &AnyOutput),
    ) -> Result<Vec<String>, String>;
}

/// A function from all records to all rows.
pub(super) struct Reference<S, T, F> {
    function: F,
    types: PhantomData<fn(&S) -> T>,
}

impl<S, T, F: Fn(&[S]) -> Vec<T>> Reference<S, T, F> {
    pub(super) fn new(function: F) -> Self {
        Self {
            function,
            types: PhantomData,
        }
    }
}

impl<S, T, F> AnyReference for Reference<S, T, F>
where
    S: 'static,
    T: Debug + 'static,
    F: Fn(&[S]) -> Vec<T> + Send + Sync,
{
    fn rows(
        &self,
        records: &(dyn Any + Send + Sync),
        source: (&str, &'static str),
        sink: (&str, &AnyOutput),
    ) -> Result<Vec<String>, String> {
        let Some(records) = records.downcast_ref::<Vec<S>>() else {
            return Err(format!(
                "the reference takes records of {}, but source {} has {}: give it those",
                type_name::<S>(),
                source.0,
                source.1
            ));
        };
        if TypeId::of::<T>() != sink.1.type_id {
            return Err(format!(
                "the reference gives {}, but sink {} takes {}: give it those",
                type_name::<T>(),
                sink.0,
                sink.1.type_name
            ));
        }
        Ok(shown(&(self.function)(records)))
    }
}
