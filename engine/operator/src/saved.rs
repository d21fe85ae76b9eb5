//! Sections of a snapshot that hold one small value: written at once, read when a subtask opens.
//!
//! Invariant: a section begins with its format, and is refused when that, or its bytes, are not
//! understood. An operator finds its own sections by its uid, whatever else is in the snapshot.

use sameriver_model::codec::wire::{self, WireError};
use sameriver_model::{RestoredState, SectionId, SectionKind, SectionWriter, Uid};
use sameriver_state::RestoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::OperatorError;
use crate::open::OpenArgs;

/// The version of what is written here.
const FORMAT: u8 = 1;

/// The section of an operator that has one of a kind and name, beside its keys.
pub(crate) fn section(operator: &str, state: &str, kind: SectionKind) -> SectionId {
    SectionId {
        operator: Uid::new(operator),
        state: state.to_owned(),
        kind,
        group: None,
    }
}

/// Writes a value in `wire`.
pub(crate) fn write<V: Serialize>(
    id: SectionId,
    value: &V,
    sections: &mut SectionWriter,
) -> Result<(), OperatorError> {
    let operator = id.operator.to_string();
    let written: Result<(), WireError> = sections.section(id, |bytes| {
        bytes.push(FORMAT);
        wire::encode_into(value, bytes)
    });
    written.map_err(|cause| OperatorError::snapshot(&operator, cause))
}

/// The value of every old subtask, in their order; none at the beginning of the job.
pub(crate) fn read<V: DeserializeOwned>(
    id: &SectionId,
    args: &OpenArgs,
) -> Result<Vec<V>, OperatorError> {
    let restored = args.restored.as_deref();
    let parts = restored.map_or(&[][..], |restored: &RestoredState| restored.all(id));
    let values = parts.iter().map(|part| value(id, part));
    values
        .collect::<Result<_, _>>()
        .map_err(|cause| OperatorError::restore(id.operator.as_str(), cause))
}

fn value<V: DeserializeOwned>(id: &SectionId, bytes: &[u8]) -> Result<V, RestoreError> {
    let unreadable = |cause: String| RestoreError::Unreadable {
        section: id.clone(),
        cause,
    };
    match bytes.split_first() {
        Some((&FORMAT, value)) => {
            wire::decode(value).map_err(|cause| unreadable(cause.to_string()))
        }
        Some((&found, _)) => Err(RestoreError::Version {
            section: id.clone(),
            found,
            newest: FORMAT,
        }),
        None => Err(unreadable("it is empty".to_owned())),
    }
}

/// Holds what a link writes at once against an example of `docs/formats.md`.
#[cfg(test)]
pub(crate) fn check_published(example: &str, mut sections: SectionWriter) {
    let page = include_str!("../../../docs/formats.md");
    let row = format!("| {example} | `");
    let row = page.lines().find_map(|line| line.strip_prefix(&row));
    let row = row.expect("the page has the example");
    let bytes = sections.take().into_iter();
    let bytes: Vec<_> = bytes.map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(bytes.concat() + "` |", row);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::args;

    fn refusal(bytes: &[u8]) -> String {
        let id = section("totals", "", SectionKind::Operator);
        let mut restored = RestoredState::default();
        restored.add(id.clone(), bytes.to_vec().into());
        let restored = Some(Arc::new(restored));
        let args = OpenArgs {
            restored,
            ..args(8)
        };
        let error = read::<u64>(&id, &args).expect_err("is refused");
        error.to_string()
    }

    #[test]
    fn a_section_that_is_not_understood_is_refused_by_name() {
        let version = refusal(&[7, 0]);
        let expected = "operator totals cannot start from the checkpoint: operator state of totals \
                        has format 7, this binary reads 1";
        assert!(version.starts_with(expected), "{version}");
        for bytes in [&[][..], &[1, 0]] {
            let text = refusal(bytes);
            assert!(
                text.contains("operator state of totals cannot be read"),
                "{text}"
            );
        }
    }
}
