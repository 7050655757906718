#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod error;
mod node;
mod proof;
mod state;
mod store;
mod update;
mod walk;

pub use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount};
pub use error::TrieError;
pub use node::leaf;
pub use proof::{Proof, prove};
pub use state::{StateTrie, StateUpdate, StorageUpdate, account_key, slot_key, state_root};
pub use store::{EmptyStore, MemoryStore, NodeReader};
pub use update::{Change, NodeChange, NodeChanges, update};
pub use walk::walk;
