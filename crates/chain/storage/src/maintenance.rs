use std::sync::atomic::Ordering::SeqCst;

use alloy_eips::BlockNumHash;

use crate::{Database, Heads, StorageError, tables::Table};

/// What the database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// The first block.
    pub genesis: BlockNumHash,
    /// How far the chain has come.
    pub heads: Heads,
    /// The oldest block whose state is known.
    pub history_from: u64,
    /// The oldest block at which the `L2ToL1MessagePasser` is known.
    pub withdrawals_from: u64,
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
    /// The oldest block whose state is known.
    pub fn oldest_state(&self) -> u64 {
        self.inner.oldest.load(SeqCst)
    }

    /// Bytes of all files on disk, the log of what was written last not counted.
    pub fn disk_bytes(&self) -> u64 {
        Table::ALL.iter().map(|table| self.inner.store.property(*table, "rocksdb.total-sst-files-size")).sum()
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
            history_from: self.oldest_state(),
            withdrawals_from: self.inner.oldest_withdrawals.load(SeqCst),
            tables: tables.into(),
        })
    }
}
