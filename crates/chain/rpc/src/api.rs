//! What the RPC layer asks of the node behind it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256};
use openledger_primitives::{Block, Header, L1BlockRef, L2BlockRef, Receipt, RollupConfig, Transaction};
use openledger_stf::{StateChanges, StateReader, StateRoots};
use openledger_witness::Witness;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::RpcError;

/// A state to execute on. It is a snapshot: later blocks do not change it.
pub type BoxedState = Box<dyn StateReader + Send + Sync>;

/// A canonical block with what execution made of it.
#[derive(Debug, Clone)]
pub struct BlockInfo {
    /// Hash of the block.
    pub hash: B256,
    /// The block.
    pub block: Block,
    /// Sender of each transaction, in order.
    pub senders: Vec<Address>,
    /// Receipt of each transaction, in order; gas is cumulative.
    pub receipts: Vec<Receipt>,
}

/// The heads of the chain: `finalized ≤ safe ≤ latest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Newest block this node knows (the unsafe head).
    pub latest: BlockNumHash,
    /// Newest block derived from L1.
    pub safe: BlockNumHash,
    /// Newest block derived from finalized L1 blocks.
    pub finalized: BlockNumHash,
}

/// A change of the canonical chain. Each event is sent after the change is durable.
#[derive(Debug, Clone)]
pub enum ChainEvent {
    /// A block joined the canonical chain.
    Added(Arc<BlockInfo>),
    /// A block left it (newest first, before the blocks that replace it).
    Removed(Arc<BlockInfo>),
}

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionLocation {
    /// Number of the canonical block that holds it.
    pub block_number: u64,
    /// Its index in that block.
    pub index: u64,
}

/// A sequencer's block that differs from the one which L1 and the rules give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// How it was seen: `parentMismatch` (a batch names another parent) or `outputMismatch` (a posted output root differs).
    pub kind: FaultKind,
    /// The first differing L2 block that is known. For an output mismatch an earlier block, after the last output that agreed, may
    /// differ as well.
    pub block_number: u64,
    /// What this node derived: the block hash, or the output root for `outputMismatch`.
    pub derived: B256,
    /// What the sequencer claims: the batch's parent hash, or the posted output root.
    pub claimed: B256,
    /// The L1 block that carries the claim.
    pub l1_block: BlockNumHash,
}

/// How a [`Fault`] was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FaultKind {
    /// A batch that would be next in time names a parent that is not the derived block.
    ParentMismatch,
    /// An output root on L1 differs from the derived one.
    OutputMismatch,
}

/// Where L1 carries an L2 block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchLocation {
    /// The L2 block.
    pub l2_block_number: u64,
    /// L1 block in which the batch became complete.
    pub l1_block: BlockNumHash,
    /// L1 transactions that carry the frames of its channel, in order.
    pub l1_transactions: Vec<B256>,
}

/// Answer of `optimism_syncStatus`, field names of op-node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SyncStatus {
    /// L1 block up to which derivation has read.
    pub current_l1: L1BlockRef,
    /// Newest L1 block seen.
    pub head_l1: L1BlockRef,
    /// Safe L1 block.
    pub safe_l1: L1BlockRef,
    /// Finalized L1 block.
    pub finalized_l1: L1BlockRef,
    /// Newest L2 block.
    pub unsafe_l2: L2BlockRef,
    /// Newest L2 block derived from L1.
    pub safe_l2: L2BlockRef,
    /// Newest L2 block derived from finalized L1 blocks.
    pub finalized_l2: L2BlockRef,
}

/// Number of transactions that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolCounts {
    /// Executable now.
    pub pending: usize,
    /// Waiting for an earlier nonce.
    pub queued: usize,
}

/// The transactions of one sender that wait, by nonce.
#[derive(Debug, Clone, Default)]
pub struct SenderTransactions {
    /// Executable now.
    pub pending: Vec<Transaction>,
    /// Waiting for an earlier nonce.
    pub queued: Vec<Transaction>,
}

/// An account with the proof of its value and of some of its slots (EIP-1186).
#[derive(Debug, Clone)]
pub struct Proof {
    /// Balance in wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// keccak256 of the code.
    pub code_hash: B256,
    /// Root of the account's storage trie.
    pub storage_root: B256,
    /// RLP nodes from the state root to the account.
    pub account_proof: Vec<Bytes>,
    /// For each slot asked, in order: slot, value, RLP nodes from the storage root.
    pub storage_proofs: Vec<(B256, U256, Vec<Bytes>)>,
}

