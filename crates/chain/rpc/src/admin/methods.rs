//! The methods, with the names of op-node, op-batcher and geth.

use std::sync::Arc;

use alloy_primitives::B256;
use jsonrpsee::proc_macros::rpc;

use super::{AdminApi, NodeInfo};
use crate::RpcError;

/// What operators ask for.
#[rpc(server, namespace = "admin")]
pub trait Admin {
    /// What this node is.
    #[method(name = "nodeInfo", blocking)]
    fn node_info(&self) -> Result<NodeInfo, RpcError>;
    /// Always empty: nodes know each other by URL only.
    #[method(name = "peers")]
    fn peers(&self) -> Result<Vec<NodeInfo>, RpcError>;
    /// Changes what is logged until the next start.
    #[method(name = "setLogLevel", blocking)]
    fn set_log_level(&self, level: String) -> Result<(), RpcError>;
    /// Whether blocks are made here.
    #[method(name = "sequencerActive", blocking)]
    fn sequencer_active(&self) -> Result<bool, RpcError>;
    /// Makes blocks again on top of the newest block, which must have this hash.
    #[method(name = "startSequencer", blocking)]
    fn start_sequencer(&self, head: B256) -> Result<(), RpcError>;
    /// Makes no more blocks; the hash of the last one.
    #[method(name = "stopSequencer", blocking)]
    fn stop_sequencer(&self) -> Result<B256, RpcError>;
    /// Posts batches again.
    #[method(name = "startBatcher", blocking)]
    fn start_batcher(&self) -> Result<(), RpcError>;
    /// Posts no more batches.
    #[method(name = "stopBatcher", blocking)]
    fn stop_batcher(&self) -> Result<(), RpcError>;
    /// Posts what there is, and does not wait for more.
    #[method(name = "flushBatcher", blocking)]
    fn flush_batcher(&self) -> Result<(), RpcError>;
}

impl AdminServer for Arc<dyn AdminApi> {
    fn node_info(&self) -> Result<NodeInfo, RpcError> {
        (**self).node_info()
    }

    fn peers(&self) -> Result<Vec<NodeInfo>, RpcError> {
        Ok(Vec::new())
    }

    fn set_log_level(&self, level: String) -> Result<(), RpcError> {
        (**self).set_log_level(&level)
    }

    fn sequencer_active(&self) -> Result<bool, RpcError> {
        Ok((**self).sequencer_active())
    }

    fn start_sequencer(&self, head: B256) -> Result<(), RpcError> {
        (**self).start_sequencer(head)
    }

    fn stop_sequencer(&self) -> Result<B256, RpcError> {
        (**self).stop_sequencer()
    }

    fn start_batcher(&self) -> Result<(), RpcError> {
        (**self).start_batcher()
    }

    fn stop_batcher(&self) -> Result<(), RpcError> {
        (**self).stop_batcher()
    }

    fn flush_batcher(&self) -> Result<(), RpcError> {
        (**self).flush_batcher()
    }
}
