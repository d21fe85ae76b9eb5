//! Functions that may fail on a record without failing the job.
//!
//! Invariant: a record on which the function fails has no other result, and what becomes of it
//! happens exactly once where state does.

use std::marker::PhantomData;

use sameriver_graph::{Input, Operator, OperatorKind, Port};
use sameriver_model::Element;
use sameriver_operator::UserError;
use sameriver_operator::transform::{DeadLetter, OnError, try_map_or};

use crate::data_stream::DataStream;
use crate::typed;

/// Records on which a function fails.
impl<T: Element, E> DataStream<T, E> {
    /// Turns each record into another one; those on which `f` fails are left out, and counted.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let job = |env: &mut Environment| {
    ///     let words = env.elements("words", ["1", "x", "2"].map(String::from));
    ///     words.try_map_or_skip(|word| Ok(word.parse::<u64>()?)).collect("numbers")
    /// };
    /// let result = sameriver::run_blocking(job, &Settings::default())?;
    /// assert_eq!(result.collected::<u64>("numbers")?, [1, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_or_skip<O, F>(self, f: F) -> DataStream<O, E>
    where
        O: Element,
        F: Fn(T) -> Result<O, UserError> + Clone + Send + Sync + 'static,
    {
        let behaviour =
            typed::link(move |name, _, next| Ok(try_map_or(name, f.clone(), OnError::Skip, next)));
        let what = "try_map or skip";
        let operator = Operator::new(what, what, OperatorKind::Stateless, behaviour);
        self.then(operator.emits(typed::stream_type::<O>()))
    }

    /// Turns each record into another one; those on which `f` fails come out of the second stream,
    /// with the reason.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// use sameriver::operator::transform::DeadLetter;
    /// let job = |env: &mut Environment| {
    ///     let words = env.elements("words", ["1", "x"].map(String::from));
    ///     let (numbers, letters) =
    ///         words.try_map_or_dead_letter(|word: String| Ok(word.parse::<u64>()?));
    ///     letters.map(|letter: DeadLetter<String>| letter.record).collect("letters")?;
    ///     numbers.collect("numbers")
    /// };
    /// let result = sameriver::run_blocking(job, &Settings::default())?;
    /// assert_eq!(result.collected::<String>("letters")?, ["x"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_map_or_dead_letter<O, F>(
        self,
        f: F,
    ) -> (DataStream<O, E>, DataStream<DeadLetter<T>, E>)
    where
        O: Element,
        F: Fn(T) -> Result<O, UserError> + Clone + Send + Sync + 'static,
    {
        let behaviour = typed::link_with_side(move |name, _, next, letters| {
            let on_error = OnError::DeadLetter(letters);
            Ok(try_map_or(name, f.clone(), on_error, next))
        });
        let what = "try_map or dead letter";
        let operator = Operator::new(what, what, OperatorKind::Stateless, behaviour)
            .emits(typed::stream_type::<O>())
            .with_output("letters", typed::stream_type::<DeadLetter<T>>());
        let results: DataStream<O, E> = self.then(operator);
        let id = results.inputs[0].from.operator;
        let letters = DataStream {
            draft: results.draft.clone(),
            inputs: vec![Input::of(Port::new(id, 1))],
            types: PhantomData,
        };
        (results, letters)
    }
}
