//! Random operations on every kind of state, compared with plain ordered maps.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use sameriver_model::{
    EventTime, KeyGroupRange, KeyHash, MaxParallelism, Parallelism, ProcessingTime, SubtaskIndex,
    Watermark,
};
use sameriver_state::{
    At, Declare, DeclareError, KeyedState, ListState, MapState, StateError, ValueState,
};

#[derive(Clone, Debug)]
enum Op {
    Set(u32),
    Add(u32),
    Take,
    Clear,
    Push(u32),
    Replace(Vec<u32>),
    ClearList,
    Insert(i8, u32),
    Change(i8, u32),
    Remove(i8),
    ClearMap,
    Timer(i64),
    DeleteTimer(i64),
    Fire(i64),
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        any::<u32>().prop_map(Op::Set),
        (0..9_u32).prop_map(Op::Add),
        Just(Op::Take),
        Just(Op::Clear),
        any::<u32>().prop_map(Op::Push),
        prop::collection::vec(any::<u32>(), 0..3).prop_map(Op::Replace),
        Just(Op::ClearList),
        (-3..3_i8, any::<u32>()).prop_map(|(key, value)| Op::Insert(key, value)),
        (-3..3_i8, 0..9_u32).prop_map(|(key, value)| Op::Change(key, value)),
        (-3..3_i8).prop_map(Op::Remove),
        Just(Op::ClearMap),
        (-5..5_i64).prop_map(Op::Timer),
        (-5..5_i64).prop_map(Op::DeleteTimer),
        (-5..5_i64).prop_map(Op::Fire),
    ]
}

#[derive(Clone, Copy)]
struct States {
    value: ValueState<u32>,
    list: ListState<u32>,
    map: MapState<i8, u32>,
}

fn declare(declare: &mut Declare<'_, String>) -> Result<States, DeclareError> {
    Ok(States {
        value: declare.value("value")?,
        list: declare.list("list")?,
        map: declare.map("map")?,
    })
}

fn open() -> (KeyedState<String>, States) {
    let max = MaxParallelism::new(4).unwrap();
    let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
    KeyedState::declare(all, max, declare).unwrap()
}

/// What the state should be.
#[derive(Debug, Default, PartialEq)]
struct Model {
    values: BTreeMap<String, u32>,
    lists: BTreeMap<String, Vec<u32>>,
    maps: BTreeMap<(String, i8), u32>,
    timers: BTreeSet<(i64, String)>,
}

impl Model {
    fn apply(&mut self, key: &str, op: &Op) {
        let key = key.to_owned();
        match op.clone() {
            Op::Set(value) => _ = self.values.insert(key, value),
            Op::Add(value) => {
                let sum = self.values.entry(key).or_default();
                *sum = sum.wrapping_add(value);
            }
            Op::Take | Op::Clear => _ = self.values.remove(&key),
            Op::Push(value) => self.lists.entry(key).or_default().push(value),
            Op::Replace(values) if values.is_empty() => _ = self.lists.remove(&key),
            Op::Replace(values) => _ = self.lists.insert(key, values),
            Op::ClearList => _ = self.lists.remove(&key),
            Op::Insert(map_key, value) => _ = self.maps.insert((key, map_key), value),
            Op::Change(map_key, value) => {
                let sum = self.maps.entry((key, map_key)).or_default();
                *sum = sum.wrapping_add(value);
            }
            Op::Remove(map_key) => _ = self.maps.remove(&(key, map_key)),
            Op::ClearMap => self.maps.retain(|(other, _), _| *other != key),
            Op::Timer(time) => _ = self.timers.insert((time, key)),
            Op::DeleteTimer(time) => _ = self.timers.remove(&(time, key)),
            Op::Fire(_) => {}
        }
    }

    fn fire(&mut self, up_to: i64) -> Vec<(i64, String)> {
        let later = self.timers.split_off(&(up_to + 1, String::new()));
        std::mem::replace(&mut self.timers, later)
            .into_iter()
            .collect()
    }
}

fn apply(states: States, at: &mut At<'_, String>, op: &Op) -> Result<(), StateError> {
    let add = |value: u32| {
        move |slot: &mut Option<u32>| {
            let sum = slot.get_or_insert(0);
            *sum = sum.wrapping_add(value);
        }
    };
    match op.clone() {
        Op::Set(value) => states.value.set(at, value),
        Op::Add(value) => states.value.update(at, add(value)),
        Op::Take => states.value.update(at, Option::take).map(|_| ()),
        Op::Clear => states.value.clear(at),
        Op::Push(value) => states.list.push(at, value),
        Op::Replace(values) => states.list.replace(at, values),
        Op::ClearList => states.list.clear(at),
        Op::Insert(map_key, value) => states.map.insert(at, map_key, value).map(|_| ()),
        Op::Change(map_key, value) => states.map.update(at, &map_key, add(value)),
        Op::Remove(map_key) => states.map.remove(at, &map_key).map(|_| ()),
        Op::ClearMap => states.map.clear(at),
        Op::Timer(time) => at.timer_at(time),
        Op::DeleteTimer(time) => at.delete_timer(time),
        Op::Fire(_) => Ok(()),
    }
}

