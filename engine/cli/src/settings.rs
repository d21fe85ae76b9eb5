//! Settings of a command: defaults, then a file, then the command line.

use std::path::Path;

use sameriver::{EffectiveSettings, Settings};

use crate::command::SettingsSource;

const FILE: &str = "sameriver.toml";

/// The settings in layers, each value with its origin.
///
/// # Errors
/// A sentence that names the setting, its value, where it was written and the remedy.
pub fn effective(source: &SettingsSource) -> Result<EffectiveSettings, String> {
    let file = source.settings.as_deref().or_else(|| here(Path::new(FILE)));
    let mut settings = match file {
        Some(file) => EffectiveSettings::load(file).map_err(|error| error.to_string())?,
        None => EffectiveSettings::new(),
    };
    for pair in &source.set {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("--set {pair} has no value: write --set {pair}=VALUE"))?;
        settings
            .set(name.trim(), value.trim())
            .map_err(|error| error.to_string())?;
    }
    if let Some(parallelism) = &source.parallelism {
        settings
            .set("parallelism", parallelism)
            .map_err(|error| error.to_string())?;
    }
    Ok(settings)
}

/// The settings, once they fit together.
///
/// # Errors
/// As [`effective`], and when they do not fit together.
pub fn validated(source: &SettingsSource) -> Result<Settings, String> {
    effective(source)?
        .validated()
        .map_err(|error| error.to_string())
}

fn here(file: &Path) -> Option<&Path> {
    file.exists().then_some(file)
}
