use std::sync::atomic::Ordering::SeqCst;

use alloy_eips::BlockNumHash;
use openledger_primitives::Transaction;
use rocksdb::WriteBatch;

use crate::{
    Database, StorageError, codec,
    history::{changed_keys, decode_before, history_key},
    tables::{Table, meta},
};

impl Database {
    /// Takes the blocks above `target` off the chain, newest first, and returns them. State and tries are as they were after
    /// `target`; the safe head comes down with the chain. Interrupted, it leaves a shorter chain that is whole.
    ///
    /// Read what you still need of those blocks (their transactions, for the pool) before.
    pub fn unwind_to(&self, target: u64) -> Result<Vec<BlockNumHash>, StorageError> {
        let _writing = self.inner.writing.lock();
        let heads = self.heads()?;
        let oldest = self.inner.oldest.load(SeqCst);
        if target >= heads.unsafe_head.number {
            return match target == heads.unsafe_head.number {
                true => Ok(Vec::new()),
                false => Err(StorageError::UnknownBlock(target.to_string())),
            };
        }
        if target < heads.finalized.number {
            return Err(StorageError::Finalized { target, finalized: heads.finalized.number });
        }
        if target < oldest {
            return Err(StorageError::Pruned { number: target, oldest });
        }
        self.inner.epoch.fetch_add(1, SeqCst);
        let removed = self.unwind_blocks(heads.unsafe_head, target, heads.safe);
        let head = self.head().map_or(target, |head| head.number);
        self.inner.tip.store(head, SeqCst);
        self.inner.prepared.lock().clear();
        self.inner.epoch.fetch_add(1, SeqCst);
        if let Ok(removed) = &removed {
            tracing::warn!(target, removed = removed.len(), "unwound the chain");
        }
        removed
    }

    fn unwind_blocks(
        &self,
        mut head: BlockNumHash,
        target: u64,
        safe: BlockNumHash,
    ) -> Result<Vec<BlockNumHash>, StorageError> {
        let mut removed = Vec::new();
        while head.number > target {
            let number = head.number - 1;
            let hash = self.hash(number)?.ok_or_else(|| StorageError::UnknownBlock(number.to_string()))?;
            let parent = BlockNumHash::new(number, hash);
            let mut batch = self.undo(head)?;
            let meta_table = self.inner.store.family(Table::Meta);
            batch.put_cf(meta_table, meta::UNSAFE, codec::encode_id(parent));
            if safe.number > parent.number {
                batch.put_cf(meta_table, meta::SAFE, codec::encode_id(parent));
            }
            self.inner.store.write(batch, parent.number == target)?;
            removed.push(head);
            head = parent;
        }
        Ok(removed)
    }

    /// The batch that takes one block away.
    fn undo(&self, block: BlockNumHash) -> Result<WriteBatch, StorageError> {
        let store = &self.inner.store;
        let number = block.number.to_be_bytes();
        let missing = |what: &str| StorageError::Corrupted(format!("the {what} of block {} is missing", block.number));
        let mut batch = WriteBatch::default();

        let changeset = store.get(Table::Changesets, number)?.ok_or_else(|| missing("changeset"))?;
        for entry in changed_keys(&changeset) {
            let (table, key) = entry?;
            let at = history_key(table, key, block.number);
            let before = store.get(Table::History, &at)?.ok_or_else(|| missing("history"))?;
            match decode_before(&before)? {
                Some(value) => batch.put_cf(store.family(table.table()), key, value),
                None => batch.delete_cf(store.family(table.table()), key),
            }
            batch.delete_cf(store.family(Table::History), at);
        }

        let body = store.get(Table::Bodies, number)?.ok_or_else(|| missing("body"))?;
        for transaction in codec::decode::<Vec<Transaction>>("a body", &body)? {
            batch.delete_cf(store.family(Table::Transactions), transaction.tx_hash());
        }
        batch.delete_cf(store.family(Table::Numbers), block.hash);
        for table in [Table::Headers, Table::Hashes, Table::Bodies, Table::Senders, Table::Receipts, Table::Changesets]
        {
            batch.delete_cf(store.family(table), number);
        }
        Ok(batch)
    }
}
