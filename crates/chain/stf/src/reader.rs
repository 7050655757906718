use crate::{Account, StateChanges, StateRoots};
use alloc::string::String;
use alloy_primitives::{Address, B256, Bytes, U256};

/// Why the state could not be read. It says nothing about the validity of a block: whoever sees it must not conclude
/// that the block is bad.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The store does not have it: pruned, not yet there, or left out of a witness. Asking again changes nothing.
    #[error("not in the state store: {0}")]
    Missing(String),
    /// The store failed: a device error, a corrupted record. Stop and look at the machine.
    #[error("the state store failed: {0}")]
    Backend(String),
}

impl revm::database_interface::DBErrorMarker for StateError {}

/// What execution asks: the state after the parent block.
pub trait StateReader {
    /// The account at `address`, or `None` where there is none.
    fn account(&self, address: &Address) -> Result<Option<Account>, StateError>;

    /// The value of a slot; zero where there is none.
    fn storage(&self, address: &Address, slot: &B256) -> Result<U256, StateError>;

    /// The code with this hash. Never asked for the hash of empty code. Code that is not there is
    /// [`StateError::Missing`].
    fn code(&self, hash: &B256) -> Result<Bytes, StateError>;

    /// The hash of the block at `number`, asked for the 256 blocks that end with the parent.
    fn block_hash(&self, number: u64) -> Result<B256, StateError>;
}

/// Computes the commitments of the state that `changes` leads to, without changing anything.
///
/// A store that also needs the changed trie nodes when the block is committed can keep those of the latest calls by
/// their `state_root`, so that they are computed once.
pub trait StateCommitter {
    /// The roots after `changes` on top of the state after the parent block.
    fn roots(&self, changes: &StateChanges) -> Result<StateRoots, StateError>;
}

impl<T: StateReader + ?Sized> StateReader for &T {
    fn account(&self, address: &Address) -> Result<Option<Account>, StateError> {
        (**self).account(address)
    }

    fn storage(&self, address: &Address, slot: &B256) -> Result<U256, StateError> {
        (**self).storage(address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        (**self).code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        (**self).block_hash(number)
    }
}

impl<T: StateCommitter + ?Sized> StateCommitter for &T {
    fn roots(&self, changes: &StateChanges) -> Result<StateRoots, StateError> {
        (**self).roots(changes)
    }
}
