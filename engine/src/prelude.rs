//! Everything that a job usually names: `use sameriver::prelude::*`.
//!
//! Invariant: no name here is one of the standard prelude's.

#[doc(inline)]
pub use sameriver_connectors::{
    Discard, Elements, FileSink, FileSource, Generator, Print, SocketSource, Stdin,
};
#[doc(inline)]
pub use sameriver_model::{EventTime, ProcessingTime};
#[doc(inline)]
pub use sameriver_operator::keyed::{KeyedProcess, Timer};
#[doc(inline)]
pub use sameriver_operator::watermark::Watermarks;
#[doc(inline)]
pub use sameriver_operator::window::{Aggregate, Count, TimeWindow, Tumbling, WindowResult};
#[doc(inline)]
pub use sameriver_operator::{Out, UserError};
#[doc(inline)]
pub use sameriver_state::{At, Declare, DeclareError, ListState, MapState, ValueState};

#[doc(inline)]
pub use crate::duration::{hours, millis, mins, secs};
#[doc(inline)]
pub use crate::{
    BuildError, DataStream, Environment, JobError, JobHandle, JobResult, KeyedStream, Settings,
    Timed, Untimed,
};
