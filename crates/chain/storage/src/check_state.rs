use std::fmt::Display;

use alloy_primitives::{Address, B256, KECCAK256_EMPTY, hex, keccak256};
use openledger_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount, account_key, prove, slot_key, walk};
use rocksdb::DBRawIterator;

use crate::{
    Database, Progress, StateView, StorageError, codec,
    store::Store,
    tables::{Key, Table},
};

/// What the newest state consists of.
#[derive(Default)]
pub(crate) struct StateSize {
    pub(crate) accounts: u64,
    pub(crate) slots: u64,
    pub(crate) nodes: u64,
}

/// Goes through the newest state: its tries from the root, each node against its hash; then accounts and slots, each against its
/// leaf. As there are as many of them as leaves, none is missing. What is stored beyond the nodes that were come by is found
/// by their number.
pub(crate) struct StateCheck<'a, P> {
    store: &'a Store,
    view: &'a StateView,
    progress: P,
    total: u64,
    /// Nodes, accounts and slots come by.
    done: u64,
}

impl<'a, P: FnMut(Progress)> StateCheck<'a, P> {
    pub(crate) fn new(db: &'a Database, view: &'a StateView, progress: P) -> Self {
        let store = &db.inner.store;
        let tables = [Table::AccountNodes, Table::StorageNodes, Table::Accounts, Table::Slots];
        let total = tables.map(|table| store.property(table, "rocksdb.estimate-num-keys")).iter().sum();
        Self { store, view, progress, total, done: 0 }
    }

    pub(crate) fn run(mut self) -> Result<StateSize, StorageError> {
        self.codes()?;
        let (store, root) = (self.store, self.view.state_root());
        let (leaves, account_nodes) = self.walk(None, root)?;
        let mut size = StateSize::default();
        let (mut accounts, mut slots) = (store.iterator(Table::Accounts), store.iterator(Table::Slots));
        accounts.seek_to_first();
        slots.seek_to_first();
        while let Some((key, value)) = accounts.item() {
            let address =
                Address::try_from(key).map_err(|_| StorageError::corrupted("an address is not 20 bytes long"))?;
            let account = codec::account(value)?;
            self.compare(
                None,
                root,
                &account_key(&address),
                &alloy_rlp::encode(account),
                format_args!("account {address}"),
            )?;
            if account.code_hash != KECCAK256_EMPTY && store.get(Table::Codes, account.code_hash)?.is_none() {
                return Err(StorageError::Corrupted(format!("the code of {address} is missing")));
            }
            self.storage(&address, account.storage_root, &mut slots, &mut size)?;
            size.accounts += 1;
            self.tick();
            accounts.next();
        }
        accounts.status().and_then(|()| slots.status()).map_err(|error| store.error(&error))?;
        no_slot_before(&slots, None)?;
        same_count("accounts", leaves, size.accounts)?;
        self.nothing_beyond(Table::AccountNodes, account_nodes)?;
        self.nothing_beyond(Table::StorageNodes, size.nodes)?;
        size.nodes += account_nodes;
        Ok(size)
    }

    fn tick(&mut self) {
        self.done += 1;
        let (done, total) = (self.done, self.total.max(self.done));
        (self.progress)(Progress { what: "entries of the newest state", done, total });
    }

    fn codes(&self) -> Result<(), StorageError> {
        self.store.with_prefix(Table::Codes, &[], |hash, code| {
            if keccak256(code)[..] == *hash {
                return Ok(());
            }
            Err(StorageError::Corrupted(format!("the code kept under {} has another hash", hex::encode_prefixed(hash))))
        })
    }

    /// How many leaves and how many stored nodes a trie has; all are right.
    fn walk(&mut self, owner: Option<B256>, root: B256) -> Result<(u64, u64), StorageError> {
        let (view, before) = (self.view, self.done);
        let leaves = walk(view, owner, root, &mut |_| {
            self.tick();
            true
        })?;
        Ok((leaves, self.done - before))
    }

