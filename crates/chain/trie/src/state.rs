use alloc::{collections::BTreeMap, vec::Vec};

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount};
use openledger_primitives::addresses::L2_TO_L1_MESSAGE_PASSER;
use openledger_stf::{AccountChange, StateChanges, StateRoots};

use crate::{Change, EmptyStore, NodeChanges, NodeReader, TrieError, update};

/// The tries of a state: their nodes, and for each account the root of its storage.
pub trait StateTrie: NodeReader {
    /// The storage root of the account before the change; [`EMPTY_ROOT_HASH`] where there is no account.
    fn storage_root(&self, address: &Address) -> Result<B256, TrieError>;
}

impl StateTrie for EmptyStore {
    fn storage_root(&self, _: &Address) -> Result<B256, TrieError> {
        Ok(EMPTY_ROOT_HASH)
    }
}

impl<T: StateTrie + ?Sized> StateTrie for &T {
    fn storage_root(&self, address: &Address) -> Result<B256, TrieError> {
        (**self).storage_root(address)
    }
}

/// What a block does to the tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateUpdate {
    /// The new state root.
    pub root: B256,
    /// Changed nodes of the account trie.
    pub nodes: NodeChanges,
    /// Accounts whose storage changed.
    pub storages: BTreeMap<Address, StorageUpdate>,
}

impl StateUpdate {
    /// The commitments of a header. `store` has the state before: the message passer may not have changed.
    pub fn roots(&self, store: &impl StateTrie) -> Result<StateRoots, TrieError> {
        let message_passer_root = match self.storages.get(&L2_TO_L1_MESSAGE_PASSER) {
            Some(storage) => storage.root,
            None => store.storage_root(&L2_TO_L1_MESSAGE_PASSER)?,
        };
        Ok(StateRoots { state_root: self.root, message_passer_root })
    }
}

/// What a block does to the storage trie of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageUpdate {
    /// The new storage root.
    pub root: B256,
    /// Whether every node from before has to go first (they are not listed in `nodes`).
    pub wiped: bool,
    /// Changed nodes; after a wipe, the nodes of a new trie.
    pub nodes: NodeChanges,
}

/// The path of an account in the account trie.
pub fn account_key(address: &Address) -> Nibbles {
    Nibbles::unpack(keccak256(address))
}

/// The path of a slot in a storage trie.
pub fn slot_key(slot: &B256) -> Nibbles {
    Nibbles::unpack(keccak256(slot))
}

/// The state root after a block, on top of the state with the root `parent`.
pub fn state_root(store: &impl StateTrie, parent: B256, changes: &StateChanges) -> Result<StateUpdate, TrieError> {
    let mut storages = BTreeMap::new();
    let mut accounts: Vec<Change> = Vec::with_capacity(changes.accounts.len());
    for (address, change) in &changes.accounts {
        let hash = keccak256(address);
        let before = store.storage_root(address)?;
        let storage = storage_update(store, hash, before, change)?;
        let value = change.account.map(|account| {
            let storage_root = storage.as_ref().map_or(before, |storage| storage.root);
            let account = TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root,
                code_hash: account.code_hash,
            };
            alloy_rlp::encode(account).into()
        });
        accounts.push((Nibbles::unpack(hash), value));
        storages.extend(storage.map(|storage| (*address, storage)));
    }
    accounts.sort_unstable_by_key(|(key, _)| *key);
    let (root, nodes) = update(store, None, parent, &accounts)?;
    Ok(StateUpdate { root, nodes, storages })
}

/// The storage trie of one account after a block, or `None` if it stays as it was.
fn storage_update(
    store: &impl StateTrie,
    owner: B256,
    before: B256,
    change: &AccountChange,
) -> Result<Option<StorageUpdate>, TrieError> {
    let wiped = (change.storage_wiped || change.account.is_none()) && before != EMPTY_ROOT_HASH;
    let slots: &[_] = &sorted_slots(change);
    if !wiped && slots.is_empty() {
        return Ok(None);
    }
    let (root, nodes) = if wiped {
        update(&EmptyStore, Some(owner), EMPTY_ROOT_HASH, slots)?
    } else {
        update(store, Some(owner), before, slots)?
    };
    Ok(Some(StorageUpdate { root, wiped, nodes }))
}

