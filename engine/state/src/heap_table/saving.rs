//! The snapshot of a table: what was there when it began, written while the table goes on changing.
//!
//! Invariant: an entry that was there at the beginning is saved exactly once: by the walker, or
//! before its first write, or before it goes; it says so by its epoch, wherever it moves. An entry
//! of a later epoch is never saved.
//!
//! The walker goes by key group, sub-table and bucket. Between two of its steps entries may move:
//! into another bucket of their sub-table, or into a sub-table with a higher number. So a sub-table
//! is looked through once more when a step has ended inside it.

use sameriver_model::{Key, KeyGroup, RestoredState, SectionKind, SectionWriter};

use super::HeapTable;
use crate::epoch::Epoch;
use crate::key_group_table::{Entry, KeyGroupTable};
use crate::probe_hash::{self, ProbeHash};
use crate::restore::{self, Reading, RestoreError};
use crate::snapshot::{
    EncodeEntry, PART_BYTES, SnapshotError, StateAddress, Waiting, WalkBudget, encode_entry,
    write_part,
};
use crate::value::Value;

/// A snapshot that is under way.
pub(super) struct Saving<K, V> {
    encode: EncodeEntry<K, V>,
    /// What was written or removed before the walker came to it.
    before: Waiting,
    failed: Option<SnapshotError>,
    place: WalkPlace,
}

/// Where the walker goes on.
#[derive(Clone, Copy, Default)]
struct WalkPlace {
    group: usize,
    sub_table: usize,
    bucket: usize,
    /// Whether a step has ended inside this sub-table.
    again: bool,
}

/// Saves an entry that is about to be written or has just been removed.
#[cold]
pub(super) fn save<K, V>(
    saving: &mut Option<Box<Saving<K, V>>>,
    group: usize,
    entry: &Entry<K, V>,
) {
    let saving = saving.as_mut();
    let saving = saving.expect("entries are unsaved only while a snapshot runs");
    let encode = saving.encode;
    let saved = saving
        .before
        .push(group, |out| encode(&entry.key, &entry.value, out));
    if let Err(cause) = saved {
        saving.failed.get_or_insert(cause);
    }
}

impl<K, V> Saving<K, V> {
    /// Saves entries of one group into `part`, up to the budget; says whether all are saved.
    fn scan(
        &mut self,
        group: &mut KeyGroupTable<K, V>,
        unsaved_below: Epoch,
        part: &mut Vec<u8>,
        budget: &mut WalkBudget,
    ) -> Result<bool, SnapshotError> {
        let (place, mark) = (&mut self.place, unsaved_below);
        while place.sub_table < group.sub_tables_len() {
            // Only between sub-tables, so that looking through one again comes to an end.
            if budget.is_spent() {
                return Ok(false);
            }
            let entries = group.sub_table_mut(place.sub_table);
            let buckets = entries.num_buckets();
            budget.visit(buckets.saturating_sub(place.bucket));
            while place.bucket < buckets {
                if part.len() >= budget.bytes() {
                    place.again = true;
                    return Ok(false);
                }
                if let Some(entry) = entries.get_bucket_mut(place.bucket)
                    && entry.version < unsaved_below
                {
                    (self.encode)(&entry.key, &entry.value, part)?;
                    entry.version = mark;
                }
                place.bucket += 1;
            }
            place.bucket = 0;
            if !std::mem::take(&mut place.again) {
                place.sub_table += 1;
            }
        }
        place.sub_table = 0;
        Ok(true)
    }
}

impl<K: Key, V> HeapTable<K, V> {
    /// Begins a snapshot of the table as it is now: what is written from now on is not part of it.
    /// A snapshot that is under way is dropped.
    pub fn begin_snapshot(&mut self)
    where
        V: Value,
    {
        self.unsaved_below = self.epoch.saved();
        self.epoch = self.epoch.next();
        self.saving = Some(Box::new(Saving {
            encode: encode_entry::<K, V>,
            before: Waiting::default(),
            failed: None,
            place: WalkPlace::default(),
        }));
    }

