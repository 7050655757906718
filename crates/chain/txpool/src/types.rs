use std::sync::Arc;

use alloy_primitives::B256;

use crate::PoolTransaction;

/// Where a transaction came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From this node's own users: journaled, and evicted last.
    Local,
    /// From another node, or from a block that was unwound.
    External,
}

/// Where a transaction is in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It can be included in the next block.
    Pending,
    /// It waits for an earlier nonce.
    Queued,
}

/// A transaction was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its hash.
    pub hash: B256,
    /// Where it is.
    pub place: Place,
    /// The transaction of the same nonce that it took the place of.
    pub replaced: Option<B256>,
    /// Transactions that had to go to make room.
    pub evicted: Vec<B256>,
}

/// Numbers of transactions and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Transactions that can be included in the next block.
    pub pending: usize,
    /// Transactions that wait for an earlier nonce or for funds.
    pub queued: usize,
    /// Bytes of all of them.
    pub bytes: usize,
}

/// One sender's transactions, by nonce.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderContent {
    /// Those that can be included in the next block.
    pub pending: Vec<Arc<PoolTransaction>>,
    /// The others.
    pub queued: Vec<Arc<PoolTransaction>>,
}
