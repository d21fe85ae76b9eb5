//! What a finished job counted, as lines for the terminal.

use std::time::Duration;

use sameriver::{JobResult, VertexMetrics};

const HEADS: [&str; 4] = ["", "subtasks", "records in", "sent on"];
/// Shorter runs are mostly start and end: a rate would say nothing.
const RATE_FROM: Duration = Duration::from_millis(100);

/// A line for the job and, as a table, one for each vertex.
pub(crate) fn of(name: &str, result: &JobResult, took: Duration) -> String {
    let vertices = result.vertices();
    let read: u64 = vertices.first().map_or(0, VertexMetrics::records_in);
    let head = format!(
        "{name} {}: {} in {}{}",
        result.end(),
        counted(read, "record"),
        lasting(took),
        rate(read, took),
    );
    let heads = HEADS.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(heads)
        .chain(vertices.iter().map(row))
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let [name, subtasks, taken, sent] = [0, 1, 2, 3].map(width);
    let notes = std::iter::once(String::new()).chain(vertices.iter().map(late));
    let table = rows.iter().zip(notes).map(|([a, b, c, d], note)| {
        format!("  {a:name$}  {b:>subtasks$}  {c:>taken$}  {d:>sent$}{note}")
    });
    let lines: Vec<String> = std::iter::once(head).chain(table).collect();
    lines.join("\n") + "\n"
}

fn row(vertex: &VertexMetrics) -> [String; 4] {
    [
        vertex.name.clone(),
        vertex.subtasks.len().to_string(),
        grouped(vertex.records_in()),
        match vertex.records_out() {
            0 => "-".to_owned(),
            sent => grouped(sent),
        },
    ]
}

fn late(vertex: &VertexMetrics) -> String {
    match vertex.sum(|subtask| subtask.late_dropped) {
        0 => String::new(),
        late => format!("  {} dropped", counted(late, "late record")),
    }
}

fn rate(records: u64, took: Duration) -> String {
    if records == 0 || took < RATE_FROM {
        return String::new();
    }
    let rate = records as f64 / took.as_secs_f64();
    format!(", {} a second", grouped(rate as u64))
}

/// A time as people read it: three digits at most behind nothing, or one or two behind the point.
fn lasting(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_millis() {
        0..10 => format!("{:.1} ms", seconds * 1e3),
        10..1_000 => format!("{:.0} ms", seconds * 1e3),
        1_000..120_000 => format!("{seconds:.2} s"),
        _ => format!("{} min {:.0} s", time.as_secs() / 60, seconds % 60.0),
    }
}

/// `1 record`, `1,000 records`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {thing}{ending}", grouped(number))
}

/// A number with a comma before each group of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["0", "999", "1,000", "12,345,678"],
            [0, 999, 1_000, 12_345_678].map(grouped)
        );
    }

    #[test]
    fn times_are_told_in_the_unit_that_fits() {
        let told = |micros| lasting(Duration::from_micros(micros));
        assert_eq!(
            ["0.0 ms", "2.4 ms", "31 ms", "1.25 s", "3 min 5 s"],
            [0, 2_440, 31_300, 1_250_000, 185_200_000].map(told)
        );
    }

    #[test]
    fn a_rate_is_told_only_of_a_run_that_lasted() {
        assert_eq!(rate(1_000, Duration::from_millis(3)), "");
        assert_eq!(rate(1_000, Duration::from_millis(500)), ", 2,000 a second");
    }
}
