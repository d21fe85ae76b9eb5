//! One replacement of text in one file.
//!
//! Invariant: the text to find stands in the file exactly once, so an edit never hits another place
//! than the one it was written for. Does not know how many lines a bug may change.

use serde::Deserialize;
use thiserror::Error;

/// Replaces one text of one file.
///
/// ```
/// use sameriver_sim::planted::Edit;
/// let edit = Edit {
///     file: "engine/task/src/slot.rs".into(),
///     find: "a < b".into(),
///     replace: "a <= b".into(),
/// };
/// assert_eq!(edit.apply("if a < b {}"), Ok("if a <= b {}".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The file, as a path from the top folder of the repository.
    pub file: String,
    /// The text that must stand there exactly once.
    pub find: String,
    /// What stands there afterwards.
    pub replace: String,
}

/// Why an edit is no edit, or cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// The text was moved or changed, or there is another one like it.
    #[error(
        "the text to find stands {count} times in {file}, not once: write the edit anew for the \
         file as it is now"
    )]
    NotOnce {
        /// The file.
        file: String,
        /// How often the text stands there.
        count: usize,
    },
    /// The path leads out of the repository.
    #[error("{file} is not a path from the top folder: write one without `..` and a leading `/`")]
    Outside {
        /// The path.
        file: String,
    },
    /// The edit changes nothing.
    #[error("the edit of {file} changes nothing: give `find` and `replace` different texts")]
    Idle {
        /// The file.
        file: String,
    },
}

impl Edit {
    /// Checks what can be known without the file.
    ///
    /// # Errors
    /// All of [`EditError`] but [`NotOnce`](EditError::NotOnce).
    pub fn validate(&self) -> Result<(), EditError> {
        let file = self.file.clone();
        let mut steps = self.file.split('/');
        if steps.any(|step| step.is_empty() || step == "..") {
            return Err(EditError::Outside { file });
        }
        if self.find.is_empty() || self.find == self.replace {
            return Err(EditError::Idle { file });
        }
        Ok(())
    }

    /// How many lines it changes: those put in or those taken out, whichever are more.
    pub fn lines(&self) -> usize {
        let (old, new): (Vec<_>, Vec<_>) =
            (self.find.lines().collect(), self.replace.lines().collect());
        old.len().max(new.len()) - in_common(&old, &new)
    }

    /// The text of the file after the edit.
    ///
    /// # Errors
    /// [`EditError::NotOnce`].
    pub fn apply(&self, text: &str) -> Result<String, EditError> {
        // Overlapping finds count too, or a repeated line could be hit at the wrong place.
        let starts = text.char_indices().map(|(at, _)| at);
        let count = starts
            .filter(|at| text[*at..].starts_with(&self.find))
            .count();
        if count != 1 {
            let file = self.file.clone();
            return Err(EditError::NotOnce { file, count });
        }
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

/// How many lines stand in both texts in the same order: the longest common subsequence.
fn in_common(old: &[&str], new: &[&str]) -> usize {
    let mut best = vec![0; new.len() + 1];
    for line in old {
        let mut above_left = 0;
        for (at, other) in (1..).zip(new) {
            let above = best[at];
            best[at] = if line == other {
                above_left + 1
            } else {
                above.max(best[at - 1])
            };
            above_left = above;
        }
    }
    best[new.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(find: &str, replace: &str) -> Edit {
        Edit {
            file: "a/b.rs".to_owned(),
            find: find.to_owned(),
            replace: replace.to_owned(),
        }
    }

    fn count(text: &str, find: &str) -> usize {
        match edit(find, "other").apply(text) {
            Ok(_) => 1,
            Err(EditError::NotOnce { count, .. }) => count,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn only_the_text_that_was_found_changes() {
        let changed = edit("two\n", "2\n").apply("one\ntwo\nthree\n");
        assert_eq!(changed, Ok("one\n2\nthree\n".to_owned()));
    }

    #[test]
    fn a_text_that_stands_there_more_or_less_than_once_is_refused_with_its_count() {
        assert_eq!(["é-é-é", "é", "-"].map(|text| count(text, "é")), [3, 1, 0]);
        assert_eq!(count("aaa", "aa"), 2);
    }

    #[test]
    fn what_cannot_be_a_small_edit_of_our_tree_is_refused() {
        let outside = Edit {
            file: "../secret".to_owned(),
            ..edit("a", "b")
        };
        assert!(matches!(outside.validate(), Err(EditError::Outside { .. })));
        assert!(matches!(
            edit("a", "a").validate(),
            Err(EditError::Idle { .. })
        ));
        assert_eq!(edit("a", "b").validate(), Ok(()));
    }

    #[test]
    fn lines_that_stay_do_not_count_as_changed() {
        let lines = |find: &str, replace: &str| edit(find, replace).lines();
        assert_eq!(lines("a\nb\nc", "a\nx\nc"), 1);
        assert_eq!(lines("a\nb\nc", "a\nc"), 1);
        assert_eq!(lines("a\nb", "x\na\ny\nb\nz"), 3);
        assert_eq!(lines("a\nb\nc", "x\ny"), 3);
    }
}
