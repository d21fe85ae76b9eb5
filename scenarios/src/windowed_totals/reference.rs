//! What `windowed_totals` must give, by one pass over all events; shares nothing with the engine.

use std::collections::BTreeMap;

use super::event::{self, Event, Events, PARTITIONS};
use crate::draw::generated;
use crate::story::{Rows, Workload};

/// The totals of a workload, as rows.
pub(super) fn rows(workload: &Workload) -> Rows {
    let window = workload.arguments.window.unwrap_or(super::WINDOW);
    let window = window.as_millis() as i64;
    let mut totals: BTreeMap<(i64, u32), u64> = BTreeMap::new();
    for event in events(workload).concat() {
        let start = event.at.div_euclid(window) * window;
        *totals.entry((start, event.key)).or_default() += event.amount;
    }
    Rows::new(
        totals
            .iter()
            .map(|((start, key), total)| format!("{start} {key} {total}")),
    )
}

/// The events of each partition, or of each file.
pub(super) fn events(workload: &Workload) -> Vec<Vec<Event>> {
    let arguments = &workload.arguments;
    if arguments.input.is_empty() {
        let events = Events::of(arguments);
        let records = arguments.records.unwrap_or(super::RECORDS);
        return generated(PARTITIONS, records, |partition, offset| {
            events.event(partition, offset)
        });
    }
    let texts = workload
        .files
        .iter()
        .map(|(_, text)| String::from_utf8_lossy(text));
    let read = |text: std::borrow::Cow<'_, str>| -> Vec<Event> {
        text.lines()
            .map(|line| event::parse(line).expect("the workload writes events"))
            .collect()
    };
    texts.map(read).collect()
}
