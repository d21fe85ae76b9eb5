//! What can be wrong with settings.
//!
//! Invariant: every message names the setting, its value, where it was written, and the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::Origin;

/// Settings that cannot be used; `Debug` shows what `Display` does.
///
/// ```
/// use sameriver::Settings;
/// let error = Settings { batch_records: 0, ..Settings::default() }.validate().unwrap_err();
/// assert_eq!(error.to_string(), "setting batch_records = 0 is refused: choose at least 1");
/// ```
#[derive(Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read settings file {}: {cause}: {}", path.display(), reading(cause))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file is not TOML.
    #[error(
        "settings file {}: {}\nwrite one `name = value` a line; `settings --print` shows how",
        path.display(),
        cause.to_string().trim_end()
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        cause: toml::de::Error,
    },
    /// A setting that does not exist.
    #[error("{origin}: unknown setting {name}: {}", suggestion(nearest.as_deref()))]
    Unknown {
        /// What was written.
        name: String,
        /// Where.
        origin: Origin,
        /// The setting that was probably meant.
        nearest: Option<String>,
    },
    /// A value of another type.
    #[error("{origin}: {name} = {value} cannot be read: {expected}")]
    Unfit {
        /// The setting.
        name: String,
        /// What was written.
        value: String,
        /// Where.
        origin: Origin,
        /// What is expected instead.
        expected: String,
    },
    /// A value that is out of range, or does not go with another one.
    #[error("setting {name} = {value} is refused: {remedy}")]
    Refused {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What to do.
        remedy: String,
    },
}

impl fmt::Debug for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn reading(cause: &io::Error) -> &'static str {
    if cause.kind() == io::ErrorKind::InvalidData {
        "save it as UTF-8"
    } else {
        "check the path"
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`sameriver settings --print` lists all of them".to_owned(),
    }
}
