//! The promises that a run is judged by, each with its id and its wording.
//!
//! Invariant: an id never changes its meaning: plans, planted bugs and evidence name it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::finding::FindingKind;

macro_rules! invariants {
    ($($name:ident = $id:literal, $kind:ident, $statement:literal;)*) => {
        /// A promise of the engine, or of the run itself.
        ///
        /// ```
        /// use sameriver_sim::{FindingKind, Invariant};
        /// assert_eq!(Invariant::Output.id(), "I1");
        /// assert_eq!("L3".parse::<Invariant>()?.kind(), FindingKind::Liveness);
        /// # Ok::<(), String>(())
        /// ```
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        pub enum Invariant {
            $(#[doc = concat!($id, ": ", $statement, ".")] $name,)*
        }

        impl Invariant {
            /// All of them, in the order of their ids.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The id that plans and planted bugs name it by.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// What is promised.
            pub const fn statement(self) -> &'static str {
                match self {
                    $(Self::$name => $statement,)*
                }
            }

            /// What breaking it is.
            pub const fn kind(self) -> FindingKind {
                match self {
                    $(Self::$name => FindingKind::$kind,)*
                }
            }
        }
    };
}

invariants! {
    Output = "I1", Safety, "committed output equals the reference in the declared order";
    Visible = "I2", Safety, "visible output is of published checkpoints, each item at most once, \
        and all of it is visible at the end";
    Cut = "I4", Safety, "a checkpoint is a consistent cut of every channel";
    Fold = "I5", Safety, "state equals the fold of the input";
    Commit = "I8", Safety, "nothing is committed of a checkpoint that is not published";
    Deposed = "I9", Safety, "the deposed and the dead publish nothing, commit nothing unpublished \
        and delete nothing reachable";
    Watermark = "I10", Safety, "watermarks never go back and are legal";
    Window = "I11", Safety, "windows hold what the recorded watermarks let them hold";
    Timer = "I12", Safety, "a timer fires once, never early and never after it was deleted";
    Conservation = "I13", Safety, "what goes in comes out, or is accounted for";
    Metadata = "I14", Safety, "checkpoint ids increase, the latest never goes back, and all that it \
        names is there";
    Storage = "I16", Safety, "bytes acknowledged as durable can be read";
    Latest = "I18", Safety, "an attempt begins from the latest published checkpoint";
    Running = "L1", Liveness, "the job runs again after healing";
    Completes = "L2", Liveness, "a checkpoint completes after healing";
    Drains = "L3", Liveness, "the input is used up and the job ends";
    Progress = "L4", Liveness, "something moves in every while after healing";
    Closed = "L5", Liveness, "nothing is left open: no task, no unfinished file";
    Checkpointed = "V1", Vacuous, "a checkpoint completed";
    FaultTookEffect = "V2", Vacuous, "a fault took effect";
    Restored = "V3", Vacuous, "state that was not empty was restored";
    Compared = "V4", Vacuous, "some output was compared";
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Invariant {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|invariant| invariant.id() == id);
        found.copied().ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|invariant| invariant.id()).collect();
            format!("`{id}` is no invariant: choose one of {}", known.join(", "))
        })
    }
}

impl TryFrom<String> for Invariant {
    type Error = String;

    fn try_from(id: String) -> Result<Self, String> {
        id.parse()
    }
}

impl From<Invariant> for String {
    fn from(invariant: Invariant) -> Self {
        invariant.id().to_owned()
    }
}

/// What an oracle has compared without finding anything wrong.
///
/// ```
/// use sameriver_sim::{Compared, Invariant};
/// let compared = Compared { invariant: Invariant::Output, items: 12 };
/// assert_eq!(compared.to_string(), "I1 compared 12");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which promise.
    pub invariant: Invariant,
    /// How many items were compared; an oracle that compared nothing has shown nothing.
    pub items: u64,
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} compared {}", self.invariant, self.items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_read_back_and_stands_once() {
        for invariant in Invariant::ALL {
            assert_eq!(invariant.id().parse(), Ok(*invariant));
        }
        let ids: std::collections::BTreeSet<_> = Invariant::ALL.iter().map(|i| i.id()).collect();
        assert_eq!(ids.len(), Invariant::ALL.len());
        assert!(
            "I99"
                .parse::<Invariant>()
                .is_err_and(|e| e.contains("I1, I2"))
        );
    }
}
