use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Decodable;
use openledger_stf::{Account, StateChanges, StateCommitter, StateError, StateReader, StateRoots};
use openledger_trie::{
    EMPTY_ROOT_HASH, Nibbles, NodeReader, StateTrie, TrieAccount, TrieError, account_key, prove, slot_key, state_root,
};

/// The nodes of a state's tries, with what execution asks for besides.
pub trait TrieSource: NodeReader {
    /// The code with this hash; [`StateError::Missing`] if it is not there.
    fn code(&self, hash: &B256) -> Result<Bytes, StateError>;
    /// The hash of the block at `number`; [`StateError::Missing`] if it is not there.
    fn block_hash(&self, number: u64) -> Result<B256, StateError>;
    /// An address or a slot is about to be looked up.
    fn looked_up(&self, _key: &[u8]) {}
}

impl<S: TrieSource + ?Sized> TrieSource for &S {
    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        (**self).code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        (**self).block_hash(number)
    }

    fn looked_up(&self, key: &[u8]) {
        (**self).looked_up(key);
    }
}

/// A state that is read from its tries alone, from the root down: every value is one that the root commits to.
#[derive(Debug, Clone)]
pub struct TrieState<S> {
    source: S,
    root: B256,
}

impl<S: TrieSource> TrieState<S> {
    /// The state with this root.
    pub const fn new(source: S, root: B256) -> Self {
        Self { source, root }
    }

    fn trie_account(&self, address: &Address) -> Result<Option<TrieAccount>, TrieError> {
        self.source.looked_up(address.as_slice());
        self.lookup(None, self.root, &account_key(address))
    }

    fn lookup<T: Decodable>(&self, owner: Option<B256>, root: B256, key: &Nibbles) -> Result<Option<T>, TrieError> {
        let found = prove(&self.source, owner, root, key)?.value;
        let decoded = found.map(|value| alloy_rlp::decode_exact(value)).transpose();
        decoded.map_err(|source| TrieError::Decode { owner, path: *key, source })
    }
}

impl<S: TrieSource> NodeReader for TrieState<S> {
    fn node(&self, owner: Option<B256>, path: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError> {
        self.source.node(owner, path, hash)
    }
}

impl<S: TrieSource> StateTrie for TrieState<S> {
    fn storage_root(&self, address: &Address) -> Result<B256, TrieError> {
        Ok(self.trie_account(address)?.map_or(EMPTY_ROOT_HASH, |account| account.storage_root))
    }
}

impl<S: TrieSource> StateReader for TrieState<S> {
    fn account(&self, address: &Address) -> Result<Option<Account>, StateError> {
        let account = self.trie_account(address)?;
        Ok(account.map(|TrieAccount { nonce, balance, code_hash, .. }| Account { nonce, balance, code_hash }))
    }

    fn storage(&self, address: &Address, slot: &B256) -> Result<U256, StateError> {
        let root = self.storage_root(address)?;
        self.source.looked_up(slot.as_slice());
        Ok(self.lookup(Some(keccak256(address)), root, &slot_key(slot))?.unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        self.source.code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        self.source.block_hash(number)
    }
}

impl<S: TrieSource> StateCommitter for TrieState<S> {
    fn roots(&self, changes: &StateChanges) -> Result<StateRoots, StateError> {
        Ok(state_root(self, self.root, changes)?.roots(self)?)
    }
}

/// What a part is called that nobody has.
pub(crate) fn missing(what: &str, name: impl core::fmt::Display) -> StateError {
    StateError::Missing(alloc::format!("{what} {name}"))
}
