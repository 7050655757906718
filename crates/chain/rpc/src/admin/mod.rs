//! `admin_`: what an operator may change while the node runs. On a port of its own, for those who know a secret.

mod auth;
mod methods;

use std::net::SocketAddr;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

pub(crate) use auth::AuthLayer;
pub(crate) use methods::AdminServer;

use crate::RpcError;

/// What an operator may change. The methods may block, and are called on threads where that is allowed.
pub trait AdminApi: Send + Sync + 'static {
    /// What this node is.
    fn node_info(&self) -> Result<NodeInfo, RpcError>;
    /// Changes what is logged, by a filter as `--log` takes it.
    fn set_log_level(&self, filter: &str) -> Result<(), RpcError>;
    /// Whether blocks are made here.
    fn sequencer_active(&self) -> bool;
    /// Makes blocks again, on top of this block, which must be the newest.
    fn start_sequencer(&self, head: B256) -> Result<(), RpcError>;
    /// Makes no more blocks; returns the hash of the last one, once it is on disk.
    fn stop_sequencer(&self) -> Result<B256, RpcError>;
    /// Posts batches again.
    fn start_batcher(&self) -> Result<(), RpcError>;
    /// Posts no more batches. Those on their way go on.
    fn stop_batcher(&self) -> Result<(), RpcError>;
    /// Posts what there is, and does not wait for more.
    fn flush_batcher(&self) -> Result<(), RpcError>;
}

/// Answer of `admin_nodeInfo`: the fields of geth's that mean something without peers, and what else tells nodes apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Name and version, as `web3_clientVersion`.
    pub name: String,
    /// `sequencer` or `replica`.
    pub role: String,
    /// Where the public JSON-RPC is served.
    pub rpc: SocketAddr,
    /// By name of the protocol: `eth`.
    pub protocols: Protocols,
}

/// See [`NodeInfo`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Protocols {
    /// The chain.
    pub eth: EthProtocol,
}

/// Which chain a node is of, and how far it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EthProtocol {
    /// Chain id.
    pub network: u64,
    /// Hash of the first block.
    pub genesis: B256,
    /// Hash of the newest block: what `admin_startSequencer` wants to hear.
    pub head: B256,
}
