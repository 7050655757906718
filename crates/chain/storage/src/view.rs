use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256};
use openledger_stf::{Account, StateChanges, StateCommitter, StateError, StateReader, StateRoots};
use openledger_trie::{EMPTY_ROOT_HASH, Nibbles, NodeReader, StateTrie, TrieAccount, TrieError};

use crate::{
    Database, StorageError, codec,
    commit::Prepared,
    history::before_first_change_after,
    prune::is_withdrawals,
    tables::{Key, Table, Versioned},
};

/// The state after one block. It stays that state while the chain grows.
#[derive(Debug)]
pub struct StateView {
    db: Database,
    block: BlockNumHash,
    state_root: B256,
    /// The database's epoch in which the block was last known to be canonical.
    epoch: AtomicU64,
    /// Whether reads go through the cache.
    is_cached: bool,
}

impl Clone for StateView {
    fn clone(&self) -> Self {
        let epoch = AtomicU64::new(self.epoch.load(SeqCst));
        Self { db: self.db.clone(), epoch, ..*self }
    }
}

impl StateView {
    /// With `withdrawals`, of a block at which only the message passer need be kept.
    pub(crate) fn new(db: Database, number: u64, withdrawals: bool) -> Result<Self, StorageError> {
        let epoch = db.settled_epoch();
        let header = db.header(number)?.ok_or_else(|| StorageError::UnknownBlock(number.to_string()))?;
        let block = BlockNumHash::new(number, header.hash());
        let view = Self { db, block, state_root: header.state_root, epoch: AtomicU64::new(epoch), is_cached: false };
        view.db.inner.check_kept(number, || withdrawals)?;
        Ok(view)
    }

    pub(crate) fn cached(self) -> Self {
        Self { is_cached: true, ..self }
    }

    /// The block whose state this is.
    pub const fn block(&self) -> BlockNumHash {
        self.block
    }

    /// The block's state root.
    pub const fn state_root(&self) -> B256 {
        self.state_root
    }

    /// The account with its storage root.
    pub fn trie_account(&self, address: &Address) -> Result<Option<TrieAccount>, StorageError> {
        self.read(Versioned::Accounts, &Key::account(address), codec::account)
    }

    /// The roots that `changes` lead to, in a block that is never committed: nothing of it is kept for that.
    pub fn hypothetical_roots(&self, changes: &StateChanges) -> Result<StateRoots, StateError> {
        Ok(Prepared::new(self, changes)?.roots)
    }

    /// Reads a versioned value as of this block.
    ///
    /// First the newest value. If the chain has not moved past the block by then, that is the answer. Otherwise the first
    /// change above the block, if there is one, tells what it replaced; a block committed between the two reads is among
    /// those changes, so the order matters.
    fn read<T>(
        &self,
        table: Versioned,
        key: &[u8],
        decode: impl Fn(&[u8]) -> Result<T, StorageError>,
    ) -> Result<Option<T>, StorageError> {
        let inner = &self.db.inner;
        if self.is_cached
            && let Some(known) = inner.cache.lock().get(&self.block.hash, table, key)
        {
            return known.map(|value| decode(&value)).transpose();
        }
        loop {
            let epoch = self.confirm_canonical()?;
            let newest = inner.store.get(table.table(), key)?;
            if inner.tip.load(SeqCst) == self.block.number {
                if inner.epoch.load(SeqCst) == epoch {
                    if self.is_cached {
                        inner.cache.lock().insert(&self.block.hash, table, key, newest.as_deref());
                    }
                    return newest.map(|value| decode(&value)).transpose();
                }
                continue;
            }
            let before = before_first_change_after(&inner.store, table, key, self.block.number)?;
            if inner.epoch.load(SeqCst) == epoch {
                inner.check_kept(self.block.number, || is_withdrawals(table, key))?;
                return match before {
                    Some(value) => value.map(|value| decode(&value)).transpose(),
                    None => newest.map(|value| decode(&value)).transpose(),
                };
            }
        }
    }

    /// After an unwind, checks that the block is still there; returns the epoch in which it is.
    fn confirm_canonical(&self) -> Result<u64, StorageError> {
        let known = self.epoch.load(SeqCst);
        if self.db.inner.epoch.load(SeqCst) == known {
            return Ok(known);
        }
        let epoch = self.db.settled_epoch();
        if self.db.hash(self.block.number)? != Some(self.block.hash) {
            return Err(StorageError::Unwound { block: self.block });
        }
        self.epoch.store(epoch, SeqCst);
        Ok(epoch)
    }
}

impl Database {
    /// The epoch, once no unwind is running.
    fn settled_epoch(&self) -> u64 {
        loop {
            let epoch = self.inner.epoch.load(SeqCst);
            if epoch.is_multiple_of(2) {
                return epoch;
            }
            drop(self.inner.writing.lock());
        }
    }
}

impl StateReader for StateView {
    fn account(&self, address: &Address) -> Result<Option<Account>, StateError> {
        let account = self.trie_account(address)?;
        Ok(account.map(|account| Account {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
        }))
    }

    fn storage(&self, address: &Address, slot: &B256) -> Result<U256, StateError> {
        Ok(self.read(Versioned::Slots, &Key::slot(address, slot), codec::slot_value)?.unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        match self.db.inner.store.get(Table::Codes, hash)? {
            Some(code) => Ok(Bytes::copy_from_slice(&code)),
            None => Err(StateError::Missing(format!("code {hash}"))),
        }
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        if number > self.block.number {
            return Err(StateError::Missing(format!("hash of block {number}, which is above {}", self.block.number)));
        }
        self.confirm_canonical()?;
        self.db.hash(number)?.ok_or_else(|| StateError::Missing(format!("hash of block {number}")))
    }
}

impl StateCommitter for StateView {
    fn roots(&self, changes: &StateChanges) -> Result<StateRoots, StateError> {
        let prepared = Prepared::new(self, changes)?;
        let roots = prepared.roots;
        self.db.keep_prepared(prepared);
        Ok(roots)
    }
}

impl NodeReader for StateView {
    fn node(&self, owner: Option<B256>, path: &Nibbles, _: &B256) -> Result<Option<Bytes>, TrieError> {
        let table = if owner.is_some() { Versioned::StorageNodes } else { Versioned::AccountNodes };
        let key = Key::node(owner.as_ref(), path);
        Ok(self.read(table, &key, |value| Ok(Bytes::copy_from_slice(value)))?)
    }
}

impl StateTrie for StateView {
    fn storage_root(&self, address: &Address) -> Result<B256, TrieError> {
        let account = self.trie_account(address)?;
        Ok(account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }
}
