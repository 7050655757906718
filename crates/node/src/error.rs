//! What stops a node, or one of its tasks.

use std::{net::SocketAddr, path::PathBuf};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use openledger_batch::DecodeError;
use openledger_derivation::{DerivationError, Severity};
use openledger_primitives::ConfigError;
use openledger_storage::StorageError;

use openledger_l1::{L1Error, TxError};

/// Why the node, or a task of it, cannot go on. [`NodeError::severity`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data directory cannot be used.
    #[error("the data directory cannot be used: {}: {source}; check its rights and the disk, or name another one with --datadir", path.display())]
    Datadir {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The rollup configuration contradicts itself.
    #[error("the rollup configuration cannot be used: {0}")]
    Config(#[from] ConfigError),
    /// The genesis file cannot be turned into a block.
    #[error("the genesis file cannot be used: {0}; take it from `openledger deploy`")]
    Genesis(#[from] openledger_stf::genesis::GenesisError),
    /// The balances of the allocation are more than there can be.
    #[error("the balances in the genesis file sum to more than 2^256 - 1 wei: lower them")]
    Supply,
    /// A command needs a database that is not there.
    #[error("there is no database in {}: give the --datadir of a node, or make one with `openledger init`", path.display())]
    NoDatabase {
        /// The data directory.
        path: PathBuf,
    },
    /// The two files are of different chains.
    #[error(
        "the genesis file makes the block {genesis}, but the rollup configuration starts at {rollup}: take both files from the same `openledger deploy`"
    )]
    GenesisMismatch {
        /// Hash of the block that the genesis file makes.
        genesis: B256,
        /// Hash that the rollup configuration names.
        rollup: B256,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A state could not be read.
    #[error("the state could not be read: {0}")]
    State(String),
    /// The pool could not follow the chain.
    #[error("the transaction pool could not follow the chain: {0}")]
    Pool(String),
    /// A block of ours cannot be read.
    #[error("a block of this chain cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// A block left the canonical chain while it was being read. (temporary)
    #[error("block {0:?} left the canonical chain")]
    Unwound(BlockNumHash),
    /// L1 did not answer, or is not the right one.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// A transaction did not come to stand on L1. (temporary)
    #[error(transparent)]
    Transaction(#[from] TxError),
    /// The L1 does not have the block that the chain starts at.
    #[error("L1 block {} is not {} there, which this chain starts at: --l1-rpc is another chain, or the L1 was started anew and the contracts are gone (deploy again)", genesis.number, genesis.hash)]
    L1Genesis {
        /// The block that the rollup configuration names.
        genesis: BlockNumHash,
    },
    /// The batcher key is not the one that derivation listens to.
    #[error(
        "the batcher key belongs to {found}, but the chain accepts batches of {expected} only: give the key of {expected}"
    )]
    BatcherKey {
        /// Address of the key.
        found: Address,
        /// Batcher of the system configuration.
        expected: Address,
    },
    /// Another node that this one follows, or forwards to, does not answer as it should. (temporary)
    #[error("the node at {node} is no help: {reason}; see that it runs and that its URL is right")]
    Upstream {
        /// Scheme, host and port.
        node: String,
        /// What happened.
        reason: String,
    },
    /// The source of unsafe blocks offers one that cannot be taken. (temporary: it may offer another)
    #[error("block {number} of the source of unsafe blocks is not taken: {reason}")]
    UnsafeBlock {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// Derivation cannot go on.
    #[error("derivation: {0}")]
    Derivation(#[from] DerivationError),
    /// The RPC port cannot be bound.
    #[error(
        "JSON-RPC cannot be served on {address}: {source}; is another process on that port? Choose another with --http-port"
    )]
    Rpc {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// The operator's port cannot be bound.
    #[error(
        "admin_ cannot be served on {address}: {source}; is another process on that port? Choose another with --admin-port"
    )]
    Admin {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// A blocking task panicked or was cancelled.
    #[error("a task of the node ended unexpectedly: {0}")]
    Task(String),
}

impl NodeError {
    /// Whether to try again, to derive again from an earlier point, or to stop.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Transaction(_)
            | Self::Unwound(_)
            | Self::Upstream { .. }
            | Self::UnsafeBlock { .. }
            | Self::Storage(StorageError::Unwound { .. } | StorageError::UnknownBlock(_)) => Severity::Temporary,
            Self::L1(error) => error.severity(),
            Self::Derivation(error) => error.severity(),
            _ => Severity::Critical,
        }
    }
}
