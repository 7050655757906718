use crate::{Database, StorageError, tables::Table};

/// A key and its value.
pub type Note = (Vec<u8>, Vec<u8>);

/// Small things that the node remembers beside the chain, under keys of its own choice. A note survives the end of the process;
/// unwinding does not touch it.
impl Database {
    /// What was noted under this key.
    pub fn note(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.inner.store.get(Table::Notes, key)?.map(|value| value.to_vec()))
    }

    /// Notes `value` under `key`, in place of what was there.
    pub fn put_note(&self, key: &[u8], value: &[u8]) -> Result<(), StorageError> {
        self.inner.store.put(Table::Notes, key, value)
    }

    /// All notes whose key begins with `prefix`, in the order of their keys.
    pub fn notes(&self, prefix: &[u8]) -> Result<Vec<Note>, StorageError> {
        let mut found = Vec::new();
        self.inner.store.with_prefix(Table::Notes, prefix, |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(found)
    }
}
