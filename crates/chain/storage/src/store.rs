use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType, DBPinnableSlice,
    DBRawIterator, DBRecoveryMode, Options, ReadOptions, WriteBatch, WriteOptions,
};

use crate::{DatabaseOptions, StorageError, tables::Table};

/// RocksDB with our column families and our errors.
pub(crate) struct Store {
    db: DB,
    path: PathBuf,
}

impl Store {
    pub(crate) fn open(path: &Path, options: &DatabaseOptions) -> Result<Self, StorageError> {
        let unavailable = |reason: String| StorageError::Unavailable { path: path.to_path_buf(), reason };
        std::fs::create_dir_all(path).map_err(|error| unavailable(error.to_string()))?;
        let cache = Cache::new_lru_cache(options.cache_bytes);
        let families = Table::ALL.map(|table| ColumnFamilyDescriptor::new(table.name(), table_options(table, &cache)));
        let mut general = Options::default();
        general.create_if_missing(true);
        general.create_missing_column_families(true);
        general.set_max_open_files(options.max_open_files);
        general.set_max_background_jobs(2);
        general.set_keep_log_file_num(3);
        general.set_max_total_wal_size(256 << 20);
        general.set_db_write_buffer_size(256 << 20);
        // A record that a crash cut off at the end of the log was never acknowledged. Damage anywhere else is an error:
        // dropping what follows it would lose blocks that were announced.
        general.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        let db =
            DB::open_cf_descriptors(&general, path, families).map_err(|error| {
                match StorageError::from_rocksdb(path, &error) {
                    StorageError::Backend(reason) => unavailable(reason),
                    other => other,
                }
            })?;
        Ok(Self { db, path: path.to_path_buf() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn family(&self, table: Table) -> &ColumnFamily {
        self.db.cf_handle(table.name()).expect("every table was opened")
    }

    pub(crate) fn get(&self, table: Table, key: impl AsRef<[u8]>) -> Result<Option<DBPinnableSlice<'_>>, StorageError> {
        self.db.get_pinned_cf(self.family(table), key).map_err(|error| self.error(&error))
    }

    pub(crate) fn put(&self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(table), key, value);
        self.write(batch, false)
    }

    /// Writes a batch as a whole or not at all. When it returns, the batch survives the end of this process; with `sync`
    /// also a loss of power.
    pub(crate) fn write(&self, batch: WriteBatch, sync: bool) -> Result<(), StorageError> {
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(batch, &options).map_err(|error| self.error(&error))
    }

    pub(crate) fn iterator(&self, table: Table) -> DBRawIterator<'_> {
        let mut options = ReadOptions::default();
        options.set_total_order_seek(true);
        self.db.raw_iterator_cf_opt(self.family(table), options)
    }

    /// Every key and value under a prefix, in order.
    pub(crate) fn with_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let mut iterator = self.iterator(table);
        iterator.seek(prefix);
        while let Some((key, value)) = iterator.item().filter(|(key, _)| key.starts_with(prefix)) {
            visit(key, value)?;
            iterator.next();
        }
        iterator.status().map_err(|error| self.error(&error))
    }

    pub(crate) fn property(&self, table: Table, name: &str) -> u64 {
        self.db.property_int_value_cf(self.family(table), name).ok().flatten().unwrap_or(0)
    }

    pub(crate) fn error(&self, error: &rocksdb::Error) -> StorageError {
        StorageError::from_rocksdb(&self.path, error)
    }
}

fn table_options(table: Table, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(8 << 10);
    blocks.set_format_version(5);
    // The history is only ever searched for the next of several keys, which no filter tells.
    if !matches!(table, Table::Meta | Table::Changesets | Table::History) {
        blocks.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    // What grows most is sorted less often: all of them together have a limit too.
    options.set_write_buffer_size(if table == Table::History { 96 << 20 } else { 32 << 20 });
    options.set_compression_type(if table.is_incompressible() {
        DBCompressionType::None
    } else {
        DBCompressionType::Lz4
    });
    options
}
