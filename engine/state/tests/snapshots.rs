//! Snapshots taken in random steps while state changes at random, compared with a copy of the state
//! as it was when they began.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use sameriver_model::{
    EventTime, KeyGroup, KeyGroupRange, KeyHash, MaxParallelism, Parallelism, ProcessingTime,
    RestoredState, SectionId, SectionKind, SectionWriter, SubtaskIndex, Uid, Watermark,
};
use sameriver_state::{
    Declare, DeclareError, HeapTable, KeyedState, ListState, MapState, RestoreError, StateAddress,
    StateDescriptor, StateKind, TimerStore, ValueState, WalkBudget,
};

fn max(groups: u32) -> MaxParallelism {
    MaxParallelism::new(groups).unwrap()
}

fn all(groups: u32) -> KeyGroupRange {
    KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max(groups))
}

fn hash(key: u64) -> KeyHash {
    KeyHash::of(&key, &mut Vec::new()).unwrap()
}

fn uid() -> Uid {
    Uid::new("totals")
}

/// What a restore is given of the sections that were written.
fn restored(mut sections: SectionWriter) -> RestoredState {
    let bytes = sections.take();
    let mut restored = RestoredState::default();
    for section in sections.into_sections() {
        let range = section.offset as usize..(section.offset + section.length) as usize;
        restored.add(section.id, bytes[range].to_vec().into());
    }
    restored
}

type Table = HeapTable<u64, Option<u64>>;

fn count() -> StateDescriptor {
    StateDescriptor::new::<u64>("count", StateKind::Value)
}

/// Walks a step; says whether the snapshot is written.
fn step(table: &mut Table, bytes: usize, sections: &mut SectionWriter) -> bool {
    let (operator, descriptor) = (&uid(), &count());
    let of = StateAddress {
        operator,
        descriptor,
    };
    table
        .walk(of, &mut WalkBudget::of(bytes), sections)
        .unwrap()
}

fn reopened(groups: u32, sections: SectionWriter) -> Result<Table, RestoreError> {
    let mut table = Table::new(all(groups), max(groups));
    let (operator, descriptor) = (&uid(), &count());
    let of = StateAddress {
        operator,
        descriptor,
    };
    table.restore(of, &restored(sections))?;
    Ok(table)
}

fn contents(table: &Table) -> BTreeMap<u64, u64> {
    let entries = table.ordered().into_iter();
    entries.map(|(key, value)| (*key, value.unwrap())).collect()
}

#[derive(Clone, Debug)]
enum Op {
    Entry(u64),
    Update(u64),
    Change(u64),
    Remove(u64),
    Take(u64),
    /// So many new keys: sub-tables grow and split.
    Grow(u64),
    /// So many keys go: what is left may move.
    Shrink(u64),
    Walk(usize),
}

fn ops(keys: u64) -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..keys).prop_map(Op::Entry),
        4 => (0..keys).prop_map(Op::Update),
        4 => (0..keys).prop_map(Op::Change),
        4 => (0..keys).prop_map(Op::Remove),
        4 => (0..keys).prop_map(Op::Take),
        1 => (1..40_u64).prop_map(Op::Grow),
        1 => (1..40_u64).prop_map(Op::Shrink),
        5 => (1..400_usize).prop_map(Op::Walk),
    ]
}

/// Applies an operation to the table, `scale` times as large where it has a size.
fn apply(table: &mut Table, op: &Op, scale: u64, fresh: &mut u64) {
    match *op {
        Op::Entry(key) => _ = table.entry(hash(key), &key, || None).insert(*fresh),
        Op::Update(key) => table.update(hash(key), &key, |value| {
            *value = Some(value.unwrap_or(0) + *fresh);
        }),
        Op::Change(key) => {
            if let Some(value) = table.get_mut(hash(key), &key) {
                *value = Some(*fresh);
            }
        }
        Op::Remove(key) => _ = table.remove(hash(key), &key),
        Op::Take(key) => table.update(hash(key), &key, |value| *value = None),
        Op::Grow(count) => {
            for key in *fresh..*fresh + count * scale {
                table.entry(hash(key), &key, || Some(key));
            }
            *fresh += count * scale;
        }
        Op::Shrink(count) => {
            for key in fresh.saturating_sub(count * scale)..*fresh {
                table.remove(hash(key), &key);
            }
        }
        Op::Walk(_) => {}
    }
    *fresh += 1;
}

