//! Splits, versions, the range of a table, and looking ahead.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use sameriver_model::{KeyGroupRange, KeyHash, MaxParallelism, Parallelism, SubtaskIndex};

use super::HeapTable;
use crate::epoch::Epoch;
use crate::key_group_table::SUB_TABLE_ENTRIES_MAX;

fn range(subtask: u32, parallelism: u32, max: MaxParallelism) -> KeyGroupRange {
    let parallelism = Parallelism::new(parallelism).unwrap();
    KeyGroupRange::of(SubtaskIndex::new(subtask), parallelism, max)
}

fn hash(key: u64) -> KeyHash {
    KeyHash::of(&key, &mut Vec::new()).unwrap()
}

fn one() -> MaxParallelism {
    MaxParallelism::new(1).unwrap()
}

fn table_of_one_group<V>() -> HeapTable<u64, V> {
    HeapTable::new(range(0, 1, one()), one())
}

#[test]
fn two_hundred_thousand_keys_of_one_group_are_found_across_splits() {
    const KEYS: u64 = 200_000;
    let mut table = table_of_one_group();
    for key in 0..KEYS {
        *table.entry(hash(key), &key, || 0) += key;
    }
    for key in (0..KEYS).step_by(3) {
        assert_eq!(table.remove(hash(key), &key), Some(key));
    }
    for key in 0..KEYS {
        let expected = (key % 3 != 0).then_some(key);
        assert_eq!(table.get(hash(key), &key).copied(), expected, "key {key}");
    }
    let left: Vec<u64> = table.ordered().into_iter().map(|(key, _)| *key).collect();
    let expected: Vec<u64> = (0..KEYS).filter(|key| key % 3 != 0).collect();
    assert_eq!((table.len(), left), (expected.len(), expected));
}

#[test]
fn no_sub_table_holds_more_than_it_may() {
    let mut table = table_of_one_group();
    for key in 0..200_000 {
        table.entry(hash(key), &key, || ());
    }
    let lens = table.groups[0].sub_table_lens();
    assert!(lens.iter().all(|&len| len <= SUB_TABLE_ENTRIES_MAX));
    assert!((8..=16).contains(&lens.len()), "{lens:?}");
}

#[test]
fn keys_whose_hashes_cannot_be_told_apart_are_still_kept_apart() {
    let mut table = table_of_one_group();
    let same = hash(0);
    let keys = 0..300_u64;
    for key in keys.clone() {
        table.entry(same, &key, || key);
    }
    assert!(keys.clone().all(|key| table.get(same, &key) == Some(&key)));
}

#[test]
fn a_write_notes_the_epoch_and_a_read_does_not() {
    let mut table = table_of_one_group();
    table.entry(hash(1), &1, || 10);
    table.entry(hash(2), &2, || 20);
    table.begin_snapshot();
    assert_eq!(table.get(hash(1), &1), Some(&10));
    *table.entry(hash(2), &2, || 0) += 1;
    let versions = [1, 2, 3].map(|key| table.version(hash(key), &key).map(Epoch::get));
    assert_eq!(versions, [Some(0), Some(1), None]);
}

#[test]
fn an_update_that_leaves_nothing_leaves_no_entry() {
    let mut table = table_of_one_group::<Option<u64>>();
    table.update(hash(1), &1, |value| assert!(value.is_none()));
    assert!(table.is_empty());
    table.update(hash(1), &1, |value| *value = Some(5));
    assert_eq!(table.update(hash(1), &1, Option::take), Some(5));
    assert!(table.is_empty());
}

proptest! {
    /// Few keys and many removals, so that places go stale in every way; a group per key or two,
    /// and hashes that cannot be told apart.
    #[test]
    fn looking_ahead_changes_no_answer(
        slices in vec(vec((0..40_u64, 0..3_u8), 1..20), 1..30),
        alike in any::<bool>(),
    ) {
        let of = |key: u64| if alike { hash(0) } else { hash(key) };
        let mut table = table_of_one_group::<Option<String>>();
        let mut model = BTreeMap::new();
        for slice in slices {
            let keys: Vec<_> = slice.iter().map(|(key, _)| (of(*key), *key)).collect();
            table.look_ahead(&keys);
            for (ordinal, (key, op)) in slice.into_iter().enumerate() {
                let seen = table.get_ahead(ordinal, of(key), &key).cloned().flatten();
                prop_assert_eq!(seen.as_ref(), model.get(&key));
                let old = table.update_ahead(ordinal, of(key), &key, |value| match op {
                    0 => value.take(),
                    1 => value.replace(format!("{key}")),
                    _ => value.as_mut().map(|value| std::mem::replace(value, "x".to_owned())),
                });
                prop_assert_eq!(old, seen);
                match op {
                    0 => model.remove(&key),
                    1 => model.insert(key, format!("{key}")),
                    _ => model.get_mut(&key).map(|value| std::mem::replace(value, "x".to_owned())),
                };
            }
            prop_assert_eq!(table.len(), model.len());
        }
    }
}

#[test]
fn a_place_is_forgotten_when_its_sub_table_splits() {
    let mut table = HeapTable::<String, u64>::new(range(0, 1, one()), one());
    let key = |n: u64| (hash(n), n.to_string());
    let known: Vec<_> = (0..100).map(key).collect();
    for (hash, key) in &known {
        table.entry(*hash, key, || 1);
    }
    table.look_ahead(&known);
    for (hash, key) in (100..100_000).map(key) {
        table.entry(hash, &key, || 0);
    }
    for (ordinal, (hash, key)) in known.iter().enumerate() {
        assert_eq!(
            *table.entry_ahead(ordinal, *hash, key, || 0),
            1,
            "key {key}"
        );
    }
}

#[test]
fn every_subtask_finds_its_own_keys() {
    let max = MaxParallelism::default();
    let mut tables =
        [0, 1, 2].map(|subtask| HeapTable::<u64, u64>::new(range(subtask, 3, max), max));
    let parallelism = Parallelism::new(3).unwrap();
    for key in 0..10_000 {
        let owner = hash(key).group(max).owner(parallelism, max);
        tables[owner.get() as usize].entry(hash(key), &key, || key);
    }
    assert_eq!(tables.iter().map(HeapTable::len).sum::<usize>(), 10_000);
    assert!(tables.iter().all(|table| table.len() > 3_000));
}

#[test]
#[should_panic(expected = "is not in kg[64..128), the key groups of this table")]
#[cfg(debug_assertions)]
fn a_key_of_another_subtask_is_a_bug() {
    let max = MaxParallelism::default();
    let mut table = HeapTable::<u64, u64>::new(range(1, 2, max), max);
    let foreign = (0..1_000)
        .find(|key| hash(*key).group(max).get() < 64)
        .unwrap();
    table.entry(hash(foreign), &foreign, || 0);
}
