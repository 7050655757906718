use alloy_eips::BlockNumHash;

use crate::{
    Database, StorageError, codec,
    tables::{Table, meta},
};

/// How far the chain has come, by how sure it is. `finalized ≤ safe ≤ unsafe_head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// The newest block.
    pub unsafe_head: BlockNumHash,
    /// The newest block derived from L1.
    pub safe: BlockNumHash,
    /// The newest block derived from finalized L1 blocks.
    pub finalized: BlockNumHash,
}

impl Database {
    /// The first block, if there is one.
    pub fn genesis(&self) -> Result<Option<BlockNumHash>, StorageError> {
        self.meta_id(meta::GENESIS)
    }

    /// The newest block.
    pub fn head(&self) -> Result<BlockNumHash, StorageError> {
        self.meta_id(meta::UNSAFE)?.ok_or(StorageError::NoGenesis)
    }

    /// All three heads.
    pub fn heads(&self) -> Result<Heads, StorageError> {
        let head = |key| self.meta_id(key)?.ok_or(StorageError::NoGenesis);
        // The newest last: it only moves ahead of the others, so the order holds although each is read for itself.
        let finalized = head(meta::FINALIZED)?;
        let safe = head(meta::SAFE)?;
        Ok(Heads { unsafe_head: head(meta::UNSAFE)?, safe, finalized })
    }

    /// Moves the safe head to a canonical block.
    pub fn set_safe(&self, id: BlockNumHash) -> Result<(), StorageError> {
        self.set_head(meta::SAFE, id)
    }

    /// Moves the finalized head to a canonical block.
    pub fn set_finalized(&self, id: BlockNumHash) -> Result<(), StorageError> {
        self.set_head(meta::FINALIZED, id)
    }

    /// Bytes that derivation left to go on from, if any.
    pub fn cursor(&self) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.inner.store.get(Table::Meta, meta::CURSOR)?.map(|value| value.to_vec()))
    }

    /// Keeps bytes for derivation to go on from. They survive the end of the process.
    pub fn set_cursor(&self, cursor: &[u8]) -> Result<(), StorageError> {
        self.inner.store.put(Table::Meta, meta::CURSOR, cursor)
    }

    fn set_head(&self, key: &[u8], id: BlockNumHash) -> Result<(), StorageError> {
        let _writing = self.inner.writing.lock();
        if self.hash(id.number)? != Some(id.hash) {
            return Err(StorageError::UnknownBlock(format!("{} ({})", id.number, id.hash)));
        }
        self.inner.store.put(Table::Meta, key, &codec::encode_id(id))
    }

    pub(crate) fn meta_id(&self, key: &[u8]) -> Result<Option<BlockNumHash>, StorageError> {
        self.inner.store.get(Table::Meta, key)?.map(|value| codec::decode_id(&value)).transpose()
    }
}