/// The state of the node, for `/health`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// `ok`, or what is wrong.
    pub status: String,
    /// Number of the newest block.
    pub latest: u64,
    /// Number of the safe block.
    pub safe: u64,
    /// Number of the finalized block.
    pub finalized: u64,
    /// Whether L1 answered the last request.
    pub l1_reachable: bool,
    /// Number of faults found.
    pub faults: usize,
}

/// Whether the node should be asked, for `/ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether it should.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The node behind the RPC layer. All methods are synchronous reads of a local database (or an insert into the pool) and are
/// called on threads where blocking is allowed.
pub trait ChainApi: Send + Sync + 'static {
    /// The rollup configuration, chain ids included.
    fn rollup_config(&self) -> &RollupConfig;
    /// Name and version for `web3_clientVersion`.
    fn client_version(&self) -> String;
    /// The heads.
    fn heads(&self) -> Heads;

    /// Header and hash of a canonical block.
    fn header(&self, number: u64) -> Result<Option<(Header, B256)>, RpcError>;
    /// Number of a canonical block.
    fn block_number(&self, hash: B256) -> Result<Option<u64>, RpcError>;
    /// A canonical block.
    fn block(&self, number: u64) -> Result<Option<Arc<BlockInfo>>, RpcError>;
    /// Where a canonical transaction is.
    fn transaction_location(&self, hash: B256) -> Result<Option<TransactionLocation>, RpcError>;
    /// The state after a canonical block.
    fn state_at(&self, number: u64) -> Result<BoxedState, RpcError>;
    /// The state after a canonical block, to read one account in: that of the `L2ToL1MessagePasser` is kept for longer.
    fn state_of(&self, number: u64, address: &Address) -> Result<BoxedState, RpcError>;
    /// A proof against the state root of a canonical block.
    fn proof(&self, number: u64, address: Address, slots: &[B256]) -> Result<Proof, RpcError>;
    /// The oldest block whose state is kept.
    fn oldest_state(&self) -> u64;
    /// The roots of the state after a canonical block and `changes` on top of it.
    fn roots(&self, number: u64, changes: &StateChanges) -> Result<StateRoots, RpcError>;
    /// What a canonical block reads of the state before it, with at most `max_bytes` of state and code.
    fn execution_witness(&self, number: u64, max_bytes: usize) -> Result<Witness, RpcError>;
    /// The base fee of the block after `parent`, in wei per gas.
    fn next_base_fee(&self, parent: &Header) -> u64;

    /// Takes a signed transaction (EIP-2718 bytes) into the pool; returns its hash when it is safe on disk.
    fn submit(&self, raw: Bytes) -> Result<B256, RpcError> {
        self.submit_all(vec![raw]).pop().unwrap_or_else(|| Err(RpcError::internal("the node gave no answer")))
    }
    /// Takes several, in order; an answer for each.
    fn submit_all(&self, raw: Vec<Bytes>) -> Vec<Result<B256, RpcError>>;
    /// A transaction that waits in the pool, with its sender.
    fn pooled(&self, hash: B256) -> Option<(Transaction, Address)>;
    /// The nonce after all transactions of this sender that wait without a gap.
    fn pooled_nonce(&self, sender: Address) -> Option<u64>;
    /// How many transactions wait.
    fn pool_counts(&self) -> PoolCounts;
    /// Transactions of all senders that wait.
    fn pool_content(&self) -> BTreeMap<Address, SenderTransactions>;
    /// Transactions of one sender that wait.
    fn pool_content_of(&self, sender: Address) -> SenderTransactions;

    /// Changes of the canonical chain from now on.
    fn subscribe(&self) -> broadcast::Receiver<ChainEvent>;
    /// Hashes of transactions that enter the pool from now on.
    fn subscribe_pending(&self) -> broadcast::Receiver<B256>;

    /// Where the node stands against L1.
    fn sync_status(&self) -> Result<SyncStatus, RpcError>;
    /// Reference of a canonical block, with its L1 origin.
    fn l2_block_ref(&self, number: u64) -> Result<Option<L2BlockRef>, RpcError>;
    /// Differences found between the sequencer's claims and the derived chain, oldest first.
    fn faults(&self) -> Result<Vec<Fault>, RpcError>;
    /// Where L1 carries a block; `None` until derivation has read it.
    fn batch_of(&self, number: u64) -> Result<Option<BatchLocation>, RpcError>;
    /// How the node is.
    fn health(&self) -> Health;
    /// Whether its answers are those of the present.
    fn readiness(&self) -> Readiness;
    /// Metrics in the Prometheus text format.
    fn metrics(&self) -> String;
    /// Counts time that the server itself took to read a request and write its answer.
    fn spent_on_rpc(&self, spent: Duration);
}
