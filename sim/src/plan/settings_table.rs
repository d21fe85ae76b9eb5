//! Settings in a plan: a table of what is not at its default, as the settings file would have it.
//!
//! Invariant: what is written is read back equal.

use sameriver::{EffectiveSettings, Settings};
use toml::{Table, Value};

/// The settings that differ from the defaults.
pub(super) fn written(settings: &Settings) -> Table {
    let (ours, defaults) = (rows(settings), rows(&Settings::default()));
    let differing = ours.into_iter().zip(defaults).filter(|(a, b)| a != b);
    let entry = |((name, value), _): ((&'static str, String), _)| {
        let value: Value = value.parse().unwrap_or(Value::String(value));
        (name.to_owned(), value)
    };
    differing.map(entry).collect()
}

fn rows(settings: &Settings) -> Vec<(&'static str, String)> {
    let effective = EffectiveSettings::from(settings.clone());
    let rows = effective.rows().into_iter();
    rows.map(|row| (row.name, row.value)).collect()
}

/// Reads them back on top of the defaults.
pub(super) fn read(table: &Table) -> Result<Settings, String> {
    let mut settings = EffectiveSettings::new();
    for (name, value) in table {
        let set = settings.set(name, &value.to_string());
        set.map_err(|error| error.to_string())?;
    }
    settings.validated().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use sameriver_runtime::RandomStream;

    use super::*;
    use crate::draw_settings;

    #[test]
    fn drawn_settings_are_read_back() {
        for seed in 0..200 {
            let settings = draw_settings(&mut RandomStream::named(seed, "settings"));
            assert_eq!(read(&written(&settings)), Ok(settings));
        }
    }

    #[test]
    fn defaults_need_no_line() {
        assert!(written(&Settings::default()).is_empty());
    }
}
