//! Settings together with where each value came from.
//!
//! Invariant: later layers win: defaults, then the file, then the command line; every value knows
//! its layer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Settings, SettingsError};

/// Where the value of a setting was written.
///
/// ```
/// use sameriver::Origin;
/// let origin = Origin::File { path: "sameriver.toml".into(), line: 3 };
/// assert_eq!(origin.to_string(), "sameriver.toml line 3");
/// assert_eq!(Origin::default(), Origin::Default);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    #[default]
    Default,
    /// In a settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// On the command line.
    CommandLine,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// A line of `settings --print`.
///
/// ```
/// use sameriver::{EffectiveSettings, SettingRow};
/// let rows: Vec<SettingRow> = EffectiveSettings::new().rows();
/// let slices = rows.iter().find(|row| row.name == "slice_records");
/// assert_eq!(slices.map(|row| row.value.as_str()), Some("256"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingRow {
    /// The setting.
    pub name: &'static str,
    /// Its effective value, as the file would have it.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
    /// What the setting is about.
    pub meaning: &'static str,
}

/// Settings in layers: defaults, a file, the command line.
///
/// ```
/// use sameriver::{EffectiveSettings, Origin};
/// let mut settings = EffectiveSettings::parse("parallelism = 2", "sameriver.toml")?;
/// settings.set("batch_timeout", "0ms")?;
/// let row = |name| settings.rows().into_iter().find(|row| row.name == name).unwrap();
/// assert_eq!(row("parallelism").origin.to_string(), "sameriver.toml line 1");
/// assert_eq!(row("batch_timeout").origin, Origin::CommandLine);
/// assert_eq!(row("slots").origin, Origin::Default);
/// assert_eq!(settings.validated()?.parallelism, 2);
/// # Ok::<(), sameriver::SettingsError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EffectiveSettings {
    settings: Settings,
    origins: BTreeMap<&'static str, Origin>,
}

impl EffectiveSettings {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The defaults and on top of them a file.
    ///
    /// # Errors
    /// [`SettingsError`] when the file cannot be read, or has an unknown key or a value of another
    /// type. Ranges are checked by [`EffectiveSettings::validated`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SettingsError> {
        let path = path.as_ref();
        let text = read_file(path).map_err(|cause| SettingsError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        Self::parse(&text, path)
    }

    /// The defaults and on top of them the text of a file.
    ///
    /// # Errors
    /// As [`EffectiveSettings::load`].
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, SettingsError> {
        let path = path.as_ref();
        let table = DeTable::parse(text).map_err(|cause| SettingsError::Syntax {
            path: path.to_owned(),
            cause,
        })?;
        let mut effective = Self::new();
        for (key, value) in table.get_ref() {
            let line = text[..key.span().start].matches('\n').count() + 1;
            let path = path.to_owned();
            let written = written(text, value);
            effective.assign(key.get_ref(), &written, Origin::File { path, line })?;
        }
        Ok(effective)
    }

    /// Puts a value from the command line on top.
    ///
    /// # Errors
    /// [`SettingsError`] for an unknown name or a value of another type.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingsError> {
        self.assign(name, value, Origin::CommandLine)
    }

    /// The settings, once they fit together.
    ///
    /// # Errors
    /// As [`Settings::validate`].
    pub fn validated(self) -> Result<Settings, SettingsError> {
        self.settings.validate()?;
        Ok(self.settings)
    }

    /// Every setting with its effective value and where it came from.
    pub fn rows(&self) -> Vec<SettingRow> {
        Settings::TABLE
            .iter()
            .map(|(name, meaning)| SettingRow {
                name,
                value: self.settings.written(name).unwrap_or_default(),
                origin: self.origins.get(name).cloned().unwrap_or_default(),
                meaning,
            })
            .collect()
    }

    fn assign(&mut self, name: &str, value: &str, origin: Origin) -> Result<(), SettingsError> {
        let known = Settings::TABLE.iter().find(|(known, _)| *known == name);
        let Some((known, _)) = known else {
            return Err(SettingsError::Unknown {
                name: name.to_owned(),
                origin,
                nearest: nearest(name),
            });
        };
        let read = self.settings.read(known, value);
        if let Some(Err(expected)) = read {
            return Err(SettingsError::Unfit {
                name: name.to_owned(),
                value: value.to_owned(),
                origin,
                expected,
            });
        }
        self.origins.insert(known, origin);
        Ok(())
    }
}

impl From<Settings> for EffectiveSettings {
    /// Settings that a program made; nothing is known of where their values came from.
    fn from(settings: Settings) -> Self {
        Self {
            settings,
            origins: BTreeMap::new(),
        }
    }
}

impl fmt::Display for EffectiveSettings {
    /// Writes a settings file that has every setting, with origins and meanings as comments.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let lines: Vec<_> = rows
            .iter()
            .map(|row| format!("{} = {}", row.name, row.value))
            .collect();
        let width = lines.iter().map(String::len).max().unwrap_or(0);
        let origins: Vec<_> = rows.iter().map(|row| row.origin.to_string()).collect();
        let origin_width = origins.iter().map(String::len).max().unwrap_or(0);
        for ((line, row), origin) in lines.iter().zip(&rows).zip(&origins) {
            writeln!(
                f,
                "{line:width$}  # {origin:origin_width$}  {}",
                row.meaning
            )?;
        }
        Ok(())
    }
}

/// A value as it stands in the file.
fn written(text: &str, value: &toml::Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => text[value.span()].to_owned(),
        DeValue::Table(_) => "[table]".to_owned(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "settings are read before there is a world"
)]
fn read_file(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// The known name with the fewest edits, if it is near enough to have been meant.
fn nearest(name: &str) -> Option<String> {
    let names = Settings::TABLE.iter().map(|(known, _)| *known);
    let (distance, known) = names
        .map(|known| (edits(name, known), known))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= known.len() / 2).then(|| known.to_owned())
}

/// How many letters must be put in, taken out or replaced to turn one word into the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
