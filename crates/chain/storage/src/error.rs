use std::path::{Path, PathBuf};

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_stf::StateError;
use openledger_trie::TrieError;

/// What can go wrong with the database, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has the directory open. Nothing was read or written.
    #[error(
        "the database in {} is in use by another process: stop that process, or give this one its own --datadir", path.display()
    )]
    Locked {
        /// The database's directory.
        path: PathBuf,
    },
    /// The directory cannot be created or opened.
    #[error(
        "cannot open the database in {}: {reason}. Check that the directory exists and that this user may write to it", path.display()
    )]
    Unavailable {
        /// The database's directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The database was written by another version of this program.
    #[error(
        "the database in {} has schema {found}, this program needs schema {expected}: use the program that wrote it, or move the directory away and sync again", path.display()
    )]
    Schema {
        /// The database's directory.
        path: PathBuf,
        /// The schema found, or what stands in its place.
        found: String,
        /// The schema of this program.
        expected: u64,
    },
    /// The database belongs to another chain.
    #[error(
        "the database in {} belongs to the chain with genesis {found}, but the genesis configured is {expected}: use another --datadir, or the genesis this database was made with", path.display()
    )]
    Genesis {
        /// The database's directory.
        path: PathBuf,
        /// Hash of the genesis in the database.
        found: B256,
        /// Hash of the genesis asked for.
        expected: B256,
    },
    /// The database has no genesis yet.
    #[error("the database is empty: write the genesis first (`openledger init`)")]
    NoGenesis,
    /// The disk is full. The last block was not committed; everything before it is safe.
    #[error("no space left on the device that holds {}: free some space and start again; nothing committed is lost", path.display())]
    NoSpace {
        /// The database's directory.
        path: PathBuf,
    },
    /// Something stored does not read back as it was written.
    #[error(
        "the database is corrupted: {0}. Restore a copy of the data directory, or move it away and derive the chain from L1 again"
    )]
    Corrupted(String),
    /// A block that does not hold together, found by looking at all of them.
    #[error(
        "block {number} is wrong: {reason}. The blocks before it are sound. Restore a copy of the data directory, or move it away and derive the chain from L1 again"
    )]
    WrongBlock {
        /// The first such block.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// RocksDB failed in another way.
    #[error("the database failed: {0}. Check the disk and the system log, then start again; nothing committed is lost")]
    Backend(String),
    /// A block does not follow the newest one.
    #[error("block {number} with parent {parent} does not follow the newest block {} ({}): unwind to its parent first", head.number, head.hash)]
    NotNext {
        /// Number of the block that was to be committed.
        number: u64,
        /// Its parent.
        parent: B256,
        /// The newest block.
        head: BlockNumHash,
    },
    /// The header's commitments are not those of the changes. Nothing was written.
    #[error(
        "block {number} carries the {what} {header}, its changes lead to {computed}: it was not executed on this state"
    )]
    WrongRoot {
        /// Number of the block.
        number: u64,
        /// Which commitment.
        what: &'static str,
        /// The header's value.
        header: B256,
        /// The value computed.
        computed: B256,
    },
    /// No canonical block has this number or hash.
    #[error("block {0} is not known: it is not canonical, or not there yet")]
    UnknownBlock(String),
    /// The state at this block is no longer kept.
    #[error(
        "historical state of block {number} is not available: the oldest that this node keeps is that of block {oldest} (--history-blocks)"
    )]
    Pruned {
        /// The block asked for.
        number: u64,
        /// The oldest block whose state is known.
        oldest: u64,
    },
    /// The view's block left the canonical chain while the view was in use.
    #[error("block {} ({}) was unwound by a reorganisation while its state was being read: ask again", block.number, block.hash)]
    Unwound {
        /// The view's block.
        block: BlockNumHash,
    },
    /// An unwind that would undo a finalized block.
    #[error(
        "refusing to unwind to block {target}: block {finalized} is finalized. If L1 really dropped it, move the data directory away and derive the chain again"
    )]
    Finalized {
        /// Where the unwind was to go.
        target: u64,
        /// The finalized block.
        finalized: u64,
    },
    /// More logs match than the caller takes.
    #[error("more than {limit} logs match: ask for a smaller range of blocks or a narrower filter")]
    TooManyLogs {
        /// The caller's limit.
        limit: usize,
    },
}

impl StorageError {
    /// Sorts an error of RocksDB by what the operator has to do.
    pub(crate) fn from_rocksdb(path: &Path, error: &rocksdb::Error) -> Self {
        let message = error.to_string();
        let path = path.to_path_buf();
        if ["No space left", "Disk quota exceeded", "File too large"].iter().any(|full| message.contains(full)) {
            Self::NoSpace { path }
        } else if message.contains("lock") && message.contains("LOCK") {
            Self::Locked { path }
        } else if error.kind() == rocksdb::ErrorKind::Corruption {
            Self::Corrupted(message)
        } else {
            Self::Backend(message)
        }
    }

    pub(crate) fn corrupted(what: impl Into<String>) -> Self {
        Self::Corrupted(what.into())
    }
}

impl From<StorageError> for StateError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::UnknownBlock(_) | StorageError::Pruned { .. } | StorageError::Unwound { .. } => {
                Self::Missing(error.to_string())
            }
            other => Self::Backend(other.to_string()),
        }
    }
}

impl From<StorageError> for TrieError {
    fn from(error: StorageError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<TrieError> for StorageError {
    fn from(error: TrieError) -> Self {
        match error {
            TrieError::Store(source) => match source.downcast::<Self>() {
                Ok(error) => *error,
                Err(other) => Self::Backend(other.to_string()),
            },
            other => Self::Corrupted(other.to_string()),
        }
    }
}