fn enter<'a>(state: &'a mut KeyedState<String>, key: &'a String) -> At<'a, String> {
    let hash = KeyHash::of(key, &mut Vec::new()).unwrap();
    state.at(key, hash, None, Watermark::MIN, ProcessingTime::default())
}

fn fire(state: &mut KeyedState<String>, up_to: i64) -> Vec<(i64, String)> {
    let up_to = Watermark::at(EventTime::from_millis(up_to));
    let due = std::iter::from_fn(|| state.pop_timer(up_to));
    due.map(|timer| (timer.time.as_millis(), timer.key))
        .collect()
}

/// Reads everything that the state holds under `key` and compares.
fn check(states: States, at: &mut At<'_, String>, model: &Model) -> Result<(), TestCaseError> {
    let key = at.key().clone();
    prop_assert_eq!(
        states.value.get(at).unwrap(),
        model.values.get(&key).copied()
    );
    let list = states.list.read(at, <[u32]>::to_vec).unwrap();
    prop_assert_eq!(list, model.lists.get(&key).cloned().unwrap_or_default());
    let mut entries = Vec::new();
    let collect = |map_key: &i8, value: &u32| entries.push((*map_key, *value));
    states.map.for_each(at, collect).unwrap();
    let own = model.maps.iter().filter(|((other, _), _)| *other == key);
    let expected: Vec<_> = own
        .map(|((_, map_key), value)| (*map_key, *value))
        .collect();
    prop_assert_eq!(states.map.is_empty(at).unwrap(), expected.is_empty());
    for (map_key, value) in &expected {
        prop_assert_eq!(states.map.get(at, map_key).unwrap(), Some(*value));
    }
    prop_assert_eq!(entries, expected);
    Ok(())
}

proptest! {
    #[test]
    fn state_is_what_plain_maps_would_be(
        steps in prop::collection::vec(("[a\\x00]{0,3}", ops()), 0..120),
    ) {
        let (mut state, states) = open();
        let mut model = Model::default();
        for (key, op) in &steps {
            if let Op::Fire(up_to) = op {
                prop_assert_eq!(fire(&mut state, *up_to), model.fire(*up_to));
            }
            let mut at = enter(&mut state, key);
            apply(states, &mut at, op).unwrap();
            model.apply(key, op);
            check(states, &mut at, &model)?;
        }
        for (key, _) in &steps {
            check(states, &mut enter(&mut state, key), &model)?;
        }
        let keys: BTreeSet<_> = model.maps.keys().map(|(key, _)| key).collect();
        let entries = model.values.len() + model.lists.len() + keys.len();
        prop_assert_eq!(state.entries(), entries);
        prop_assert_eq!(fire(&mut state, i64::MAX - 1), model.fire(i64::MAX - 1));
    }
}

#[test]
fn a_handle_of_another_operator_is_an_error() {
    let (_, states) = open();
    let max = MaxParallelism::new(4).unwrap();
    let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
    let other = KeyedState::<String>::declare(all, max, |declare| declare.value::<i64>("other"));
    let (mut state, _) = other.unwrap();
    let key = String::new();
    let error = states.value.get(&mut enter(&mut state, &key)).unwrap_err();
    let expected = "state handle 0 of type u32 is not one of this operator: use the handles that \
                    its own `states` returned";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_state_needs_a_name() {
    let max = MaxParallelism::new(4).unwrap();
    let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
    let unnamed = KeyedState::<u64>::declare(all, max, |declare| declare.value::<i64>(""));
    assert_eq!(unnamed.err(), Some(DeclareError::NameEmpty));
}

#[test]
fn descriptors_come_in_the_order_of_declaration() {
    let (state, _) = open();
    let all: Vec<String> = state
        .descriptors()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        all,
        ["value value: u32", "list list: u32", "map map: (i8, u32)"]
    );
}

#[test]
fn an_updating_closure_can_answer_with_an_error() {
    let (mut state, states) = open();
    let key = "k".to_owned();
    let at = &mut enter(&mut state, &key);
    let answer = states
        .value
        .update(at, |_| Err::<(), _>("too large"))
        .unwrap();
    assert_eq!(
        (answer, states.value.get(at).unwrap()),
        (Err("too large"), None)
    );
}