    /// The storage of an account; both tables are in the order of addresses.
    fn storage(
        &mut self,
        address: &Address,
        root: B256,
        slots: &mut DBRawIterator<'_>,
        size: &mut StateSize,
    ) -> Result<(), StorageError> {
        no_slot_before(slots, Some(address))?;
        let owner = Some(keccak256(address));
        let (leaves, nodes) = self.walk(owner, root)?;
        let before = size.slots;
        while let Some((key, value)) = slots.item().filter(|(key, _)| key.starts_with(address.as_slice())) {
            let slot = codec::hash(&key[Address::len_bytes()..])?;
            let value = alloy_rlp::encode(codec::slot_value(value)?);
            self.compare(owner, root, &slot_key(&slot), &value, format_args!("slot {slot} of {address}"))?;
            size.slots += 1;
            self.tick();
            slots.next();
        }
        size.nodes += nodes;
        same_count(format_args!("slots of {address}"), leaves, size.slots - before)
    }

    fn compare(
        &self,
        owner: Option<B256>,
        root: B256,
        key: &Nibbles,
        stored: &[u8],
        what: impl Display,
    ) -> Result<(), StorageError> {
        let leaf = prove(self.view, owner, root, key)?.value;
        if leaf.as_ref().is_some_and(|leaf| leaf == stored) {
            return Ok(());
        }
        let leaf = leaf.map_or_else(|| "nothing".to_owned(), |leaf| format!("{leaf}"));
        let stored = hex::encode_prefixed(stored);
        Err(StorageError::Corrupted(format!("{what} is {stored} in its table, {leaf} in the trie")))
    }

    /// All nodes that the tries lead to are in the table: if it has no more, it has no others.
    fn nothing_beyond(&self, table: Table, reached: u64) -> Result<(), StorageError> {
        let mut stored = 0;
        self.store.with_prefix(table, &[], |_, _| {
            stored += 1;
            Ok(())
        })?;
        if stored == reached {
            return Ok(());
        }
        self.store.with_prefix(table, &[], |key, _| {
            if self.is_reached(table, key)? {
                return Ok(());
            }
            let (table, key) = (table.name(), hex::encode_prefixed(key));
            Err(StorageError::Corrupted(format!("no trie leads to what {table} holds under the key {key}")))
        })
    }

    /// Whether the way down a trie comes by the node with this key.
    fn is_reached(&self, table: Table, key: &[u8]) -> Result<bool, StorageError> {
        let (owner, path) = match table {
            Table::StorageNodes => match key.split_first_chunk() {
                Some((owner, path)) => (Some(B256::from(owner)), path),
                None => return Ok(false),
            },
            _ => (None, key),
        };
        let Some((_, packed)) = path.split_first().filter(|(_, packed)| packed.len() <= 32) else { return Ok(false) };
        let end = Nibbles::unpack(packed);
        let mut found = false;
        walk(self.view, owner, self.root(owner)?, &mut |at| {
            found |= Key::node(owner.as_ref(), at)[..] == *key;
            end.starts_with(at)
        })?;
        Ok(found)
    }

    /// The root of the account trie, or of the storage of the account with this hashed address.
    fn root(&self, owner: Option<B256>) -> Result<B256, StorageError> {
        let root = self.view.state_root();
        let Some(owner) = owner else { return Ok(root) };
        match prove(self.view, None, root, &Nibbles::unpack(owner))?.value {
            Some(leaf) => Ok(codec::decode::<TrieAccount>("an account", &leaf)?.storage_root),
            None => Ok(EMPTY_ROOT_HASH),
        }
    }
}

/// That the next slot does not lie before `address`: there it would belong to no account.
fn no_slot_before(slots: &DBRawIterator<'_>, address: Option<&Address>) -> Result<(), StorageError> {
    match slots.key() {
        Some(key) if address.is_none_or(|address| key < address.as_slice()) => {
            let key = hex::encode_prefixed(key);
            Err(StorageError::Corrupted(format!("the slot under the key {key} belongs to no account")))
        }
        _ => Ok(()),
    }
}

fn same_count(what: impl Display, leaves: u64, stored: u64) -> Result<(), StorageError> {
    if leaves == stored {
        return Ok(());
    }
    Err(StorageError::Corrupted(format!("the trie has {leaves} {what}, their table has {stored}")))
}
