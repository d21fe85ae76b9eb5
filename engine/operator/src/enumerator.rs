//! Forgets the split type of an enumerator: splits travel in `wire` encoding.

use sameriver_model::SubtaskIndex;
use sameriver_model::codec::wire;

use crate::source::{AnyEnumerator, Assignment, SourceError, Split, SplitEnumerator};

struct Erased<S> {
    name: String,
    enumerator: Box<dyn SplitEnumerator<S>>,
}

impl<S: Split> AnyEnumerator for Erased<S> {
    fn assign(&mut self, reader: SubtaskIndex) -> Result<Assignment<Vec<u8>>, SourceError> {
        let assignment = self.enumerator.assign(reader);
        let splits = assignment.splits.iter().map(wire::encode);
        let splits = splits.collect::<Result<_, _>>();
        let splits = splits.map_err(|cause| SourceError::Other {
            input: self.name.clone(),
            cause: format!("a split cannot travel: {cause}"),
        })?;
        Ok(Assignment {
            splits,
            no_more: assignment.no_more,
        })
    }

    fn snapshot(&self) -> Result<Vec<u8>, SourceError> {
        self.enumerator.snapshot()
    }
}

/// Wraps the enumerator of the source `name` for the job master.
pub fn erase_enumerator<S: Split>(
    name: &str,
    enumerator: Box<dyn SplitEnumerator<S>>,
) -> Box<dyn AnyEnumerator> {
    Box::new(Erased {
        name: name.to_owned(),
        enumerator,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct OnePerReader;

    impl SplitEnumerator<u32> for OnePerReader {
        fn assign(&mut self, reader: SubtaskIndex) -> Assignment<u32> {
            Assignment {
                splits: vec![reader.get() * 10],
                no_more: true,
            }
        }
    }

    #[test]
    fn an_erased_split_is_the_split_in_wire_encoding() {
        let mut enumerator = erase_enumerator("numbers", Box::new(OnePerReader));
        let assignment = enumerator.assign(SubtaskIndex::new(3)).expect("a number");
        let split = wire::decode::<u32>(&assignment.splits[0]).expect("a number");
        assert_eq!((split, assignment.no_more), (30, true));
    }
}
