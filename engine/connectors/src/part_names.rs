//! How the files of a [`FileSink`](crate::FileSink) are called.
//!
//! Invariant: the name of a growing file holds subtask, job, attempt and number, so no two attempts
//! of any jobs ever have one in common; with checkpoints the final name does, too. Does not touch a
//! disk.

use std::path::PathBuf;

use sameriver_model::{AttemptNumber, JobNonce, Parallelism, SubtaskIndex};

const GROWING: &str = ".inprogress";

/// What final names are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// One file with this name.
    Single(String),
    /// `part-0.txt`, `part-0-1.txt`, … for a job that starts anew after a failure.
    Plain,
    /// `part-0-1f3c09ab-a1.1-0.txt` for a job that goes on from checkpoints.
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
    /// How many of them write.
    pub(crate) parallelism: Parallelism,
    /// The job.
    pub(crate) job: JobNonce,
    /// The attempt.
    pub(crate) attempt: AttemptNumber,
    /// How final names are made.
    pub(crate) naming: Naming,
}

impl PartNames {
    /// The file with this number while it grows, and until it is committed.
    pub(crate) fn growing(&self, number: u64) -> PathBuf {
        let (stem, extension) = (self.stem(), self.extension);
        let (job, attempt) = (self.job, self.attempt);
        let name = format!(".{stem}-{job}-{attempt}-{number}.{extension}{GROWING}");
        self.directory.join(name)
    }

    /// The file with this number for ever.
    pub(crate) fn last(&self, number: u64) -> PathBuf {
        let (stem, extension) = (self.stem(), self.extension);
        let (job, attempt) = (self.job, self.attempt);
        let name = match (&self.naming, number) {
            (Naming::Single(name), _) => name.clone(),
            (Naming::Plain, 0) => format!("{stem}.{extension}"),
            (Naming::Plain, _) => format!("{stem}-{number}.{extension}"),
            (Naming::OfAttempt, _) => format!("{stem}-{job}-{attempt}-{number}.{extension}"),
        };
        self.directory.join(name)
    }

    /// Whether the name is that of a growing file of this job and subtask in an earlier attempt.
    pub(crate) fn is_left_over(&self, name: &str) -> bool {
        let attempt = name
            .strip_prefix('.')
            .and_then(|name| name.strip_prefix(&self.stem()))
            .and_then(|name| name.strip_prefix('-'))
            .and_then(|name| name.strip_prefix(&self.job.to_string()))
            .and_then(|name| name.strip_prefix('-'))
            .and_then(|name| name.strip_suffix(GROWING))
            .and_then(|name| name.strip_suffix(self.extension))
            .and_then(|name| name.strip_suffix('.'))
            .and_then(|name| name.split_once('-'))
            .filter(|(_, number)| number.parse::<u64>().is_ok())
            .and_then(|(attempt, _)| parse_attempt(attempt));
        attempt.is_some_and(|attempt| attempt < self.attempt)
    }

    /// Whether the name is the final one of a file that this job did not write: another job did, or
    /// an earlier run. For the first attempt of a job, or one that starts from nothing.
    pub(crate) fn is_foreign(&self, name: &str) -> bool {
        let parts = name
            .strip_prefix(&self.prefix)
            .and_then(|name| name.strip_prefix('-'))
            .and_then(|name| name.strip_suffix(self.extension))
            .and_then(|name| name.strip_suffix('.'));
        let Some(parts) = parts.map(|parts| parts.split('-').collect::<Vec<_>>()) else {
            return false;
        };
        match parts[..] {
            [subtask] => self.is_foreign_plain(subtask),
            [subtask, number] => is_number(number) && self.is_foreign_plain(subtask),
            [subtask, job, attempt, number] => {
                let is_final = is_number(subtask) && is_nonce(job) && is_number(number);
                is_final && parse_attempt(attempt).is_some() && job != self.job.to_string()
            }
            _ => false,
        }
    }

