//! Another source or sink in the place of one that the job names, for tests of the job.
//!
//! Invariant: a replacement has the records of what it replaces, looked at by type, not by name;
//! everything else of the operator stays: its parallelism, its watermarks, its neighbours.

use std::any::TypeId;

use sameriver_operator::source::Tells;

use crate::operator::{Behaviour, OperatorId, OperatorKind, Port, Recovery};
use crate::problem::GraphProblem;
use crate::stream_graph::StreamGraph;

/// A source or a sink for the place of the one that has its name.
#[derive(Clone)]
pub struct Replacement {
    /// The name of what is replaced.
    pub name: String,
    /// A source or a sink.
    pub kind: OperatorKind,
    /// The type of its records.
    pub type_id: TypeId,
    /// That type's name, for errors.
    pub type_name: &'static str,
    /// What it does, for drawings.
    pub description: String,
    /// What becomes of its records when the job goes on from a checkpoint.
    pub recovery: Recovery,
    /// What it tells beside records if it is a source.
    pub tells: Tells,
    /// Its factory.
    pub behaviour: Behaviour,
}

impl StreamGraph {
    /// Puts a replacement in its place.
    ///
    /// # Errors
    /// [`GraphProblem`] when nothing of its kind has the name, or has other records.
    pub fn replace(&mut self, replacement: Replacement) -> Result<(), GraphProblem> {
        let id = self.place_of(&replacement)?;
        let records = self.records_at(id);
        if let Some((_, found)) = records.filter(|(found, _)| *found != replacement.type_id) {
            return Err(GraphProblem::OtherRecords {
                kind: replacement.kind,
                name: replacement.name,
                found,
                given: replacement.type_name,
            });
        }
        let operator = self.operator_mut(id);
        operator.description = replacement.description;
        operator.recovery = replacement.recovery;
        operator.tells = replacement.tells;
        operator.behaviour = with_watermarks_of(replacement.behaviour, &operator.behaviour);
        Ok(())
    }

    fn place_of(&self, replacement: &Replacement) -> Result<OperatorId, GraphProblem> {
        let same_kind = || {
            let operators = self.operators().iter().enumerate();
            operators.filter(|(_, operator)| operator.kind == replacement.kind)
        };
        let place = same_kind().find(|(_, operator)| operator.name == replacement.name);
        let Some((position, _)) = place else {
            let names: Vec<&str> = same_kind().map(|(_, o)| o.name.as_str()).collect();
            return Err(GraphProblem::NothingToReplace {
                kind: replacement.kind,
                name: replacement.name.clone(),
                known: if names.is_empty() {
                    "none".to_owned()
                } else {
                    names.join(", ")
                },
            });
        };
        Ok(OperatorId::new(position as u32))
    }

    /// The records that a source gives or a sink takes.
    fn records_at(&self, id: OperatorId) -> Option<(TypeId, &'static str)> {
        let operator = self.operator(id);
        let stream = if operator.kind == OperatorKind::Source {
            &self.output(Port::main(id)).stream
        } else {
            let mut edges = self.edges().iter();
            &self.output(edges.find(|edge| edge.to == id)?.from).stream
        };
        Some((stream.type_id, stream.type_name))
    }
}

/// Watermarks belong to the stream, not to who reads it.
fn with_watermarks_of(new: Behaviour, old: &Behaviour) -> Behaviour {
    match (new, old) {
        (
            Behaviour::Source {
                open, enumerator, ..
            },
            Behaviour::Source { watermarks, .. },
        ) => Behaviour::Source {
            open,
            enumerator,
            watermarks: watermarks.clone(),
        },
        (new, _) => new,
    }
}
