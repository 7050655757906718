use alloy_consensus::{
    TxReceipt as _,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_primitives::{Address, B256, Bloom, KECCAK256_EMPTY, U256, keccak256};
use alloy_trie::root::{state_root, storage_root_unhashed};
use rocksdb::DBRawIterator;

use crate::{Database, StorageError, codec, tables::Table};

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is counted: `blocks`, `accounts`.
    pub what: &'static str,
    /// How many are done.
    pub done: u64,
    /// How many there are; an estimate for accounts.
    pub total: u64,
}

/// What [`Database::check`] went through and found sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Blocks, from the first to the newest.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Accounts of the newest state.
    pub accounts: u64,
    /// Storage slots of the newest state.
    pub slots: u64,
    /// The newest block's state root, computed from accounts and slots alone.
    pub state_root: B256,
}

impl Database {
    /// Computes again, from the first block on, what the headers commit to: hashes, parents, transactions, receipts and blooms; then
    /// the newest state's root from its accounts and slots alone, without the trie. The first block that is not
    /// what it should be is [`StorageError::WrongBlock`]. Needs 150 bytes of memory for each account, and 64 for each slot of the
    /// largest contract.
    pub fn check(&self, mut progress: impl FnMut(Progress)) -> Result<Checked, StorageError> {
        let first = self.genesis()?.ok_or(StorageError::NoGenesis)?;
        let head = self.head()?;
        let blocks = head.number - first.number + 1;
        let (mut transactions, mut parent) = (0, None);
        for number in first.number..=head.number {
            progress(Progress { what: "blocks", done: number - first.number, total: blocks });
            let (hash, count) = self.check_block(number, parent).map_err(|error| in_block(number, error))?;
            parent = Some(hash);
            transactions += count;
        }
        if parent != Some(head.hash) {
            return Err(wrong(head.number, format!("the head is noted as {}, the block there is another", head.hash)));
        }
        let (root, accounts, slots) = self.check_state(&mut progress).map_err(|error| in_block(head.number, error))?;
        let header = self.header(head.number)?.ok_or_else(|| wrong(head.number, "the header is missing"))?;
        same(head.number, "state root", header.state_root, root)?;
        Ok(Checked { blocks, transactions, accounts, slots, state_root: root })
    }

    /// The block's hash and how many transactions it has.
    fn check_block(&self, number: u64, parent: Option<B256>) -> Result<(B256, u64), StorageError> {
        let block = self.block(number)?.ok_or_else(|| wrong(number, "the block is missing"))?;
        let receipts = self.receipts(number)?.ok_or_else(|| wrong(number, "the receipts are missing"))?;
        let (header, hash) = (block.header.inner(), block.header.hash());
        same(number, "hash", hash, header.hash_slow())?;
        if header.number != number || self.number(&hash)? != Some(number) {
            return Err(wrong(number, format!("its hash {hash} does not lead back to it")));
        }
        if let Some(parent) = parent {
            same(number, "parent hash", header.parent_hash, parent)?;
        }
        same(number, "transactions root", header.transactions_root, calculate_transaction_root(&block.transactions))?;
        same(number, "receipts root", header.receipts_root, calculate_receipt_root(&receipts))?;
        let bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom());
        if bloom != header.logs_bloom {
            return Err(wrong(number, "its bloom filter is not that of its logs"));
        }
        let count = block.transactions.len();
        if receipts.len() != count || block.senders.len() != count {
            let (receipts, senders) = (receipts.len(), block.senders.len());
            return Err(wrong(number, format!("{count} transactions have {receipts} receipts and {senders} senders")));
        }
        for (index, transaction) in block.transactions.iter().enumerate() {
            if self.transaction_place(&transaction.tx_hash())? != Some((number, index as u32)) {
                return Err(wrong(number, format!("transaction {} is not found by its hash", transaction.tx_hash())));
            }
        }
        Ok((hash, count as u64))
    }

    /// The root of the newest state, with how many accounts and slots it has.
    fn check_state(&self, progress: &mut impl FnMut(Progress)) -> Result<(B256, u64, u64), StorageError> {
        self.check_codes()?;
        let store = &self.inner.store;
        let total = store.property(Table::Accounts, "rocksdb.estimate-num-keys");
        let (mut leaves, mut slots) = (Vec::new(), 0);
        let (mut accounts, mut all_slots) = (store.iterator(Table::Accounts), store.iterator(Table::Slots));
        accounts.seek_to_first();
        all_slots.seek_to_first();
        while let Some((key, value)) = accounts.item() {
            progress(Progress { what: "accounts", done: leaves.len() as u64, total: total.max(leaves.len() as u64) });
            let address =
                Address::try_from(key).map_err(|_| StorageError::corrupted("an address is not 20 bytes long"))?;
            let account = codec::account(value)?;
            let storage = slots_of(&mut all_slots, &address)?;
            slots += storage.len() as u64;
            let root = storage_root_unhashed(storage);
            if root != account.storage_root {
                let claimed = account.storage_root;
                return Err(StorageError::Corrupted(format!(
                    "{address} has the storage root {claimed}, its slots lead to {root}"
                )));
            }
            if account.code_hash != KECCAK256_EMPTY && store.get(Table::Codes, account.code_hash)?.is_none() {
                return Err(StorageError::Corrupted(format!("the code of {address} is missing")));
            }
            leaves.push((keccak256(address), account));
            accounts.next();
        }
        accounts.status().and_then(|()| all_slots.status()).map_err(|error| store.error(&error))?;
        if all_slots.valid() {
            return Err(StorageError::corrupted("there are slots that belong to no account"));
        }
        let count = leaves.len() as u64;
        leaves.sort_unstable_by_key(|(key, _)| *key);
        Ok((state_root(leaves), count, slots))
    }

    fn check_codes(&self) -> Result<(), StorageError> {
        self.inner.store.with_prefix(Table::Codes, &[], |hash, code| {
            if keccak256(code)[..] == *hash {
                return Ok(());
            }
            Err(StorageError::Corrupted(format!("the code kept under {} has another hash", B256::from_slice(hash))))
        })
    }
}

/// The slots of an account; both tables are in the order of addresses.
fn slots_of(slots: &mut DBRawIterator<'_>, address: &Address) -> Result<Vec<(B256, U256)>, StorageError> {
    let mut found = Vec::new();
    while let Some((key, value)) = slots.item().filter(|(key, _)| key.starts_with(address.as_slice())) {
        let slot = codec::hash(&key[Address::len_bytes()..])?;
        found.push((slot, codec::slot_value(value)?));
        slots.next();
    }
    Ok(found)
}

fn same(number: u64, what: &str, header: B256, computed: B256) -> Result<(), StorageError> {
    if header == computed {
        return Ok(());
    }
    Err(wrong(number, format!("its {what} is {header}, computed from what is stored it is {computed}")))
}

fn wrong(number: u64, reason: impl Into<String>) -> StorageError {
    StorageError::WrongBlock { number, reason: reason.into() }
}

/// Damage that was found on the way to a block is this block's.
fn in_block(number: u64, error: StorageError) -> StorageError {
    match error {
        StorageError::Corrupted(reason) => wrong(number, reason),
        other => other,
    }
}
