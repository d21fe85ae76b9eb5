//! What a finished job counted, as lines for the terminal.

use std::time::Duration;

use sameriver::{JobResult, VertexMetrics};

/// A line a vertex and one for the job.
pub(crate) fn of(name: &str, result: &JobResult, took: Duration) -> String {
    let vertices = result.vertices();
    let width = vertices
        .iter()
        .map(|vertex| vertex.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for vertex in vertices {
        text += &format!(
            "  {:width$}  {:>2} x  {:>11} in  {:>11} out{}\n",
            vertex.name,
            vertex.subtasks.len(),
            grouped(vertex.records_in()),
            grouped(vertex.records_out()),
            late(vertex),
        );
    }
    let read: u64 = vertices.first().map_or(0, VertexMetrics::records_in);
    let seconds = took.as_secs_f64();
    let rate = if seconds > 0.0 {
        read as f64 / seconds
    } else {
        0.0
    };
    text += &format!(
        "{name} {}: {} records in {seconds:.2} s ({} a second)",
        result.end(),
        grouped(read),
        grouped(rate as u64),
    );
    text
}

fn late(vertex: &VertexMetrics) -> String {
    match vertex.sum(|subtask| subtask.late_dropped) {
        0 => String::new(),
        late => format!("  {} late dropped", grouped(late)),
    }
}

/// A number with a comma before each group of three digits.
fn grouped(number: u64) -> String {
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
}
