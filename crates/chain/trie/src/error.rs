use alloc::{boxed::Box, string::ToString as _};

use alloy_primitives::B256;
use alloy_trie::Nibbles;
use openledger_stf::StateError;

/// Why a trie could not be read. None of these comes from a user's transaction: each means that the store under the trie is
/// damaged or unreachable, and that no root may be computed from it.
#[derive(Debug, thiserror::Error)]
pub enum TrieError {
    /// A node that its parent names is not in the store.
    #[error(
        "trie node {hash} at path {path:?} (storage of {owner:?}) is missing: a witness leaves it out, or the database is incomplete (restore it or derive the chain again)"
    )]
    MissingNode {
        /// The hashed address of a storage trie, or `None` for the account trie.
        owner: Option<B256>,
        /// Where the node should be.
        path: Nibbles,
        /// The hash by which its parent names it.
        hash: B256,
    },
    /// A node decodes, but its hash is not the one that its parent names.
    #[error(
        "trie node at path {path:?} (storage of {owner:?}) hashes to {actual}, its parent says {expected}: the database is corrupted; restore it or derive the chain again"
    )]
    WrongHash {
        /// The hashed address of a storage trie, or `None` for the account trie.
        owner: Option<B256>,
        /// Where the node is.
        path: Nibbles,
        /// The hash in the parent.
        expected: B256,
        /// The hash of the stored bytes.
        actual: B256,
    },
    /// The bytes at a path are no trie node.
    #[error(
        "trie node at path {path:?} (storage of {owner:?}) does not decode ({source}): the database is corrupted; restore it or derive the chain again"
    )]
    Decode {
        /// The hashed address of a storage trie, or `None` for the account trie.
        owner: Option<B256>,
        /// Where the bytes are.
        path: Nibbles,
        /// What is wrong with them.
        source: alloy_rlp::Error,
    },
    /// The store could not answer.
    #[error("the trie's node store failed: {0}")]
    Store(Box<dyn core::error::Error + Send + Sync>),
}

impl From<TrieError> for StateError {
    fn from(error: TrieError) -> Self {
        match error {
            TrieError::MissingNode { .. } => Self::Missing(error.to_string()),
            other => Self::Backend(other.to_string()),
        }
    }
}
