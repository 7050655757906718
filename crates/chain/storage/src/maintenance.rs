use std::sync::atomic::Ordering::SeqCst;

use alloy_eips::BlockNumHash;
use rocksdb::WriteBatch;

use crate::{
    Database, Heads, StorageError, codec,
    history::{changed_keys, history_key},
    tables::{Table, meta},
};

/// What the database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The first block.
    pub genesis: BlockNumHash,
    /// How far the chain has come.
    pub heads: Heads,
    /// The oldest block whose state is known.
    pub history_from: u64,
    /// Each table.
    pub tables: Vec<TableStats>,
}

/// The size of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableStats {
    /// Its name in the README's table.
    pub name: &'static str,
    /// Keys in it, as RocksDB estimates.
    pub keys: u64,
    /// Bytes of its files on disk.
    pub disk_bytes: u64,
    /// Bytes in memory that are not yet in such a file (they are in the log).
    pub memory_bytes: u64,
}

impl Database {
    /// Forgets the past before block `before`: its own state and that of all later blocks stays readable. Returns how many
    /// blocks' histories were removed. Interrupted, it goes on where it stopped when called again.
    pub fn prune_history(&self, before: u64) -> Result<u64, StorageError> {
        let _writing = self.inner.writing.lock();
        let store = &self.inner.store;
        let head = self.head()?.number;
        if before > head {
            return Err(StorageError::UnknownBlock(before.to_string()));
        }
        let oldest = self.inner.oldest.load(SeqCst);
        if before > oldest {
            // Nobody may read what is about to go.
            self.inner.oldest.store(before, SeqCst);
            let mut batch = WriteBatch::default();
            batch.put_cf(store.family(Table::Meta), meta::HISTORY_FROM, before.to_be_bytes());
            store.write(batch, true)?;
        }
        let mut pruned = 0;
        let mut iterator = store.iterator(Table::Changesets);
        iterator.seek_to_first();
        while let Some((key, changeset)) = iterator.item() {
            let number = codec::number(key)?;
            if number > before.max(oldest) {
                break;
            }
            let mut batch = WriteBatch::default();
            for entry in changed_keys(changeset) {
                let (table, key) = entry?;
                batch.delete_cf(store.family(Table::History), history_key(table, key, number));
            }
            batch.delete_cf(store.family(Table::Changesets), key);
            store.write(batch, false)?;
            pruned += 1;
            iterator.next();
        }
        iterator.status().map_err(|error| store.error(&error))?;
        Ok(pruned)
    }

    /// Sizes and heads.
    pub fn stats(&self) -> Result<Stats, StorageError> {
        let store = &self.inner.store;
        let tables = Table::ALL.map(|table| TableStats {
            name: table.name(),
            keys: store.property(table, "rocksdb.estimate-num-keys"),
            disk_bytes: store.property(table, "rocksdb.total-sst-files-size"),
            memory_bytes: store.property(table, "rocksdb.cur-size-all-mem-tables"),
        });
        Ok(Stats {
            genesis: self.genesis()?.ok_or(StorageError::NoGenesis)?,
            heads: self.heads()?,
            history_from: self.inner.oldest.load(SeqCst),
            tables: tables.into(),
        })
    }
}
