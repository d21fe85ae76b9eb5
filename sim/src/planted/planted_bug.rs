//! One mistake: what it is, where it is known from, the edits that make it, what must catch it.
//!
//! Invariant: what was parsed can be tried: its edits are small, and what must catch it has a name.

use serde::Deserialize;
use thiserror::Error;

use super::edit::{Edit, EditError};
use super::oracle::Oracle;

/// The most lines that a bug may change: a mistake is small.
pub const LINES_MAX: usize = 10;

/// The folder of the engine.
const ENGINE: &str = "engine";

/// A mistake put in on purpose.
///
/// ```
/// use sameriver_sim::planted::PlantedBug;
/// let text = r#"
///     id = "off-by-one"
///     title = "the last record of a slice is skipped"
///     source = "every second loop ever written"
///     why = "the oracle must miss the record"
///     expect = "I1"
///     [[edit]]
///     file = "engine/task/src/slot.rs"
///     find = "0..n"
///     replace = "0..n - 1"
/// "#;
/// let bug = PlantedBug::parse("off-by-one", text)?;
/// assert_eq!((bug.expect.to_string(), bug.room()), ("I1".to_owned(), "engine/task"));
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
    /// Whether it was a real bug of another engine: `source` names it.
    pub museum: bool,
    /// What must catch it.
    pub expect: Oracle,
    /// Why it is not found, if it is known not to be.
    pub unfound: Option<String>,
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
    /// It is more than a small mistake.
    #[error("planted bug {id} changes {lines} lines: at most {LINES_MAX} are allowed")]
    TooLong {
        /// The planted bug.
        id: String,
        /// How many lines it changes.
        lines: usize,
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
    #[serde(default)]
    museum: bool,
    expect: String,
    unfound: Option<String>,
    #[serde(default = "every_scenario")]
    command: Vec<String>,
    #[serde(default)]
    edit: Vec<Edit>,
}

fn every_scenario() -> Vec<String> {
    ["sim", "all"].map(str::to_owned).to_vec()
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
        written.fields_say_something()?;
        for edit in &written.edit {
            let checked = edit.validate();
            checked.map_err(|cause| BugError::Edit {
                id: id.clone(),
                cause,
            })?;
        }
        let lines = written.edit.iter().map(Edit::lines).sum();
        if lines > LINES_MAX {
            return Err(BugError::TooLong { id, lines });
        }
        Ok(Self {
            expect: catcher(&id, written.expect)?,
            id,
            title: written.title,
            source: written.source,
            why: written.why,
            museum: written.museum,
            unfound: written.unfound,
            command: written.command,
            edits: written.edit,
        })
    }

    /// The room that has the mistake: that of the first edit in the engine, else of the first.
    pub fn room(&self) -> &str {
        let mut rooms = self.edits.iter().map(|edit| room_of(&edit.file));
        let first = rooms.clone().next().unwrap_or_default();
        let engine = rooms.find(|room| room.starts_with(ENGINE));
        engine.unwrap_or(first)
    }

    /// Whether the mistake is one of the engine, not of the world that judges it.
    pub fn is_of_the_engine(&self) -> bool {
        self.room().starts_with(ENGINE)
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

impl Written {
    fn fields_say_something(&self) -> Result<(), BugError> {
        let unfound = self.unfound.as_ref();
        let fields = [
            ("title", self.title.trim().is_empty()),
            ("source", self.source.trim().is_empty()),
            ("why", self.why.trim().is_empty()),
            ("unfound", unfound.is_some_and(|why| why.trim().is_empty())),
            ("command", self.command.is_empty()),
            ("edit", self.edit.is_empty()),
        ];
        match fields.into_iter().find(|(_, empty)| *empty) {
            None => Ok(()),
            Some((field, _)) => Err(BugError::Empty {
                id: self.id.clone(),
                field,
            }),
        }
    }
}

/// The folder of the crate that a file belongs to.
fn room_of(file: &str) -> &str {
    let folder = file.split_once("/src/").map_or(file, |(folder, _)| folder);
    folder.trim_end_matches('/')
}

fn catcher(id: &str, expect: String) -> Result<Oracle, BugError> {
    let known = expect.parse();
    known.map_err(|known| BugError::UnknownCatcher {
        id: id.to_owned(),
        expect,
        known,
    })
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
    fn a_bug_of_more_than_ten_lines_in_all_is_refused() {
        let long = "line\\n".repeat(10);
        let said = refusal("\"two\"", &format!("\"{long}\""));
        assert!(said.contains("changes 11 lines"), "{said}");
    }

    #[test]
    fn the_room_is_that_of_the_engine_if_an_edit_is_there() {
        let text = TEXT.replacen("x.rs", "sim/src/kernel.rs", 1);
        let both = text.replacen("x.rs", "engine/task/src/slot.rs", 1);
        let bug = |text: &str| PlantedBug::parse("a", text).unwrap();
        assert_eq!(bug(&text).room(), "sim");
        assert!(!bug(&text).is_of_the_engine());
        assert_eq!(bug(&both).room(), "engine/task");
    }
}
