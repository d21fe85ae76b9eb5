//! One mistake: what it is, where it is known from, the edits that make it, what must catch it.
//!
//! Invariant: what was parsed can be tried: its edits are small, and what must catch it has a name.

use serde::Deserialize;
use thiserror::Error;

use super::edit::{Edit, EditError};
use crate::finding::FindingKind;

/// All that a run can be guilty of.
const KINDS: [FindingKind; 6] = [
    FindingKind::Safety,
    FindingKind::Liveness,
    FindingKind::Nondeterminism,
    FindingKind::Panic,
    FindingKind::Vacuous,
    FindingKind::Harness,
];

/// The finding that a run of the `sim` command ended with; `None` if there is no such code.
pub(super) fn kind_of(exit_code: i32) -> Option<FindingKind> {
    let mut kinds = KINDS.into_iter();
    kinds.find(|kind| i32::from(kind.exit_code()) == exit_code)
}

/// A mistake put in on purpose.
///
/// ```
/// use sameriver_sim::{FindingKind, planted::PlantedBug};
/// let text = r#"
///     id = "off-by-one"
///     title = "the last record of a slice is skipped"
///     source = "every second loop ever written"
///     why = "the oracle must miss the record"
///     expect = "safety"
///     command = ["sim", "all"]
///     [[edit]]
///     file = "engine/task/src/slot.rs"
///     find = "0..n"
///     replace = "0..n - 1"
/// "#;
/// let bug = PlantedBug::parse("off-by-one", text)?;
/// assert_eq!(bug.expect, FindingKind::Safety);
/// # Ok::<(), sameriver_sim::planted::BugError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlantedBug {
    /// Its name; that of its file too.
    pub id: String,
    /// The mistake, in a few words.
    pub title: String,
    /// Where such a mistake is known from.
    pub source: String,
    /// What it breaks, and why that must be seen.
    pub why: String,
    /// What must catch it.
    pub expect: FindingKind,
    /// The arguments of the `sameriver` binary; the seeds are added.
    pub command: Vec<String>,
    /// What is changed in the copy of the tree.
    pub edits: Vec<Edit>,
}

/// Why a file holds no mistake that can be tried.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BugError {
    /// Not TOML, or a field is missing, unknown or of another type.
    #[error("planted bug {id}: {cause}")]
    Syntax {
        /// The name of the file.
        id: String,
        /// What the parser said.
        cause: String,
    },
    /// The id is not the name of the file.
    #[error("planted bug {id} calls itself `{own}`: give the file and its `id` one name")]
    OtherId {
        /// The name of the file.
        id: String,
        /// What stands in it.
        own: String,
    },
    /// Nothing is called so.
    #[error("planted bug {id} expects `{expect}`: write one of {known}")]
    UnknownCatcher {
        /// The planted bug.
        id: String,
        /// What it expects.
        expect: String,
        /// What there is.
        known: String,
    },
    /// A field says nothing.
    #[error("planted bug {id} has an empty `{field}`: fill it in")]
    Empty {
        /// The planted bug.
        id: String,
        /// The field.
        field: &'static str,
    },
    /// One of its edits cannot be made.
    #[error("planted bug {id}: {cause}")]
    Edit {
        /// The planted bug.
        id: String,
        /// What is wrong with the edit.
        cause: EditError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    title: String,
    source: String,
    why: String,
    expect: String,
    command: Vec<String>,
    #[serde(default)]
    edit: Vec<Edit>,
}

impl PlantedBug {
    /// Reads the text of the file `<id>.toml`.
    ///
    /// # Errors
    /// [`BugError`].
    pub fn parse(id: &str, text: &str) -> Result<Self, BugError> {
        let syntax = |cause: toml::de::Error| BugError::Syntax {
            id: id.to_owned(),
            cause: cause.to_string(),
        };
        let written: Written = toml::from_str(text).map_err(syntax)?;
        let id = id.to_owned();
        if written.id != id {
            let own = written.id;
            return Err(BugError::OtherId { id, own });
        }
        let fields = [
            ("title", written.title.trim().is_empty()),
            ("source", written.source.trim().is_empty()),
            ("why", written.why.trim().is_empty()),
            ("command", written.command.is_empty()),
            ("edit", written.edit.is_empty()),
        ];
        if let Some((field, _)) = fields.into_iter().find(|(_, empty)| *empty) {
            return Err(BugError::Empty { id, field });
        }
        for edit in &written.edit {
            let checked = edit.validate();
            checked.map_err(|cause| BugError::Edit {
                id: id.clone(),
                cause,
            })?;
        }
        Ok(Self {
            expect: catcher(&id, written.expect)?,
            id,
            title: written.title,
            source: written.source,
            why: written.why,
            command: written.command,
            edits: written.edit,
        })
    }

