//! Holds the examples of `docs/formats.md` that state writes against the code.

use sameriver_model::{
    EventTime, KeyGroupRange, KeyHash, MaxParallelism, Parallelism, SectionWriter, SubtaskIndex,
    Uid,
};
use sameriver_state::{
    HeapTable, StateAddress, StateDescriptor, StateKind, TimerStore, WalkBudget,
};

/// The bytes that the page shows for an example.
fn published(example: &str) -> &'static str {
    let page = include_str!("../../../docs/formats.md");
    let row = format!("| {example} | `");
    let row = page.lines().find_map(|line| line.strip_prefix(&row));
    let row = row.expect("the page has the example");
    row.strip_suffix("` |")
        .expect("the row ends with the bytes")
}

fn hex(mut sections: SectionWriter) -> String {
    let bytes = sections.take().into_iter();
    let bytes: Vec<_> = bytes.map(|byte| format!("{byte:02x}")).collect();
    bytes.concat()
}

fn hash(key: u64) -> KeyHash {
    KeyHash::of(&key, &mut Vec::new()).expect("a number has bytes")
}

#[test]
fn entries_of_keyed_state_are_written_as_published() {
    let max = MaxParallelism::default();
    let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
    let mut table = HeapTable::<u64, Option<u64>>::new(all, max);
    table.entry(hash(7), &7, || Some(70));
    table.begin_snapshot();
    let mut sections = SectionWriter::default();
    let descriptor = &StateDescriptor::new::<u64>("count", StateKind::Value);
    let operator = &Uid::new("totals");
    let of = StateAddress {
        operator,
        descriptor,
    };
    let walked = table.walk(of, &mut WalkBudget::of(1_000), &mut sections);
    assert_eq!(walked, Ok(true));
    let published = published("keyed state `value count: u64` by `u64`: 70 for key 7");
    assert_eq!(hex(sections), published);
}

#[test]
fn timers_are_written_as_published() {
    let mut timers = TimerStore::<u64>::new();
    let registered = timers.register(EventTime::from_millis(5), &7, hash(7), ());
    assert_eq!(registered, Ok(true));
    timers.begin_snapshot(MaxParallelism::default());
    let mut sections = SectionWriter::default();
    let budget = &mut WalkBudget::of(1_000);
    assert!(timers.walk(&Uid::new("totals"), budget, &mut sections));
    assert_eq!(hex(sections), published("timer of key 7 (`u64`) at 5 ms"));
}
