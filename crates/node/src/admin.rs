//! What an operator may change: the node behind `admin_`.

use std::{net::SocketAddr, sync::Arc, sync::atomic::Ordering::SeqCst};

use alloy_primitives::B256;
use openledger_rpc::{AdminApi, ChainApi as _, EthProtocol, NodeInfo, Protocols, RpcError};

use crate::{
    Chain,
    api::{NodeApi, node_error},
    config::SetLogFilter,
    control::SequencerControl,
};

/// See the module.
pub(crate) struct NodeAdmin {
    pub(crate) api: Arc<NodeApi>,
    pub(crate) rpc: SocketAddr,
    pub(crate) set_log_filter: SetLogFilter,
}

impl NodeAdmin {
    fn control(&self) -> Result<&SequencerControl, RpcError> {
        let reason = "this node is no sequencer: it makes no blocks and posts no batches";
        self.api.control.as_ref().ok_or_else(|| RpcError::Unsupported(reason.to_owned()))
    }

    fn chain(&self) -> &Chain {
        &self.api.chain
    }

    fn head(&self) -> Result<B256, RpcError> {
        Ok(self.chain().head().map_err(node_error)?.hash)
    }

    fn set_batcher(&self, on: bool) -> Result<(), RpcError> {
        let batcher = &self.control()?.batcher;
        batcher.switch.set(on, |was_on| match (was_on, on) {
            (true, true) => Err(conflict("the batcher runs already")),
            (false, false) => Err(conflict("the batcher is stopped already")),
            _ => Ok(()),
        })?;
        batcher.told.notify_one();
        tracing::warn!(on, "the batcher was turned by an operator");
        Ok(())
    }
}

impl AdminApi for NodeAdmin {
    fn node_info(&self) -> Result<NodeInfo, RpcError> {
        let config = self.chain().config();
        let role = if self.api.control.is_some() { "sequencer" } else { "replica" };
        let eth = EthProtocol { network: config.l2_chain_id, genesis: config.genesis.l2.hash, head: self.head()? };
        let protocols = Protocols { eth };
        Ok(NodeInfo { name: self.api.client_version(), role: role.to_owned(), rpc: self.rpc, protocols })
    }

    fn set_log_level(&self, filter: &str) -> Result<(), RpcError> {
        (self.set_log_filter)(filter).map_err(RpcError::InvalidParams)?;
        tracing::info!(filter, "what is logged was changed by an operator");
        Ok(())
    }

    fn sequencer_active(&self) -> bool {
        self.api.control.as_ref().is_some_and(|control| control.sequencer.is_on())
    }

    fn start_sequencer(&self, expected: B256) -> Result<(), RpcError> {
        self.control()?.sequencer.set(true, |was_on| {
            if was_on {
                return Err(conflict("the sequencer runs already"));
            }
            let head = self.head()?;
            if head != expected {
                return Err(conflict(&format!(
                    "block hash does not match: the newest block is {head}, received {expected}"
                )));
            }
            tracing::warn!(%head, "the sequencer was started by an operator");
            Ok(())
        })
    }

    fn stop_sequencer(&self) -> Result<B256, RpcError> {
        self.control()?.sequencer.set(false, |was_on| {
            if !was_on {
                return Err(conflict("the sequencer is stopped already"));
            }
            let head = self.head()?;
            tracing::warn!(%head, "the sequencer was stopped by an operator: no more blocks are made");
            Ok(head)
        })
    }

    fn start_batcher(&self) -> Result<(), RpcError> {
        self.set_batcher(true)
    }

    fn stop_batcher(&self) -> Result<(), RpcError> {
        self.set_batcher(false)
    }

    fn flush_batcher(&self) -> Result<(), RpcError> {
        let batcher = &self.control()?.batcher;
        if !batcher.switch.is_on() {
            return Err(conflict("the batcher is stopped: start it first"));
        }
        batcher.flush.store(true, SeqCst);
        batcher.told.notify_one();
        Ok(())
    }
}

fn conflict(reason: &str) -> RpcError {
    RpcError::Conflict(reason.to_owned())
}
