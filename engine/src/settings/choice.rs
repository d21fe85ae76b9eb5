//! Settings that are one of a few words.
//!
//! Invariant: each word is written as it is read.

use super::value::SettingValue;

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meaning])* $variant,)*
        }

        impl SettingValue for $name {
            fn read(written: &str) -> Result<Self, String> {
                match written.trim_matches('"') {
                    $($word => Ok(Self::$variant),)*
                    _ => {
                        let words: &[&str] = &[$($word),*];
                        Err(format!("write one of {}", words.join(", ")))
                    }
                }
            }

            fn written(&self) -> String {
                let word = match self {
                    $(Self::$variant => $word,)*
                };
                format!("\"{word}\"")
            }
        }
    };
}

choice!(
    /// What a checkpoint promises.
    ///
    /// ```
    /// use sameriver::{CheckpointMode, SettingValue};
    /// assert_eq!(CheckpointMode::read("at-least-once"), Ok(CheckpointMode::AtLeastOnce));
    /// ```
    CheckpointMode {
        /// Each record changes the restored state exactly once: channels wait for barriers.
        ExactlyOnce = "exactly-once",
        /// A record may change the restored state twice: no channel ever waits.
        AtLeastOnce = "at-least-once",
    }
);

choice!(
    /// What follows a failure.
    ///
    /// ```
    /// use sameriver::{Restart, SettingValue};
    /// assert_eq!(Restart::FixedDelay.written(), "\"fixed-delay\"");
    /// ```
    Restart {
        /// The job fails.
        Never = "never",
        /// A new attempt after the same delay each time, `restart_attempts` times.
        FixedDelay = "fixed-delay",
        /// A new attempt, unless there were more than `restart_attempts` in `restart_interval`.
        FailureRate = "failure-rate",
        /// A new attempt after a delay that doubles up to `restart_delay_max`, and begins anew
        /// after `restart_interval` without a failure.
        ExponentialDelay = "exponential-delay",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_as_it_is_written() {
        for restart in [
            Restart::Never,
            Restart::FixedDelay,
            Restart::FailureRate,
            Restart::ExponentialDelay,
        ] {
            assert_eq!(Restart::read(&restart.written()), Ok(restart));
        }
    }

    #[test]
    fn an_unknown_choice_names_the_known_ones() {
        let words = Restart::read("sometimes").expect_err("there is no such word");
        assert_eq!(
            words,
            "write one of never, fixed-delay, failure-rate, exponential-delay"
        );
    }
}
