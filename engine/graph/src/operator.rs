//! A node of the stream graph: one operator as the user wrote it, with the factory that makes it.
//!
//! Invariant: the factory was made where the record types were known; here they are names. Knows
//! nothing of its neighbours: edges belong to [`StreamGraph`](crate::StreamGraph).

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use sameriver_model::{Parallelism, Uid};
use sameriver_operator::source::Tells;
use sameriver_operator::{AnyConsumer, OpenArgs, OperatorError, SourceHead};

use crate::job_graph::OpenEnumerator;
use crate::stream_type::{FanOut, StreamType};

/// An operator of the stream graph, in the order of creation.
///
/// ```
/// assert_eq!(sameriver_graph::OperatorId::new(2).to_string(), "o2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(u32);

impl OperatorId {
    /// Wraps a position in the stream graph.
    pub const fn new(position: u32) -> Self {
        Self(position)
    }

    /// The position in the stream graph.
    pub const fn position(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "o{}", self.0)
    }
}

/// One output of an operator: 0 is the main one, higher ones are side outputs.
///
/// ```
/// use sameriver_graph::{OperatorId, Port};
/// assert_eq!(Port::main(OperatorId::new(2)), Port::new(OperatorId::new(2), 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// Whose output.
    pub operator: OperatorId,
    /// Which of its outputs.
    pub output: u32,
}

impl Port {
    /// Names an output.
    pub const fn new(operator: OperatorId, output: u32) -> Self {
        Self { operator, output }
    }

    /// Names the main output.
    pub const fn main(operator: OperatorId) -> Self {
        Self::new(operator, 0)
    }
}

/// What an operator is to the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorKind {
    /// Reads from outside; has no input.
    Source,
    /// Holds nothing between two slices.
    Stateless,
    /// Holds state per key; its uid finds the state again.
    Keyed,
    /// Writes to the outside; has no output.
    Sink,
}

impl fmt::Display for OperatorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Stateless => "stateless",
            Self::Keyed => "keyed",
            Self::Sink => "sink",
        })
    }
}

/// Whether an operator may run by direct call in the subtask of its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chaining {
    /// With the operator before and the ones after it.
    #[default]
    Allowed,
    /// With the ones after it only: it starts a new chain.
    Head,
    /// With none.
    Never,
}

/// A watermark strategy whose record type is known to the source's factory only.
pub type AnyStrategy = Arc<dyn Any + Send + Sync>;

/// Makes a link of a chain from the operator's name and one consumer for each of its outputs.
pub type OpenLink =
    dyn Fn(&str, &OpenArgs, Vec<AnyConsumer>) -> Result<AnyConsumer, OperatorError> + Send + Sync;

/// Makes the head of a chain that starts with a source, from its name and its watermarks.
pub type OpenSource = dyn Fn(
        &str,
        &OpenArgs,
        Option<&AnyStrategy>,
        AnyConsumer,
    ) -> Result<Box<dyn SourceHead>, OperatorError>
    + Send
    + Sync;

/// What becomes of an operator's records when the job goes on from a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recovery {
    /// They count exactly once.
    #[default]
    Exact,
    /// The source cannot be read again: what it gave since the checkpoint is lost.
    NotReplayable,
    /// The sink shows what it gets at once: what it got since the checkpoint is shown again.
    Repeats,
}

/// The factory of an operator.
#[derive(Clone)]
pub enum Behaviour {
    /// Starts a chain.
    Source {
        /// Makes the reading end of a subtask.
        open: Arc<OpenSource>,
        /// Makes the job's one enumerator of the source.
        enumerator: Arc<OpenEnumerator>,
        /// Makes watermarks per split.
        watermarks: Option<AnyStrategy>,
    },
    /// Takes what the operator before it gives.
    Link(Arc<OpenLink>),
}

/// One output of an operator, and what can be done with its records.
#[derive(Clone)]
pub struct Output {
    /// What the drawing calls it when it is a side output: `late`.
    pub label: &'static str,
    /// The ends of an edge that leaves here.
    pub stream: StreamType,
    /// Copies records to several receivers; absent as long as nobody cloned the stream.
    pub fan_out: Option<Arc<FanOut>>,
}

/// An operator as the user wrote it.
#[derive(Clone)]
pub struct Operator {
    /// What errors, logs and drawings call it.
    pub name: String,
    /// What it does, for drawings: `map`, `file words.txt`.
    pub description: String,
    /// What it is to the graph.
    pub kind: OperatorKind,
    /// The stable name by which its state is found.
    pub uid: Option<Uid>,
    /// How many subtasks, when the user chose.
    pub parallelism: Option<Parallelism>,
    /// With whom it may share a subtask.
    pub chaining: Chaining,
    /// Its keyed states as the drawing shows them: `seen: value`.
    pub states: Vec<String>,
    /// Its outputs; none for a sink.
    pub outputs: Vec<Output>,
    /// What becomes of its records when the job goes on from a checkpoint.
    pub recovery: Recovery,
    /// What it tells beside records if it is a source.
    pub tells: Tells,
    /// The output of a sink that no other sink may write, as the user named it.
    pub exclusive_output: Option<String>,
    /// Its factory.
    pub behaviour: Behaviour,
}

impl Operator {
    /// An operator with everything else at its default.
    pub fn new(
        name: impl Into<String>,
        description: impl Into<String>,
        kind: OperatorKind,
        behaviour: Behaviour,
    ) -> Self {
        Self {
            name: name.into(),
            description: description.into(),
            kind,
            uid: None,
            parallelism: None,
            chaining: Chaining::default(),
            states: Vec::new(),
            outputs: Vec::new(),
            recovery: Recovery::default(),
            tells: Tells::default(),
            exclusive_output: None,
            behaviour,
        }
    }

    /// The same operator with its main output.
    pub fn emits(self, stream: StreamType) -> Self {
        self.with_output("", stream)
    }

    /// The same operator with one more output.
    pub fn with_output(mut self, label: &'static str, stream: StreamType) -> Self {
        self.outputs.push(Output {
            label,
            stream,
            fan_out: None,
        });
        self
    }

    /// The same operator with the stable name of its state.
    pub fn with_uid(mut self, uid: &str) -> Self {
        self.uid = Some(Uid::new(uid));
        self
    }

    /// The same operator with what becomes of its records when the job goes on from a checkpoint.
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// The same operator with its states as the drawing shows them.
    pub fn with_states(mut self, states: Vec<String>) -> Self {
        self.states = states;
        self
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.kind, self.name, self.description)
    }
}
