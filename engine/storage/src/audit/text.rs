//! The audit as a person reads it.
//!
//! Invariant: equal audits are equal texts; times are UTC.

use std::fmt::{self, Write as _};

use sameriver_model::ProcessingTime;

use super::{Audit, CheckpointRow, OrphanKind, RecordRow, Standing};

const MILLIS_PER_DAY: i64 = 86_400_000;

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latest => "latest",
            Self::Retained => "retained",
            Self::WithoutLog => "no log",
        })
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: ", self.folder, self.store)?;
        if self.records.is_empty() && self.checkpoints.is_empty() && self.orphans.is_empty() {
            return writeln!(f, "no record of a job log, no checkpoint");
        }
        writeln!(f, "{}", summary(self))?;
        if !self.checkpoints.is_empty() {
            writeln!(f)?;
            table(f, &checkpoints(self))?;
        }
        if !self.records.is_empty() {
            writeln!(f)?;
            table(f, &records(self))?;
        }
        if !self.orphans.is_empty() {
            writeln!(f)?;
            table(f, &orphans(self))?;
        }
        problems(self, f)
    }
}

fn summary(audit: &Audit) -> String {
    let newest = audit.records.last();
    let status = newest.map_or("without a job log".to_owned(), |row| match &row.record {
        Ok(record) => record.status.to_string(),
        Err(_) => "not known, its newest record is not readable".to_owned(),
    });
    let broken = audit.checkpoints.iter();
    let broken = broken.filter(|row| !row.problems.is_empty()).count();
    let verdict = match (broken, audit.checkpoints.len()) {
        (0, 0) => "no checkpoint".to_owned(),
        (0, 1) => "1 checkpoint, whole".to_owned(),
        (0, all) => format!("{all} checkpoints, all whole"),
        (_, 1) => "1 checkpoint, NOT whole".to_owned(),
        (broken, all) => format!("{all} checkpoints, {broken} NOT whole"),
    };
    format!("the job is {status}; {verdict}")
}

fn checkpoints(audit: &Audit) -> Vec<Vec<String>> {
    let mut rows = vec![cells(&[
        "checkpoint",
        "standing",
        "complete at",
        "attempt",
        "files",
        "bytes",
        "verdict",
    ])];
    rows.extend(audit.checkpoints.iter().map(|row| {
        vec![
            row.id.to_string(),
            row.standing.to_string(),
            row.created.map_or("not known".to_owned(), utc),
            row.attempt.to_string(),
            row.files.to_string(),
            row.bytes.to_string(),
            verdict(row),
        ]
    }));
    rows
}

fn verdict(row: &CheckpointRow) -> String {
    match row.problems.len() {
        0 => "whole".to_owned(),
        1 => "1 problem".to_owned(),
        more => format!("{more} problems"),
    }
}

fn records(audit: &Audit) -> Vec<Vec<String>> {
    let mut rows = vec![cells(&["record", "epoch", "latest", "retained", "the job"])];
    rows.extend(audit.records.iter().map(record));
    rows
}

fn record(row: &RecordRow) -> Vec<String> {
    let sequence = row.sequence.to_string();
    let Ok(record) = &row.record else {
        let mut unreadable = cells(&["", "", "", "not readable"]);
        unreadable.insert(0, sequence);
        return unreadable;
    };
    let retained = record.retained.iter().map(|one| one.id.to_string());
    let retained: Vec<_> = retained.collect();
    let latest = record.latest.as_ref();
    vec![
        sequence,
        record.epoch.to_string(),
        latest.map_or("none".to_owned(), |one| one.id.to_string()),
        match retained.as_slice() {
            [] => "none".to_owned(),
            some => some.join(" "),
        },
        record.status.to_string(),
    ]
}

fn orphans(audit: &Audit) -> Vec<Vec<String>> {
    let mut rows = vec![cells(&["not needed", "bytes", "why"])];
    rows.extend(audit.orphans.iter().map(|orphan| {
        let why = match orphan.kind {
            OrphanKind::Left => "of no kept checkpoint: the next leader removes it",
            OrphanKind::LeaderBeat => "a leader's sign of life: the next leader removes it",
            OrphanKind::Foreign => "not written by sameriver: it is never touched",
        };
        vec![
            orphan.path.clone(),
            orphan.length.to_string(),
            why.to_owned(),
        ]
    }));
    rows
}

fn problems(audit: &Audit, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let of_records = audit.records.iter().filter_map(|row| {
        let problem = row.record.as_ref().err()?;
        Some(format!("record {}: {problem}", row.sequence))
    });
    let of_checkpoints = audit.checkpoints.iter().flat_map(|row| {
        let of = |problem| format!("{}: {problem}", row.id);
        row.problems.iter().map(of)
    });
    let all: Vec<String> = of_records.chain(of_checkpoints).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(f)?;
    all.iter().try_for_each(|problem| writeln!(f, "{problem}"))
}

fn cells(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Writes columns two spaces apart; the last one is as long as it is.
fn table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            write!(line, "{cell:width$}  ")?;
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

/// The instant as a date and a time of day, UTC.
fn utc(time: ProcessingTime) -> String {
    let days = time.as_millis().div_euclid(MILLIS_PER_DAY);
    let millis = time.as_millis().rem_euclid(MILLIS_PER_DAY);
    let (year, month, day) = date(days);
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; 400 of them have
/// 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let leaps = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leaps) / 365;
    let before = 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let day_of_year = day_of_era - before;
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_also_before_1970_and_on_leap_days() {
        let check = |millis, text| assert_eq!(utc(ProcessingTime::from_millis(millis)), text);
        check(0, "1970-01-01 00:00:00.000Z");
        check(-1, "1969-12-31 23:59:59.999Z");
        check(951_782_400_000, "2000-02-29 00:00:00.000Z");
        check(1_700_000_000_123, "2023-11-14 22:13:20.123Z");
        check(4_107_542_400_000, "2100-03-01 00:00:00.000Z");
    }
}
