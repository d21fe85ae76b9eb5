//! How a line becomes a record.
//!
//! Invariant: a parser sees one line without its end; it depends on nothing else, so reading a
//! split again gives the same records. Does not know where the line came from.

use std::marker::PhantomData;

use sameriver_model::Element;
use sameriver_operator::UserError;

/// Turns lines into records; implemented by [`Whole`], [`Parsed`] and [`JsonLine`].
pub trait LineParser: Clone + Send + Sync + 'static {
    /// The type of the records.
    type Out: Element;

    /// The record of a line. The line may be taken out; what is left is thrown away.
    ///
    /// # Errors
    /// When the line is not a record.
    fn parse(&self, line: &mut String) -> Result<Self::Out, UserError>;
}

/// The line itself is the record.
#[derive(Clone, Copy, Debug)]
pub struct Whole;

impl LineParser for Whole {
    type Out = String;

    #[inline]
    fn parse(&self, line: &mut String) -> Result<String, UserError> {
        Ok(std::mem::take(line))
    }
}

/// A function makes the record.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<F>(pub(crate) F);

impl<T: Element, F> LineParser for Parsed<F>
where
    F: Fn(&str) -> Result<T, UserError> + Clone + Send + Sync + 'static,
{
    type Out = T;

    #[inline]
    fn parse(&self, line: &mut String) -> Result<T, UserError> {
        (self.0)(line)
    }
}

/// The line is JSON.
pub struct JsonLine<T>(PhantomData<fn() -> T>);

impl<T> JsonLine<T> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for JsonLine<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T: Element> LineParser for JsonLine<T> {
    type Out = T;

    #[inline]
    fn parse(&self, line: &mut String) -> Result<T, UserError> {
        Ok(serde_json::from_str(line)?)
    }
}
