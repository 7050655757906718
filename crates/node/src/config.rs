//! What a node is told at its start.

use std::{net::SocketAddr, path::PathBuf};

use alloy_genesis::Genesis;
use alloy_rpc_types_engine::JwtSecret;
use alloy_signer_local::PrivateKeySigner;
use openledger_primitives::RollupConfig;
use openledger_rpc::Limits;
use openledger_storage::Retention;

/// Everything that decides what a node is.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where the database and the journal live; created when missing.
    pub datadir: PathBuf,
    /// The L2 genesis.
    pub genesis: Genesis,
    /// The rollup configuration.
    pub rollup: RollupConfig,
    /// URL of the L1's JSON-RPC.
    pub l1_rpc: String,
    /// Where to serve JSON-RPC; port 0 takes a free one.
    pub rpc_address: SocketAddr,
    /// What the clients of its JSON-RPC may cost.
    pub limits: Limits,
    /// Where the operator is served; nowhere without.
    pub admin: Option<AdminConfig>,
    /// How much of the past it keeps; all of it without.
    pub history: Option<Retention>,
    /// What the node does besides following L1.
    pub role: Role,
}

/// Changes what the process logs, by a filter as `--log` takes it; or says what is wrong with the filter.
pub type SetLogFilter = fn(&str) -> Result<(), String>;

/// The operator's port.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Where to serve `admin_`; port 0 takes a free one.
    pub address: SocketAddr,
    /// What its users sign their tokens with.
    pub secret: JwtSecret,
    /// Behind `admin_setLogLevel`.
    pub set_log_filter: SetLogFilter,
}

/// What a node does besides following L1 and serving its RPC.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub enum Role {
    /// Produces blocks, posts batches, proposes outputs.
    Sequencer(SequencerConfig),
    /// Follows the chain and checks the sequencer's claims.
    Replica(ReplicaConfig),
}

/// Where a replica gets what L1 does not hold. Without any of it, it is a verifier that knows L1 only.
#[derive(Debug, Clone, Default)]
pub struct ReplicaConfig {
    /// JSON-RPC of a node whose unsafe blocks are taken, once they are executed.
    pub unsafe_rpc: Option<String>,
    /// JSON-RPC of the sequencer, which transactions are forwarded to.
    pub sequencer_http: Option<String>,
}

/// What a sequencer needs besides.
#[derive(Debug, Clone)]
pub struct SequencerConfig {
    /// Pays for batches on L1; must be the batcher of the system configuration.
    pub batcher_key: PrivateKeySigner,
    /// Proposes output roots; none are proposed without it.
    pub proposer_key: Option<PrivateKeySigner>,
    /// L1 blocks after which an open channel is posted although it is not full.
    pub max_channel_duration: u64,
    /// Batch transactions that may be on their way to L1 at the same time.
    pub max_pending_tx: usize,
    /// L1 blocks that must stand on an L1 origin before an L2 block builds on it.
    pub l1_confirmations: u64,
    /// Make no blocks until `admin_startSequencer`.
    pub stopped: bool,
    /// Test hook: credit one wei out of nowhere in this block.
    pub corrupt_state_at: Option<u64>,
}