fn sorted_slots(change: &AccountChange) -> Vec<Change> {
    if change.account.is_none() {
        return Vec::new();
    }
    let value = |value: &U256| (!value.is_zero()).then(|| alloy_rlp::encode(value).into());
    let mut slots: Vec<Change> = change.storage.iter().map(|(slot, number)| (slot_key(slot), value(number))).collect();
    slots.sort_unstable_by_key(|(key, _)| *key);
    slots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryStore, prove};
    use openledger_stf::Account;

    /// Nodes in memory, with the storage roots beside them.
    #[derive(Default)]
    struct State {
        nodes: MemoryStore,
        roots: BTreeMap<Address, B256>,
        root: Option<B256>,
    }

    impl NodeReader for State {
        fn node(
            &self,
            owner: Option<B256>,
            path: &Nibbles,
            hash: &B256,
        ) -> Result<Option<alloy_primitives::Bytes>, TrieError> {
            self.nodes.node(owner, path, hash)
        }
    }

    impl StateTrie for State {
        fn storage_root(&self, address: &Address) -> Result<B256, TrieError> {
            Ok(self.roots.get(address).copied().unwrap_or(EMPTY_ROOT_HASH))
        }
    }

    impl State {
        fn apply(&mut self, changes: &StateChanges) -> B256 {
            let parent = self.root.unwrap_or(EMPTY_ROOT_HASH);
            let update = state_root(self, parent, changes).unwrap();
            self.nodes.apply(None, &update.nodes);
            for (address, storage) in &update.storages {
                let owner = keccak256(address);
                if storage.wiped {
                    self.nodes.wipe(owner);
                }
                self.nodes.apply(Some(owner), &storage.nodes);
                self.roots.insert(*address, storage.root);
            }
            self.root = Some(update.root);
            update.root
        }
    }

    fn change(nonce: u64, slots: &[(u8, u64)]) -> AccountChange {
        AccountChange {
            account: Some(Account { nonce, ..Account::default() }),
            storage_wiped: false,
            storage: slots.iter().map(|(slot, value)| (B256::with_last_byte(*slot), U256::from(*value))).collect(),
        }
    }

    fn changes(of: &[(u8, AccountChange)]) -> StateChanges {
        StateChanges {
            accounts: of.iter().map(|(a, c)| (Address::with_last_byte(*a), c.clone())).collect(),
            ..StateChanges::default()
        }
    }

    #[test]
    fn a_wiped_storage_starts_again() {
        let mut state = State::default();
        state.apply(&changes(&[(1, change(1, &[(1, 5), (2, 6), (3, 1 << 40)])), (2, change(1, &[]))]));
        let wiped = AccountChange { storage_wiped: true, ..change(2, &[(9, 4)]) };
        let root = state.apply(&changes(&[(1, wiped)]));

        let mut fresh = State::default();
        let expected = fresh.apply(&changes(&[(1, change(2, &[(9, 4)])), (2, change(1, &[]))]));
        assert_eq!(root, expected);
        assert_eq!(state.nodes, fresh.nodes);
    }

    #[test]
    fn a_removed_account_takes_its_storage_along() {
        let mut state = State::default();
        let before = state.apply(&changes(&[(2, change(1, &[(7, 7)]))]));
        state.apply(&changes(&[(1, change(1, &[(1, 5), (2, 6)]))]));
        let root = state.apply(&changes(&[(1, AccountChange::default())]));
        assert_eq!(root, before);
    }

    #[test]
    fn proofs_lead_from_the_state_root_to_a_slot() {
        let mut state = State::default();
        let root = state.apply(&changes(&[(1, change(3, &[(1, 5), (2, 6)])), (2, change(1, &[]))]));
        let address = Address::with_last_byte(1);
        let proof = prove(&state, None, root, &account_key(&address)).unwrap();
        let account: TrieAccount = alloy_rlp::decode_exact(proof.value.unwrap()).unwrap();
        assert_eq!(account.nonce, 3);
        let slot = slot_key(&B256::with_last_byte(2));
        let proof = prove(&state, Some(keccak256(address)), account.storage_root, &slot).unwrap();
        assert_eq!(proof.value.unwrap(), alloy_rlp::encode(U256::from(6)));
    }
}
