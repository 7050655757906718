use alloc::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::Nibbles;

use crate::{
    NodeChanges, TrieError,
    node::{Node, Pointer},
};

/// Where the nodes of all tries are. A node lies at the path from its trie's root, so a new version replaces the old one and
/// nothing has to be collected afterwards.
pub trait NodeReader {
    /// The RLP of the node at `path` in the account trie (`owner` is `None`) or in the storage trie of the account with this
    /// hashed address. Its parent names it by `hash`, for stores that keep nodes under their hashes. Nodes shorter than 32 bytes
    /// are kept inside their parent and are never asked for.
    fn node(&self, owner: Option<B256>, path: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    fn node(&self, owner: Option<B256>, path: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError> {
        (**self).node(owner, path, hash)
    }
}

/// The node behind a pointer that is not empty, and its RLP if it is stored: then it is checked against its hash.
pub(crate) fn open(
    store: &impl NodeReader,
    owner: Option<B256>,
    path: Nibbles,
    pointer: &Pointer,
) -> Result<(Node, Option<Bytes>), TrieError> {
    let decode = |rlp: &[u8]| Node::decode(rlp).map_err(|source| TrieError::Decode { owner, path, source });
    let Some(expected) = pointer.as_hash() else {
        return Ok((decode(pointer)?, None));
    };
    let rlp = store.node(owner, &path, &expected)?.ok_or(TrieError::MissingNode { owner, path, hash: expected })?;
    let actual = keccak256(&rlp);
    if actual != expected {
        return Err(TrieError::WrongHash { owner, path, expected, actual });
    }
    Ok((decode(&rlp)?, Some(rlp)))
}

/// No nodes: the store below an empty trie.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmptyStore;

impl NodeReader for EmptyStore {
    fn node(&self, _: Option<B256>, _: &Nibbles, _: &B256) -> Result<Option<Bytes>, TrieError> {
        Ok(None)
    }
}

/// Nodes in memory: for tests and for tries that are built once, such as a genesis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryStore {
    nodes: BTreeMap<(Option<B256>, Nibbles), Bytes>,
}

impl MemoryStore {
    /// Writes what [`update`](crate::update) changed.
    pub fn apply(&mut self, owner: Option<B256>, changes: &NodeChanges) {
        for (path, change) in changes {
            match &change.after {
                Some(rlp) => self.nodes.insert((owner, *path), rlp.clone()),
                None => self.nodes.remove(&(owner, *path)),
            };
        }
    }

    /// Forgets the storage trie of one account.
    pub fn wipe(&mut self, owner: B256) {
        self.nodes.retain(|(of, _), _| *of != Some(owner));
    }

    /// How many nodes are stored.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no node is stored.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl NodeReader for MemoryStore {
    fn node(&self, owner: Option<B256>, path: &Nibbles, _: &B256) -> Result<Option<Bytes>, TrieError> {
        Ok(self.nodes.get(&(owner, *path)).cloned())
    }
}