    /// Without checkpoints a sibling may have committed its part before this subtask looks.
    fn is_foreign_plain(&self, subtask: &str) -> bool {
        let Ok(subtask) = subtask.parse::<u32>() else {
            return false;
        };
        match self.naming {
            Naming::OfAttempt => true,
            Naming::Plain => subtask == self.subtask.get() || subtask >= self.parallelism.get(),
            Naming::Single(_) => false,
        }
    }

    fn stem(&self) -> String {
        format!("{}-{}", self.prefix, self.subtask)
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<u64>().is_ok()
}

/// Whether the text looks like a job that displays itself.
fn is_nonce(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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
            parallelism: Parallelism::new(3).expect("it is positive"),
            job: JobNonce::new(0x1f3c_09ab_0000_0000),
            attempt,
            naming,
        }
    }

    fn text(path: &Path) -> String {
        path.display().to_string()
    }

    #[test]
    fn names_hold_subtask_job_attempt_and_number() {
        let names = names(AttemptNumber::of_epoch(2, 3), Naming::OfAttempt);
        let growing = "out/.part-1-1f3c09ab-a2.3-4.txt.inprogress";
        assert_eq!(text(&names.growing(4)), growing);
        assert_eq!(text(&names.last(4)), "out/part-1-1f3c09ab-a2.3-4.txt");
    }

    #[test]
    fn a_job_without_checkpoints_has_plain_names() {
        let names = names(AttemptNumber::new(1), Naming::Plain);
        assert_eq!(text(&names.last(0)), "out/part-1.txt");
        assert_eq!(text(&names.last(2)), "out/part-1-2.txt");
    }

    #[test]
    fn left_over_are_growing_files_of_this_subtask_in_earlier_attempts_of_this_job_alone() {
        let own = names(AttemptNumber::of_epoch(2, 3), Naming::OfAttempt);
        for (name, is_left_over) in [
            (".part-1-1f3c09ab-a2.2-0.txt.inprogress", true),
            (".part-1-1f3c09ab-a1.9-7.txt.inprogress", true),
            (".part-1-1f3c09ab-a2.3-0.txt.inprogress", false),
            (".part-1-1f3c09ab-a2.4-0.txt.inprogress", false),
            (".part-1-1f3c09ab-a10.1-0.txt.inprogress", false),
            (".part-11-1f3c09ab-a1.1-0.txt.inprogress", false),
            (".part-0-1f3c09ab-a1.1-0.txt.inprogress", false),
            (".part-1-1f3c09ab-a1.1-0.jsonl.inprogress", false),
            (".part-1-1-1f3c09ab-a1.1-0.txt.inprogress", false),
            (".part-1-2a2a2a2a-a1.1-0.txt.inprogress", false),
            (".part-1-a1.1-0.txt.inprogress", false),
            ("part-1-1f3c09ab-a1.1-0.txt", false),
            ("part-1-1f3c09ab-a1.1-0.txt.inprogress", false),
        ] {
            assert_eq!(own.is_left_over(name), is_left_over, "{name}");
        }
    }

    #[test]
    fn foreign_are_final_names_of_our_kind_that_this_job_does_not_give() {
        let foreign = |naming| {
            let own = names(AttemptNumber::of_epoch(1, 1), naming);
            let all = [
                "part-0-2a2a2a2a-a1.1-0.txt",
                "part-7-2a2a2a2a-a9.1-0.txt",
                "part-0.txt",
                "part-1.txt",
                "part-1-4.txt",
                "part-3.txt",
                "part-0-1f3c09ab-a1.1-0.txt",
                "part-0-2a2a2a2a-a1.1-0.jsonl",
                ".part-0-2a2a2a2a-a1.1-0.txt.inprogress",
                "total-0-2a2a2a2a-a1.1-0.txt",
                "part-0-2a2a-a1.1-0.txt",
                "part-of-it.txt",
                "part.txt",
            ];
            all.into_iter().filter(|name| own.is_foreign(name)).count()
        };
        assert_eq!(foreign(Naming::OfAttempt), 6);
        // Of the plain ones `part-0.txt` may be a sibling's.
        assert_eq!(foreign(Naming::Plain), 5);
    }
}
