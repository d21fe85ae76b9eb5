//! The file with a record of the job log.
//!
//! Invariant: a record is read only under the sequence that its name says.

use bytes::Bytes;
use sameriver_model::JobRecord;

use crate::read_error::ReadError;
use crate::sealed::{Format, content};

/// What a record begins with.
const FORMAT: Format = Format {
    name: "record of a job log",
    magic: *b"samerlog",
    version: 2,
};

/// The bytes of a record.
pub(crate) fn encode(record: &JobRecord) -> Bytes {
    FORMAT.seal(record).into()
}

/// The record of a file, which errors call `file` and whose name says `sequence`.
///
/// # Errors
/// [`ReadError`], all but [`ReadError::Store`].
pub fn decode(file: &str, sequence: u64, bytes: &[u8]) -> Result<JobRecord, ReadError> {
    let record: JobRecord = FORMAT.open(file, bytes)?;
    if record.sequence != sequence {
        let found = record.sequence;
        let cause = format!("it is record {found} of a log, under the name of {sequence}");
        return Err(content(file, cause));
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::damage;
    use crate::examples;

    #[test]
    fn the_published_record_is_what_is_written() {
        let bytes = encode(&examples::record());
        let example = "record 5 of epoch 2, nonce `b1`, job `1f3c09ab00000000`, graph `f1`: \
                       running, latest c17, which is retained";
        assert_eq!(examples::hex(&bytes), examples::published(example));
    }

    #[test]
    fn a_record_that_is_damaged_at_any_byte_or_cut_anywhere_is_an_error() {
        let bytes = encode(&examples::record());
        damage::everywhere(&bytes, |damaged| decode("log/5", 5, damaged).is_err());
        assert_eq!(decode("log/5", 5, &bytes), Ok(examples::record()));
    }

    #[test]
    fn a_record_under_the_name_of_another_is_refused() {
        let refused = decode("log/6", 6, &encode(&examples::record()));
        assert_eq!(
            refused.map_err(|error| error.to_string()),
            Err("log/6 cannot be understood: it is record 5 of a log, under the name of 6: read it \
                 with the build that wrote it"
                .to_owned())
        );
    }
}
