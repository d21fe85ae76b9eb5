//! How the files of a [`FileSink`](crate::FileSink) are called.
//!
//! Invariant: the name of a growing file holds subtask, attempt and number, so no two attempts ever
//! have one in common; with checkpoints the final name does, too. Does not touch a disk.

use std::path::PathBuf;

use sameriver_model::{AttemptNumber, SubtaskIndex};

const GROWING: &str = ".inprogress";

/// What final names are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// One file with this name.
    Single(String),
    /// `part-0.txt`, `part-0-1.txt`, … for a job that starts anew after a failure.
    Plain,
    /// `part-0-a1.1-0.txt` for a job that goes on from checkpoints.
    OfAttempt,
}

/// The names of the files of one subtask in one attempt.
#[derive(Clone, Debug)]
pub(crate) struct PartNames {
    /// The folder.
    pub(crate) directory: PathBuf,
    /// What names start with.
    pub(crate) prefix: String,
    /// What names end with.
    pub(crate) extension: &'static str,
    /// The subtask.
    pub(crate) subtask: SubtaskIndex,
    /// The attempt.
    pub(crate) attempt: AttemptNumber,
    /// How final names are made.
    pub(crate) naming: Naming,
}

impl PartNames {
    /// The file with this number while it grows, and until it is committed.
    pub(crate) fn growing(&self, number: u64) -> PathBuf {
        let (stem, extension) = (self.stem(), self.extension);
        let attempt = self.attempt;
        self.directory
            .join(format!(".{stem}-{attempt}-{number}.{extension}{GROWING}"))
    }

    /// The file with this number for ever.
    pub(crate) fn last(&self, number: u64) -> PathBuf {
        let (stem, extension) = (self.stem(), self.extension);
        let attempt = self.attempt;
        let name = match (&self.naming, number) {
            (Naming::Single(name), _) => name.clone(),
            (Naming::Plain, 0) => format!("{stem}.{extension}"),
            (Naming::Plain, _) => format!("{stem}-{number}.{extension}"),
            (Naming::OfAttempt, _) => format!("{stem}-{attempt}-{number}.{extension}"),
        };
        self.directory.join(name)
    }

    /// Whether the name is that of a growing file of this subtask in an earlier attempt.
    pub(crate) fn is_left_over(&self, name: &str) -> bool {
        let attempt = name
            .strip_prefix('.')
            .and_then(|name| name.strip_prefix(&self.stem()))
            .and_then(|name| name.strip_prefix('-'))
            .and_then(|name| name.strip_suffix(GROWING))
            .and_then(|name| name.strip_suffix(self.extension))
            .and_then(|name| name.strip_suffix('.'))
            .and_then(|name| name.split_once('-'))
            .filter(|(_, number)| number.parse::<u64>().is_ok())
            .and_then(|(attempt, _)| parse_attempt(attempt));
        attempt.is_some_and(|attempt| attempt < self.attempt)
    }

    fn stem(&self) -> String {
        format!("{}-{}", self.prefix, self.subtask)
    }
}

/// An attempt as it displays itself.
fn parse_attempt(text: &str) -> Option<AttemptNumber> {
    let text = text.strip_prefix('a')?;
    let attempt = match text.split_once('.') {
        Some((epoch, ordinal)) => {
            AttemptNumber::of_epoch(epoch.parse().ok()?, ordinal.parse().ok()?)
        }
        None => AttemptNumber::new(text.parse().ok()?),
    };
    Some(attempt)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn names(attempt: AttemptNumber, naming: Naming) -> PartNames {
        PartNames {
            directory: PathBuf::from("out"),
            prefix: "part".to_owned(),
            extension: "txt",
            subtask: SubtaskIndex::new(1),
            attempt,
            naming,
        }
    }

    fn text(path: &Path) -> String {
        path.display().to_string()
    }

    #[test]
    fn names_hold_subtask_attempt_and_number() {
        let names = names(AttemptNumber::of_epoch(2, 3), Naming::OfAttempt);
        assert_eq!(text(&names.growing(4)), "out/.part-1-a2.3-4.txt.inprogress");
        assert_eq!(text(&names.last(4)), "out/part-1-a2.3-4.txt");
    }

    #[test]
    fn a_job_without_checkpoints_has_plain_names() {
        let names = names(AttemptNumber::new(1), Naming::Plain);
        assert_eq!(text(&names.last(0)), "out/part-1.txt");
        assert_eq!(text(&names.last(2)), "out/part-1-2.txt");
    }

    #[test]
    fn left_over_are_growing_files_of_this_subtask_in_earlier_attempts_alone() {
        let own = names(AttemptNumber::of_epoch(2, 3), Naming::OfAttempt);
        for (name, is_left_over) in [
            (".part-1-a2.2-0.txt.inprogress", true),
            (".part-1-a1.9-7.txt.inprogress", true),
            (".part-1-a2.3-0.txt.inprogress", false),
            (".part-1-a2.4-0.txt.inprogress", false),
            (".part-1-a10.1-0.txt.inprogress", false),
            (".part-11-a1.1-0.txt.inprogress", false),
            (".part-0-a1.1-0.txt.inprogress", false),
            (".part-1-a1.1-0.jsonl.inprogress", false),
            (".part-1-1-a1.1-0.txt.inprogress", false),
            ("part-1-a1.1-0.txt", false),
            ("part-1-a1.1-0.txt.inprogress", false),
        ] {
            assert_eq!(own.is_left_over(name), is_left_over, "{name}");
        }
    }
}