/// Writes `keys` keys, then `steps` while a snapshot runs; it must be the table at its beginning.
fn check(groups: u32, keys: u64, scale: u64, steps: &[Op]) -> Result<(), TestCaseError> {
    let mut table = Table::new(all(groups), max(groups));
    let mut fresh = keys;
    for key in 0..keys {
        table.entry(hash(key), &key, || Some(key));
    }
    for _ in 0..2 {
        let at_the_beginning = contents(&table);
        table.begin_snapshot();
        let mut sections = SectionWriter::default();
        let mut is_done = false;
        for op in steps {
            apply(&mut table, op, scale, &mut fresh);
            if let Op::Walk(bytes) = op {
                let written = sections.written();
                is_done = step(&mut table, bytes * scale as usize, &mut sections) || is_done;
                let step = sections.written() - written;
                prop_assert!(
                    step <= *bytes as u64 * scale + 40_000,
                    "a step of {step} bytes"
                );
            }
        }
        while !is_done {
            is_done = step(&mut table, 1_000 * scale as usize, &mut sections);
        }
        prop_assert_eq!(
            contents(&reopened(groups, sections).unwrap()),
            at_the_beginning
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_snapshot_is_the_table_as_it_was_when_it_began(
        groups in 1..9_u32,
        keys in 0..60_u64,
        steps in vec(ops(60), 0..80),
    ) {
        check(groups, keys, 1, &steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Sub-tables split under the walker.
    #[test]
    fn a_snapshot_of_large_groups_is_the_table_as_it_was_when_it_began(
        groups in 1..3_u32,
        keys in 20_000..60_000_u64,
        steps in vec(ops(60_000), 0..60),
    ) {
        check(groups, keys, 1_000, &steps)?;
    }

    #[test]
    fn a_snapshot_of_timers_is_the_store_as_it_was_when_it_began(
        groups in 1..9_u32,
        before in vec((0..500_i64, 0..40_u64), 0..400),
        steps in vec((0..4_u8, 0..500_i64, 0..40_u64), 0..300),
        bytes in 1..2_000_usize,
    ) {
        let mut timers = TimerStore::<u64, i8>::new();
        let time = EventTime::from_millis;
        for (at, key) in before {
            timers.register(time(at), &key, hash(key), 3).unwrap();
        }
        let order = |timers: &TimerStore<u64, i8>| {
            let all = timers.iter().map(|timer| (timer.time, timer.key, timer.hash));
            all.collect::<Vec<_>>()
        };
        let at_the_beginning = order(&timers);
        timers.begin_snapshot(max(groups));
        let mut sections = SectionWriter::default();
        let mut walk = |timers: &mut TimerStore<u64, i8>| {
            timers.walk(&uid(), &mut WalkBudget::of(bytes), &mut sections)
        };
        for (op, at, key) in steps {
            match op {
                0 => _ = timers.register(time(at), &key, hash(key), 3).unwrap(),
                1 => _ = timers.delete(time(at), &key, &3).unwrap(),
                2 => _ = timers.pop_due(Watermark::at(time(at / 8))),
                _ => _ = walk(&mut timers),
            }
        }
        while !walk(&mut timers) {}
        let mut again = TimerStore::<u64, i8>::new();
        again.restore(&uid(), all(groups), max(groups), &restored(sections)).unwrap();
        prop_assert_eq!(order(&again), at_the_beginning);
    }
}

#[test]
fn a_dropped_snapshot_leaves_the_next_one_whole() {
    let mut table = Table::new(all(4), max(4));
    for key in 0..1_000 {
        table.entry(hash(key), &key, || Some(key));
    }
    table.begin_snapshot();
    step(&mut table, 4_000, &mut SectionWriter::default());
    table.update(hash(1), &1, |value| *value = Some(77));
    table.drop_snapshot();
    table.update(hash(2), &2, |value| *value = Some(78));
    let expected = contents(&table);
    table.begin_snapshot();
    let mut sections = SectionWriter::default();
    while !step(&mut table, 4_000, &mut sections) {}
    assert_eq!(contents(&reopened(4, sections).unwrap()), expected);
}

#[test]
fn equal_histories_give_equal_bytes() {
    let bytes = || {
        let mut table = Table::new(all(8), max(8));
        for key in 0..5_000 {
            table.entry(hash(key), &key, || Some(key));
        }
        table.begin_snapshot();
        let mut sections = SectionWriter::default();
        while !step(&mut table, 1_000, &mut sections) {}
        (sections.take(), sections.into_sections())
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_key_group_without_entries_has_no_section() {
    let mut table = Table::new(all(128), max(128));
    table.entry(hash(7), &7, || Some(7));
    table.begin_snapshot();
    let mut sections = SectionWriter::default();
    assert!(step(&mut table, 1_000, &mut sections));
    let groups = sections.sections().iter().map(|section| section.id.group);
    assert_eq!(groups.collect::<Vec<_>>(), [Some(hash(7).group(max(128)))]);
}

#[derive(Clone, Copy)]
struct States {
    value: ValueState<String>,
    list: ListState<u32>,
    map: MapState<String, u64>,
}

fn declare(declare: &mut Declare<'_, u64>) -> Result<States, DeclareError> {
    Ok(States {
        value: declare.value("value")?,
        list: declare.list("list")?,
        map: declare.map("map")?,
    })
}

fn open<S>(
    states: impl FnOnce(&mut Declare<'_, u64>) -> Result<S, DeclareError>,
) -> (KeyedState<u64>, S) {
    KeyedState::declare(all(4), max(4), states).unwrap()
}

/// Ten keys with a value, a list, a map and a timer each.
fn filled() -> (KeyedState<u64>, States) {
    let (mut state, states) = open(declare);
    for key in 0..10 {
        write(&mut state, states, key, "before").unwrap();
    }
    (state, states)
}

fn write(
    state: &mut KeyedState<u64>,
    states: States,
    key: u64,
    text: &str,
) -> Result<(), sameriver_state::StateError> {
    let now = ProcessingTime::default();
    let mut at = state.at(&key, hash(key), None, Watermark::MIN, now);
    states.value.set(&mut at, text.to_owned())?;
    states.list.push(&mut at, key as u32)?;
    states.map.insert(&mut at, format!("{text}-a"), key)?;
    states.map.insert(&mut at, format!("{text}-b"), 2 * key)?;
    at.timer_at(key as i64 + text.len() as i64)
}

type Shown = (Option<String>, Vec<u32>, BTreeMap<String, u64>);

fn shown(state: &mut KeyedState<u64>, states: States) -> Vec<Shown> {
    let mut all = Vec::new();
    for key in 0..10 {
        let now = ProcessingTime::default();
        let mut at = state.at(&key, hash(key), None, Watermark::MIN, now);
        let mut map = BTreeMap::new();
        let visit = |map_key: &String, value: &u64| _ = map.insert(map_key.clone(), *value);
        states.map.for_each(&mut at, visit).unwrap();
        let list = states.list.read(&mut at, <[u32]>::to_vec).unwrap();
        all.push((states.value.get(&mut at).unwrap(), list, map));
    }
    all
}

fn walked(state: &mut KeyedState<u64>) -> RestoredState {
    let mut sections = SectionWriter::default();
    while !state
        .walk(&uid(), &mut WalkBudget::of(100), &mut sections)
        .unwrap()
    {}
    restored(sections)
}

#[test]
fn values_lists_maps_and_timers_come_back_as_they_were_at_the_beginning() {
    let (mut state, states) = filled();
    let before = shown(&mut state, states);
    state.begin_snapshot();
    for key in (0..10).step_by(2) {
        write(&mut state, states, key, "afterwards").unwrap();
    }
    while state
        .pop_timer(Watermark::at(EventTime::from_millis(9)))
        .is_some()
    {}
    let snapshot = walked(&mut state);
    let (mut again, states) = open(declare);
    again.restore(&uid(), &snapshot).unwrap();
    assert_eq!(shown(&mut again, states), before);
    let due = std::iter::from_fn(|| again.pop_timer(Watermark::MAX));
    let due: BTreeSet<_> = due
        .map(|timer| (timer.time.as_millis(), timer.key))
        .collect();
    let expected = (0..10).map(|key| (key + 6, key as u64));
    assert_eq!(due, expected.collect());
}

fn refusal<S>(
    states: impl FnOnce(&mut Declare<'_, u64>) -> Result<S, DeclareError>,
    snapshot: &RestoredState,
) -> String {
    let (mut state, _) = open(states);
    let error = state.restore(&uid(), snapshot).unwrap_err();
    error.to_string()
}

#[test]
fn state_of_another_type_or_kind_is_refused_with_what_was_found_and_what_was_expected() {
    let (mut state, _) = filled();
    state.begin_snapshot();
    let snapshot = walked(&mut state);
    let error = refusal(
        |declare| {
            declare.list::<u32>("list")?;
            declare.map::<String, u64>("map")?;
            declare.value::<u32>("value")
        },
        &snapshot,
    );
    let expected = "keyed state value of totals, kg1 holds value value: alloc::string::String by \
                    u64, but value value: u32 by u64 is declared: declare it as it was, or give \
                    the changed operator a new uid";
    assert_eq!(error, expected);
    let error = refusal(
        |declare| {
            declare.value::<String>("value")?;
            declare.map::<String, u64>("map")?;
            declare.value::<u32>("list")
        },
        &snapshot,
    );
    assert!(
        error.contains("holds list list: u32 by u64, but value list: u32"),
        "{error}"
    );
}

#[test]
fn state_that_is_not_declared_any_more_is_refused() {
    let (mut state, _) = filled();
    state.begin_snapshot();
    let snapshot = walked(&mut state);
    let error = refusal(|declare| declare.value::<String>("value"), &snapshot);
    let start = "keyed state list of totals, kg1 is in the snapshot, but the operator declares no";
    assert!(error.starts_with(start), "{error}");
}

/// A section of one key, of the group that `group` names.
fn one_key(group: impl FnOnce(KeyGroup) -> u32) -> (SectionId, Vec<u8>) {
    let mut table = Table::new(all(4), max(4));
    table.entry(hash(7), &7, || Some(70));
    table.begin_snapshot();
    let mut sections = SectionWriter::default();
    assert!(step(&mut table, 1_000, &mut sections));
    let mut id = sections.sections()[0].id.clone();
    id.group = Some(KeyGroup::new(group(hash(7).group(max(4)))));
    (id, sections.take())
}

fn refused(id: &SectionId, parts: &[&[u8]]) -> RestoreError {
    let mut restored = RestoredState::default();
    for part in parts {
        restored.add(id.clone(), part.to_vec().into());
    }
    let (operator, descriptor) = (&uid(), &count());
    let of = StateAddress {
        operator,
        descriptor,
    };
    let mut table = Table::new(all(4), max(4));
    table.restore(of, &restored).unwrap_err()
}

#[test]
fn a_key_of_another_key_group_is_refused() {
    let (id, bytes) = one_key(|group| (group.get() + 1) % 4);
    let group = hash(7).group(max(4));
    let section = id.clone();
    assert_eq!(
        refused(&id, &[&bytes]),
        RestoreError::ForeignKey { section, group }
    );
}

#[test]
fn a_key_group_of_another_subtask_is_refused() {
    let (id, bytes) = one_key(|_| 4);
    assert!(matches!(
        refused(&id, &[&bytes]),
        RestoreError::ForeignGroup { .. }
    ));
}

#[test]
fn a_key_that_comes_twice_is_refused() {
    let (id, bytes) = one_key(KeyGroup::get);
    assert!(matches!(
        refused(&id, &[&bytes, &bytes]),
        RestoreError::KeyTwice { .. }
    ));
}

#[test]
fn another_format_and_cut_bytes_are_refused() {
    let (id, mut bytes) = one_key(KeyGroup::get);
    let cut = refused(&id, &[&bytes[..bytes.len() - 1]]);
    assert!(matches!(cut, RestoreError::Unreadable { .. }), "{cut}");
    bytes[0] = 9;
    let error = refused(&id, &[&bytes]).to_string();
    assert_eq!(id.kind, SectionKind::Keyed);
    assert!(
        error.contains("has format 9, this binary reads 1"),
        "{error}"
    );
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Shy {
    #[serde(skip_serializing_if = "is_small")]
    hidden: u64,
    seen: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks in this way")]
fn is_small(number: &u64) -> bool {
    *number < 10
}

#[test]
fn a_value_that_cannot_be_read_back_fails_the_snapshot_and_not_the_record() {
    let (mut state, shy) = open(|declare| declare.value::<Shy>("shy"));
    let now = ProcessingTime::default();
    let mut at = state.at(&7, hash(7), None, Watermark::MIN, now);
    shy.set(&mut at, Shy { hidden: 1, seen: 2 }).unwrap();
    state.begin_snapshot();
    let mut at = state.at(&7, hash(7), None, Watermark::MIN, now);
    shy.update(&mut at, |shy| shy.as_mut().map(|shy| shy.seen + shy.hidden))
        .unwrap();
    let walked = state.walk(
        &uid(),
        &mut WalkBudget::of(100),
        &mut SectionWriter::default(),
    );
    assert!(walked.unwrap_err().to_string().contains("Shy"));
}
