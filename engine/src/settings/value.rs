//! How the value of a setting is written in a file or on a command line.
//!
//! Invariant: `read(written(value)) == value`.

use std::time::Duration;

/// A type that a setting can have.
///
/// ```
/// use std::time::Duration;
///
/// use sameriver::SettingValue;
/// let pause = Duration::read("\"1500ms\"")?;
/// assert_eq!(pause, Duration::from_millis(1500));
/// assert_eq!(Duration::read(&pause.written())?, pause);
/// assert!(bool::read("maybe").is_err());
/// # Ok::<(), String>(())
/// ```
pub trait SettingValue: Sized {
    /// Reads a value as TOML writes it.
    ///
    /// # Errors
    /// What is expected instead.
    fn read(written: &str) -> Result<Self, String>;

    /// Writes a value as TOML does.
    fn written(&self) -> String;
}

impl SettingValue for u32 {
    fn read(written: &str) -> Result<Self, String> {
        let digits = written.replace('_', "");
        digits
            .parse()
            .map_err(|_| format!("write a whole number from 0 to {}", Self::MAX))
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for bool {
    fn read(written: &str) -> Result<Self, String> {
        written
            .parse()
            .map_err(|_| "write true or false".to_owned())
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for u64 {
    fn read(written: &str) -> Result<Self, String> {
        let digits = written.replace('_', "");
        let number = digits.parse::<i64>().ok();
        // TOML has signed numbers only.
        number
            .and_then(|number| Self::try_from(number).ok())
            .ok_or_else(|| format!("write a whole number from 0 to {}", i64::MAX))
    }

    fn written(&self) -> String {
        self.to_string()
    }
}

impl SettingValue for String {
    fn read(written: &str) -> Result<Self, String> {
        let inner = written
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        let text = inner.unwrap_or(written);
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '\\'))
        {
            return Err("write text without quotes, backslashes and line ends".to_owned());
        }
        Ok(text.to_owned())
    }

    fn written(&self) -> String {
        format!("\"{self}\"")
    }
}

const UNITS: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("min", 60_000_000),
    ("h", 3_600_000_000),
];

impl SettingValue for Duration {
    fn read(written: &str) -> Result<Self, String> {
        let text = written.trim_matches('"').trim();
        let split = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(split.unwrap_or(text.len()));
        let unit = UNITS.iter().find(|(name, _)| *name == unit.trim());
        let micros = match (number.parse::<u64>(), unit) {
            (Ok(number), Some((_, micros))) => number.checked_mul(*micros),
            (Ok(_) | Err(_), Some(_) | None) => None,
        };
        micros
            .map(Self::from_micros)
            .ok_or_else(|| "write a number with a unit, us, ms, s, min or h: \"5ms\"".to_owned())
    }

    fn written(&self) -> String {
        let micros = self.as_micros() as u64;
        let (unit, size) = UNITS
            .iter()
            .rev()
            .find(|(_, size)| micros >= *size && micros.is_multiple_of(*size))
            .unwrap_or(&("ms", 1_000));
        format!("\"{}{unit}\"", micros / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        for micros in [0, 1, 5_000, 1_500_000, 60_000_000, 7_200_000_000] {
            let duration = Duration::from_micros(micros);
            assert_eq!(SettingValue::read(&duration.written()), Ok(duration));
        }
        assert_eq!(Duration::from_millis(5).written(), "\"5ms\"");
    }

    #[test]
    fn a_duration_without_a_unit_is_refused() {
        assert!(<Duration as SettingValue>::read("5").is_err());
        assert!(<Duration as SettingValue>::read("ms").is_err());
        assert!(<Duration as SettingValue>::read("\"99999999999999999h\"").is_err());
    }
}