    /// The files after its edits, as (path, text); `read` gives the text of a file.
    ///
    /// # Errors
    /// Those of `read`, and [`BugError::Edit`] when a text is not found exactly once.
    pub fn apply<E: From<BugError>>(
        &self,
        read: impl Fn(&str) -> Result<String, E>,
    ) -> Result<Vec<(String, String)>, E> {
        let mut changed: Vec<(String, String)> = Vec::new();
        for edit in &self.edits {
            // Several edits of one file build on each other.
            let earlier = changed.iter().position(|(file, _)| *file == edit.file);
            let text = match earlier {
                Some(position) => changed.swap_remove(position).1,
                None => read(&edit.file)?,
            };
            let text = edit.apply(&text).map_err(|cause| BugError::Edit {
                id: self.id.clone(),
                cause,
            })?;
            changed.push((edit.file.clone(), text));
        }
        Ok(changed)
    }
}

fn catcher(id: &str, expect: String) -> Result<FindingKind, BugError> {
    let known = KINDS.map(|kind| kind.to_string());
    match known.iter().position(|name| *name == expect) {
        Some(position) => Ok(KINDS[position]),
        None => Err(BugError::UnknownCatcher {
            id: id.to_owned(),
            expect,
            known: known.join(", "),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        id = "a"
        title = "t"
        source = "s"
        why = "w"
        expect = "liveness"
        command = ["sim", "all"]
        [[edit]]
        file = "x.rs"
        find = "one"
        replace = "two"
        [[edit]]
        file = "x.rs"
        find = "two two"
        replace = "three"
    "#;

    fn refusal(from: &str, to: &str) -> String {
        assert!(TEXT.contains(from), "{from}");
        let parsed = PlantedBug::parse("a", &TEXT.replacen(from, to, 1));
        parsed.expect_err("it must be refused").to_string()
    }

    #[test]
    fn edits_of_one_file_build_on_each_other() {
        let bug = PlantedBug::parse("a", TEXT).unwrap();
        let changed = bug.apply(|_| Ok::<_, BugError>("one two".to_owned()));
        assert_eq!(changed, Ok(vec![("x.rs".to_owned(), "three".to_owned())]));
    }

    #[test]
    fn a_text_that_is_gone_names_the_bug_and_the_file() {
        let bug = PlantedBug::parse("a", TEXT).unwrap();
        let gone = bug.apply(|_| Ok::<_, BugError>("nothing".to_owned()));
        let gone = gone.unwrap_err().to_string();
        assert!(
            gone.starts_with("planted bug a: ") && gone.contains("0 times in x.rs"),
            "{gone}"
        );
    }

    #[test]
    fn a_file_with_another_id_is_refused() {
        assert!(refusal("\"a\"", "\"b\"").contains("calls itself `b`"));
    }

    #[test]
    fn an_unknown_catcher_is_refused_with_the_known_ones() {
        let said = refusal("liveness", "luck");
        assert!(
            said.contains("`luck`") && said.contains("nondeterminism"),
            "{said}"
        );
    }

    #[test]
    fn missing_unknown_and_empty_fields_are_refused_by_name() {
        assert!(refusal("why = \"w\"", "").contains("missing field `why`"));
        assert!(refusal("why", "reason").contains("unknown field `reason`"));
        assert!(refusal("\"w\"", "\" \"").contains("empty `why`"));
        assert!(refusal("[\"sim\", \"all\"]", "[]").contains("empty `command`"));
    }

    #[test]
    fn each_exit_code_of_a_finding_leads_back_to_it() {
        let kinds = KINDS.map(|kind| kind_of(i32::from(kind.exit_code())));
        assert_eq!(kinds, KINDS.map(Some));
        assert_eq!([0, 64, 101].map(kind_of), [None; 3]);
    }
}
