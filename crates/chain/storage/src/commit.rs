use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use alloy_consensus::Header;
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use openledger_primitives::{Block, Receipt, Transaction};
use openledger_stf::{AccountChange, ExecutedBlock, StateChanges, StateRoots};
use openledger_trie::{
    EMPTY_ROOT_HASH, EmptyStore, Nibbles, NodeReader, StateTrie, StateUpdate, StorageUpdate, TrieAccount, TrieError,
    account_key, leaf, state_root,
};

use crate::{
    Database, StateView, StorageError, codec,
    history::Recorder,
    store::Store,
    tables::{Key, Table, Versioned, meta},
};

/// How many results of `roots` are kept: the block being committed, and a few that others simulate beside it.
const PREPARED: usize = 4;

/// The tries after some changes, with the accounts before them: computed for a header, kept for its commit.
pub(crate) struct Prepared {
    /// Hash of the block that the changes follow.
    parent: B256,
    update: StateUpdate,
    pub(crate) roots: StateRoots,
    accounts: BTreeMap<Address, Option<TrieAccount>>,
}

impl Prepared {
    pub(crate) fn new(view: &StateView, changes: &StateChanges) -> Result<Self, StorageError> {
        let accounts = changes
            .accounts
            .keys()
            .map(|address| Ok((*address, view.trie_account(address)?)))
            .collect::<Result<_, StorageError>>()?;
        let store = Loaded::new(view, &accounts);
        let update = state_root(&store, view.state_root(), changes)?;
        let roots = update.roots(view)?;
        Ok(Self { parent: view.block().hash, update, roots, accounts })
    }

    pub(crate) fn genesis(changes: &StateChanges) -> Result<Self, StorageError> {
        let update = state_root(&EmptyStore, EMPTY_ROOT_HASH, changes)?;
        let roots = update.roots(&EmptyStore)?;
        Ok(Self { parent: B256::ZERO, update, roots, accounts: BTreeMap::new() })
    }
}

/// A view whose changed accounts have been read already.
struct Loaded<'a> {
    nodes: &'a StateView,
    accounts: &'a BTreeMap<Address, Option<TrieAccount>>,
    /// Those that exist, by their path in the trie.
    by_path: Vec<(Nibbles, TrieAccount)>,
}

impl<'a> Loaded<'a> {
    fn new(nodes: &'a StateView, accounts: &'a BTreeMap<Address, Option<TrieAccount>>) -> Self {
        let existing = accounts.iter().filter_map(|(address, account)| Some((account_key(address), (*account)?)));
        let mut by_path: Vec<_> = existing.collect();
        by_path.sort_unstable_by_key(|(path, _)| *path);
        Self { nodes, accounts, by_path }
    }

    /// The leaf of the one account known below `path`, if there is no other: what `hash` names, or not.
    fn leaf(&self, path: &Nibbles) -> Option<Vec<u8>> {
        let first = self.by_path.partition_point(|(known, _)| known < path);
        let below = |index: usize| self.by_path.get(index).filter(|(known, _)| known.starts_with(path));
        let (key, account) = below(first)?;
        if below(first + 1).is_some() {
            return None;
        }
        Some(leaf(&key.slice(path.len()..), &alloy_rlp::encode(account)))
    }
}

impl NodeReader for Loaded<'_> {
    /// A leaf is made from its account where that can be: this costs a hash, and looking for it on disk many times more.
    fn node(&self, owner: Option<B256>, path: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError> {
        if owner.is_none()
            && let Some(leaf) = self.leaf(path)
            && keccak256(&leaf) == *hash
        {
            return Ok(Some(leaf.into()));
        }
        self.nodes.node(owner, path, hash)
    }
}

impl StateTrie for Loaded<'_> {
    fn storage_root(&self, address: &Address) -> Result<B256, TrieError> {
        let account = self.accounts.get(address).copied().flatten();
        Ok(account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }
}

impl Database {
    /// Appends a block to the chain: durable when this returns, and as a whole or not at all.
    ///
    /// The block follows the head, its state root is checked, and the trie is not computed again if `roots` was asked for
    /// these changes before.
    pub fn commit_block(&self, executed: &ExecutedBlock) -> Result<(), StorageError> {
        let _writing = self.inner.writing.lock();
        let store = &self.inner.store;
        let header = &executed.block.header;
        let id = BlockNumHash::new(header.number, executed.hash);
        let head = self.head()?;
        if header.parent_hash != head.hash || id.number != head.number + 1 {
            return Err(StorageError::NotNext { number: id.number, parent: header.parent_hash, head });
        }
        let prepared = match self.take_prepared(&header.parent_hash, &header.state_root) {
            Some(prepared) => prepared,
            None => Arc::new(Prepared::new(&self.building()?, &executed.changes)?),
        };
        check_roots(header, prepared.roots)?;

        let mut recorder = Recorder::new(store, id.number, true);
        write_state(&mut recorder, store, &executed.changes, &prepared)?;
        write_block(&mut recorder, &executed.block, id.hash, &executed.senders, &executed.receipts);
        recorder.put(Table::Meta, meta::UNSAFE, &codec::encode_id(id));
        self.inner.tip.store(id.number, SeqCst);
        let (batch, changed) = recorder.finish();
        let written = store.write(batch, true);
        match written {
            Ok(()) => self.inner.cache.lock().advance(head.hash, id.hash, changed),
            Err(_) => self.inner.tip.store(head.number, SeqCst),
        }
        written
    }

    pub(crate) fn keep_prepared(&self, prepared: Prepared) {
        let mut kept = self.inner.prepared.lock();
        kept.truncate(PREPARED - 1);
        kept.push_front(Arc::new(prepared));
    }

