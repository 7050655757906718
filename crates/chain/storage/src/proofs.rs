use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use openledger_stf::StateReader;
use openledger_trie::{EMPTY_ROOT_HASH, TrieAccount, account_key, prove, slot_key};

use crate::{Database, StateView, StorageError};

/// What `eth_getProof` answers: an account, or that there is none, and some of its slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// Whose proof it is.
    pub address: Address,
    /// The account, if it exists.
    pub account: Option<TrieAccount>,
    /// Nodes of the account trie from the state root down.
    pub nodes: Vec<Bytes>,
    /// One for each slot asked for, in that order.
    pub storage: Vec<StorageProof>,
}

/// The proof of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageProof {
    /// Which slot.
    pub slot: B256,
    /// Its value; zero if the trie does not have it.
    pub value: U256,
    /// Nodes of the storage trie from the storage root down; none if the storage is empty.
    pub nodes: Vec<Bytes>,
}

impl Database {
    /// Proves an account and slots of it in the state after a canonical block.
    pub fn proof_at(&self, number: u64, address: Address, slots: &[B256]) -> Result<AccountProof, StorageError> {
        self.state_of(number, &address)?.proof(address, slots)
    }
}

impl StateView {
    /// Proves an account and slots of it. Every node is checked against its hash on the way.
    pub fn proof(&self, address: Address, slots: &[B256]) -> Result<AccountProof, StorageError> {
        let proof = prove(self, None, self.state_root(), &account_key(&address))?;
        let account = self.trie_account(&address)?;
        let root = account.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let owner = keccak256(address);
        let storage = slots
            .iter()
            .map(|slot| {
                let nodes = prove(self, Some(owner), root, &slot_key(slot))?.nodes;
                let value = self.storage(&address, slot).map_err(|error| StorageError::Backend(error.to_string()))?;
                Ok(StorageProof { slot: *slot, value, nodes })
            })
            .collect::<Result<_, StorageError>>()?;
        Ok(AccountProof { address, account, nodes: proof.nodes, storage })
    }
}
