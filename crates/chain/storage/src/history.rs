use alloy_primitives::Bytes;
use rocksdb::WriteBatch;

use crate::{
    StorageError,
    cache::Changed,
    store::Store,
    tables::{Table, Versioned},
};

/// `(table, key, number)`: where the value before block `number` is kept.
pub(crate) fn history_key(table: Versioned, key: &[u8], number: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 9);
    out.push(table as u8);
    out.extend_from_slice(key);
    out.extend_from_slice(&number.to_be_bytes());
    out
}

/// The value that a later block than `number` replaced first, if one did: `Some(None)` when the key did not exist.
pub(crate) fn before_first_change_after(
    store: &Store,
    table: Versioned,
    key: &[u8],
    number: u64,
) -> Result<Option<Option<Vec<u8>>>, StorageError> {
    let Some(next) = number.checked_add(1) else { return Ok(None) };
    let from = history_key(table, key, next);
    let prefix = &from[..from.len() - 8];
    let mut iterator = store.iterator(Table::History);
    iterator.seek(&from);
    match iterator.item() {
        Some((found, value)) if found.len() == from.len() && found.starts_with(prefix) => {
            decode_before(value).map(Some)
        }
        Some(_) => Ok(None),
        None => iterator.status().map(|()| None).map_err(|error| store.error(&error)),
    }
}

pub(crate) fn decode_before(value: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
    match value {
        [0] => Ok(None),
        [1, value @ ..] => Ok(Some(value.to_vec())),
        _ => Err(StorageError::corrupted("a history entry has an unknown form")),
    }
}

/// Writes the new values of one block and remembers the old ones.
pub(crate) struct Recorder<'a> {
    store: &'a Store,
    pub(crate) batch: WriteBatch,
    number: u64,
    /// The keys changed so far, each with its length (one byte) in front.
    keys: Vec<u8>,
    keep_history: bool,
    /// The new values, for the cache.
    changed: Vec<Changed>,
}

impl<'a> Recorder<'a> {
    /// For a block whose past is kept. (A genesis has none: `keep_history` is false.)
    pub(crate) fn new(store: &'a Store, number: u64, keep_history: bool) -> Self {
        Self { store, batch: WriteBatch::default(), number, keys: Vec::new(), keep_history, changed: Vec::new() }
    }

    pub(crate) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.batch.put_cf(self.store.family(table), key, value);
    }

    /// Replaces a versioned value. The same key must not be set twice in a block.
    pub(crate) fn set(&mut self, table: Versioned, key: &[u8], before: Option<&[u8]>, after: Option<&[u8]>) {
        if before == after {
            return;
        }
        let family = self.store.family(table.table());
        match after {
            Some(after) => self.batch.put_cf(family, key, after),
            None => self.batch.delete_cf(family, key),
        }
        if self.keep_history {
            let mut value = Vec::with_capacity(before.map_or(0, <[u8]>::len) + 1);
            value.push(u8::from(before.is_some()));
            value.extend_from_slice(before.unwrap_or_default());
            self.put(Table::History, &history_key(table, key, self.number), &value);
            push_changed(&mut self.keys, table, key);
            self.changed.push((table, key.into(), after.map(Bytes::copy_from_slice)));
        }
    }

    /// The batch, with the block's changeset, and what it changes.
    pub(crate) fn finish(mut self) -> (WriteBatch, Vec<Changed>) {
        if self.keep_history {
            let keys = std::mem::take(&mut self.keys);
            self.put(Table::Changesets, &self.number.to_be_bytes(), &keys);
        }
        (self.batch, self.changed)
    }
}

/// Adds a key to a changeset.
pub(crate) fn push_changed(changeset: &mut Vec<u8>, table: Versioned, key: &[u8]) {
    changeset.push(key.len() as u8 + 1);
    changeset.push(table as u8);
    changeset.extend_from_slice(key);
}

/// The keys of a changeset.
pub(crate) fn changed_keys(mut changeset: &[u8]) -> impl Iterator<Item = Result<(Versioned, &[u8]), StorageError>> {
    std::iter::from_fn(move || {
        let (&len, rest) = changeset.split_first()?;
        let key = rest.get(..usize::from(len)).and_then(|key| {
            let (&table, key) = key.split_first()?;
            Some((Versioned::from_byte(table)?, key))
        });
        changeset = rest.get(usize::from(len)..).unwrap_or_default();
        Some(key.ok_or_else(|| StorageError::corrupted("a changeset does not decode")))
    })
}