    /// What leads from `parent` to `state_root` is one and the same, whoever asked for it.
    fn take_prepared(&self, parent: &B256, state_root: &B256) -> Option<Arc<Prepared>> {
        let mut kept = self.inner.prepared.lock();
        let found = kept.iter().find(|p| p.parent == *parent && p.update.root == *state_root).cloned();
        kept.clear();
        found
    }
}

pub(crate) fn check_roots(header: &Header, roots: StateRoots) -> Result<(), StorageError> {
    let wrong = |what, header_root, computed| StorageError::WrongRoot {
        number: header.number,
        what,
        header: header_root,
        computed,
    };
    if header.state_root != roots.state_root {
        return Err(wrong("state root", header.state_root, roots.state_root));
    }
    match header.withdrawals_root {
        Some(root) if root != roots.message_passer_root => {
            Err(wrong("withdrawals root", root, roots.message_passer_root))
        }
        _ => Ok(()),
    }
}

pub(crate) fn write_block(
    recorder: &mut Recorder<'_>,
    block: &Block,
    hash: B256,
    senders: &[Address],
    receipts: &[Receipt],
) {
    let number = block.header.number.to_be_bytes();
    recorder.put(Table::Headers, &number, &alloy_rlp::encode(&block.header));
    recorder.put(Table::Hashes, &number, hash.as_slice());
    recorder.put(Table::Numbers, hash.as_slice(), &number);
    recorder.put(Table::Bodies, &number, &codec::encode_list(&block.body.transactions));
    recorder.put(Table::Senders, &number, &codec::encode_senders(senders));
    recorder.put(Table::Receipts, &number, &codec::encode_list(receipts));
    // In order, because a sorted table takes them in faster: each lies near the one before.
    let mut places: Vec<_> = block.body.transactions.iter().map(Transaction::tx_hash).zip(0u32..).collect();
    places.sort_unstable();
    for (hash, index) in places {
        recorder.put(Table::Transactions, hash.as_slice(), &codec::encode_place(block.header.number, index));
    }
}

pub(crate) fn write_state(
    recorder: &mut Recorder<'_>,
    store: &Store,
    changes: &StateChanges,
    prepared: &Prepared,
) -> Result<(), StorageError> {
    for (address, change) in &changes.accounts {
        let before = match prepared.accounts.get(address) {
            Some(account) => *account,
            None => store.get(Table::Accounts, address)?.map(|bytes| codec::account(&bytes)).transpose()?,
        };
        let storage = prepared.update.storages.get(address);
        let root_before = before.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let after = change.account.map(|account| TrieAccount {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: storage.map_or(root_before, |storage| storage.root),
            code_hash: account.code_hash,
        });
        let encode = codec::encode_account;
        let (before, after) = (before.as_ref().map(encode), after.as_ref().map(encode));
        recorder.set(Versioned::Accounts, &Key::account(address), before.as_deref(), after.as_deref());
        if let Some(storage) = storage {
            write_slots(recorder, store, address, change, storage.wiped)?;
            write_storage_nodes(recorder, store, &keccak256(address), storage)?;
        }
    }
    for (path, node) in &prepared.update.nodes {
        let key = Key::node(None, path);
        recorder.set(Versioned::AccountNodes, &key, node.before.as_deref_bytes(), node.after.as_deref_bytes());
    }
    for (hash, code) in &changes.code {
        recorder.put(Table::Codes, hash.as_slice(), code);
    }
    Ok(())
}

fn write_slots(
    recorder: &mut Recorder<'_>,
    store: &Store,
    address: &Address,
    change: &AccountChange,
    wiped: bool,
) -> Result<(), StorageError> {
    let mut old = everything_under(store, Table::Slots, address.as_slice(), wiped)?;
    if change.account.is_some() {
        for (slot, value) in &change.storage {
            let key = Key::slot(address, slot);
            let before = match wiped {
                true => old.remove(&key[..]),
                false => store.get(Table::Slots, key)?.map(|value| value.to_vec()),
            };
            let after = (*value != U256::ZERO).then(|| value.to_be_bytes_trimmed_vec());
            recorder.set(Versioned::Slots, &key, before.as_deref(), after.as_deref());
        }
    }
    for (key, value) in old {
        recorder.set(Versioned::Slots, &key, Some(&value), None);
    }
    Ok(())
}

fn write_storage_nodes(
    recorder: &mut Recorder<'_>,
    store: &Store,
    owner: &B256,
    storage: &StorageUpdate,
) -> Result<(), StorageError> {
    let mut old = everything_under(store, Table::StorageNodes, owner.as_slice(), storage.wiped)?;
    for (path, node) in &storage.nodes {
        let key = Key::node(Some(owner), path);
        let wiped = old.remove(&key[..]);
        let before = wiped.as_deref().or(node.before.as_deref_bytes());
        recorder.set(Versioned::StorageNodes, &key, before, node.after.as_deref_bytes());
    }
    for (key, value) in old {
        recorder.set(Versioned::StorageNodes, &key, Some(&value), None);
    }
    Ok(())
}

/// What a wipe has to remove; nothing where there is none.
fn everything_under(
    store: &Store,
    table: Table,
    prefix: &[u8],
    wiped: bool,
) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, StorageError> {
    let mut found = BTreeMap::new();
    if wiped {
        store.with_prefix(table, prefix, |key, value| {
            found.insert(key.to_vec(), value.to_vec());
            Ok(())
        })?;
    }
    Ok(found)
}

/// `Option<Bytes>` as an optional slice.
trait AsSlice {
    fn as_deref_bytes(&self) -> Option<&[u8]>;
}

impl AsSlice for Option<Bytes> {
    fn as_deref_bytes(&self) -> Option<&[u8]> {
        self.as_ref().map(|bytes| &bytes[..])
    }
}