    /// Goes on with the snapshot, up to the budget; says whether all of it is written. Without a
    /// snapshot there is nothing to write.
    ///
    /// # Errors
    /// [`SnapshotError`] when a key or a value cannot be turned into bytes; also one that was
    /// written since the last call.
    pub fn walk(
        &mut self,
        of: StateAddress<'_>,
        budget: &mut WalkBudget,
        sections: &mut SectionWriter,
    ) -> Result<bool, SnapshotError> {
        let Some(mut saving) = self.saving.take() else {
            return Ok(true);
        };
        match self.advance(&mut saving, of, budget, sections) {
            Ok(false) => {
                self.saving = Some(saving);
                Ok(false)
            }
            done_or_failed @ (Ok(true) | Err(_)) => {
                self.drop_snapshot();
                done_or_failed
            }
        }
    }

    fn advance(
        &mut self,
        saving: &mut Saving<K, V>,
        of: StateAddress<'_>,
        budget: &mut WalkBudget,
        sections: &mut SectionWriter,
    ) -> Result<bool, SnapshotError> {
        if let Some(cause) = saving.failed.take() {
            return Err(cause);
        }
        let (head, first) = (of.head::<K>(), self.range.first().get());
        while saving.place.group < self.groups.len() {
            let group = saving.place.group;
            let id = || of.section(KeyGroup::new(first + group as u32));
            while !budget.is_spent()
                && let Some(part) = saving.before.pop(group)
            {
                write_part(id(), &head, &part, budget, sections);
            }
            if budget.is_spent() {
                return Ok(false);
            }
            let entries = &mut self.groups[group];
            let mut part = Vec::with_capacity(budget.bytes().min(PART_BYTES));
            let is_done = saving.scan(entries, self.unsaved_below, &mut part, budget)?;
            if !part.is_empty() {
                write_part(id(), &head, &part, budget, sections);
            }
            if is_done {
                saving.place.group += 1;
            }
        }
        Ok(true)
    }

    /// Nobody wants the snapshot any more, or all of it is written.
    pub fn drop_snapshot(&mut self) {
        self.saving = None;
        self.unsaved_below = Epoch::default();
    }

    /// Adds the entries that a snapshot has of this state; hashes are computed anew.
    ///
    /// # Errors
    /// [`RestoreError`] when a section is not one of this table, or not of its key group.
    pub fn restore(
        &mut self,
        of: StateAddress<'_>,
        restored: &RestoredState,
    ) -> Result<(), RestoreError>
    where
        V: Value,
    {
        let (name, mut scratch) = (of.descriptor.name(), Vec::new());
        let parts = restore::parts(restored, of.operator, self.range, |id| {
            id.kind == SectionKind::Keyed && id.state == name
        });
        for part in parts {
            let (id, bytes) = part?;
            let mut reading = Reading::new(id, bytes)?;
            reading.head::<K>(of.descriptor)?;
            while !reading.is_empty() {
                let (key, hash) = reading.key::<K>(self.max, &mut scratch)?;
                let value = reading.value::<V>()?;
                if !self.insert_new(key, hash, value) {
                    return Err(reading.key_twice());
                }
            }
        }
        Ok(())
    }

    /// Adds an entry, unless there is one of its key.
    fn insert_new(&mut self, key: K, hash: sameriver_model::KeyHash, value: V) -> bool {
        if self.get(hash, &key).is_some() {
            return false;
        }
        let (group, version) = (self.group(hash), self.epoch);
        self.places.stir();
        let entry = Entry {
            key,
            value,
            hash: ProbeHash::of(hash),
            version,
        };
        let entries = self.groups[group].with_room(hash);
        entries.insert_unique(probe_hash::probe(hash), entry, Entry::probe);
        self.len += 1;
        true
    }
}
