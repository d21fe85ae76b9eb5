//! The version in front of what a connector leaves in a checkpoint.
//!
//! Invariant: bytes of a version that this program does not know are an error, never another value.
//! Does not know what is stored.

use sameriver_model::codec::wire;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A value with the version of its layout: the index of the variant, as the `wire` encoding has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Versioned<T> {
    /// The first layout.
    V1(T),
}

/// The bytes of a value, version first; the error says what refused.
pub(crate) fn to_bytes<T: Serialize>(value: T) -> Result<Vec<u8>, String> {
    wire::encode(&Versioned::V1(value)).map_err(|error| error.to_string())
}

/// The value of bytes that [`to_bytes`] made; the error names the remedy.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match wire::decode(bytes) {
        Ok(Versioned::V1(value)) => Ok(value),
        Err(error) => Err(format!(
            "{error}: restore with the release that took the checkpoint, or from another checkpoint"
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sameriver_model::{AttemptNumber, SubtaskIndex};

    use super::*;
    use crate::collect::Rows;
    use crate::file_commit::PendingFile;
    use crate::{ElementsSplit, FileSplit, GeneratorSplit};

    /// The bytes of every example, in the order of the page.
    fn examples() -> [Vec<u8>; 5] {
        let split = FileSplit::new(Path::new("in"), 0, 9, 9).rest(6);
        let partition = GeneratorSplit {
            partition: 1,
            partitions: 2,
            records: 10,
            offset: 4,
        };
        let pending = PendingFile {
            pending: "o/.p".to_owned(),
            last: "o/p".to_owned(),
            length: 2,
            crc: 0xa1b2_c3d4,
        };
        let rows = Rows {
            subtask: SubtaskIndex::new(3),
            attempt: AttemptNumber::of_epoch(2, 1),
            number: 5,
            records: vec![vec![7]],
        };
        let elements: ElementsSplit = Versioned::V1((1, 3, 5)).into();
        [
            wire::encode(&split).expect("a split"),
            wire::encode(&elements).expect("a split"),
            wire::encode(&partition).expect("a split"),
            pending.committable().0,
            rows.committable().expect("rows").0,
        ]
    }

    #[test]
    fn what_connectors_leave_in_checkpoints_has_the_bytes_of_the_page() {
        let page = include_str!("../../../docs/formats.md");
        let rows = page.split("| example of a connector |").nth(1);
        let rows = rows.expect("the table is there").lines().skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        let written: Vec<String> = rows
            .map(|row| {
                let cell = row.split('|').nth(2).expect("two columns");
                cell.chars().filter(char::is_ascii_hexdigit).collect()
            })
            .collect();
        for (ours, written) in examples().iter().zip(&written) {
            let pairs = (0..written.len()).step_by(2);
            let bytes = pairs.map(|at| u8::from_str_radix(&written[at..at + 2], 16));
            let bytes: Result<Vec<u8>, _> = bytes.collect();
            assert_eq!(Ok(ours), bytes.as_ref());
        }
        assert_eq!(written.len(), examples().len());
    }

    #[test]
    fn a_stored_value_comes_back() {
        let bytes = to_bytes((7_u64, "a")).expect("it can be encoded");
        assert_eq!(from_bytes::<(u64, String)>(&bytes), Ok((7, "a".to_owned())));
    }

    #[test]
    fn a_version_that_nobody_knows_is_refused_with_a_remedy() {
        let mut bytes = to_bytes(7_u64).expect("it can be encoded");
        bytes[0] = 1;
        let error = from_bytes::<u64>(&bytes).expect_err("version 2 is unknown");
        assert!(error.contains("restore with the release"), "{error}");
    }
}
