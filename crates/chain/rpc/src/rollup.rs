//! `optimism_` (the names of op-node) and `openledger_`.

use alloy_eips::BlockNumberOrTag;
use alloy_primitives::B256;
use jsonrpsee::proc_macros::rpc;
use openledger_primitives::{L2BlockRef, RollupConfig, output_root};
use serde::{Deserialize, Serialize};

use crate::{BatchLocation, Fault, RpcError, SyncStatus, context::Context};

/// Answer of `optimism_outputAtBlock`, field names of op-node.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputAtBlock {
    /// Version of the output root: zero.
    pub version: B256,
    /// keccak256(version ‖ state root ‖ message passer storage root ‖ block hash).
    pub output_root: B256,
    /// The block.
    pub block_ref: L2BlockRef,
    /// Storage root of the message passer, which withdrawals are proven against.
    pub withdrawal_storage_root: B256,
    /// State root of the block.
    pub state_root: B256,
    /// Where the node stands.
    pub sync_status: SyncStatus,
}

/// What op-node answers.
#[rpc(server, namespace = "optimism")]
pub trait Optimism {
    /// Heads on both layers.
    #[method(name = "syncStatus", blocking)]
    fn sync_status(&self) -> Result<SyncStatus, RpcError>;
    /// The output root of a block.
    #[method(name = "outputAtBlock", blocking)]
    fn output_at_block(&self, number: BlockNumberOrTag) -> Result<OutputAtBlock, RpcError>;
    /// The content of `rollup.json`.
    #[method(name = "rollupConfig")]
    fn rollup_config(&self) -> Result<RollupConfig, RpcError>;
    /// Version of the node.
    #[method(name = "version")]
    fn version(&self) -> Result<String, RpcError>;
}

impl OptimismServer for Context {
    fn sync_status(&self) -> Result<SyncStatus, RpcError> {
        self.chain.sync_status()
    }

    fn output_at_block(&self, number: BlockNumberOrTag) -> Result<OutputAtBlock, RpcError> {
        let number = self.existing(Some(number.into()))?;
        let missing = || RpcError::BlockNotFound(number.to_string());
        let (header, hash) = self.chain.header(number)?.ok_or_else(missing)?;
        let block_ref = self.chain.l2_block_ref(number)?.ok_or_else(missing)?;
        // Since Isthmus the withdrawals root of the header is the storage root of the message passer.
        let withdrawal_storage_root = header.withdrawals_root.unwrap_or_default();
        Ok(OutputAtBlock {
            version: B256::ZERO,
            output_root: output_root(header.state_root, withdrawal_storage_root, hash),
            block_ref,
            withdrawal_storage_root,
            state_root: header.state_root,
            sync_status: self.chain.sync_status()?,
        })
    }

    fn rollup_config(&self) -> Result<RollupConfig, RpcError> {
        Ok(self.chain.rollup_config().clone())
    }

    fn version(&self) -> Result<String, RpcError> {
        Ok(self.chain.client_version())
    }
}

/// What only this chain answers.
#[rpc(server, namespace = "openledger")]
pub trait OpenLedger {
    /// Differences between the sequencer's claims on L1 and the derived chain, oldest first. Empty is good.
    #[method(name = "faults", blocking)]
    fn faults(&self) -> Result<Vec<Fault>, RpcError>;
    /// The L1 transactions that carry a block; `null` until derivation has read them.
    #[method(name = "batchOf", blocking)]
    fn batch_of(&self, number: BlockNumberOrTag) -> Result<Option<BatchLocation>, RpcError>;
}

impl OpenLedgerServer for Context {
    fn faults(&self) -> Result<Vec<Fault>, RpcError> {
        self.chain.faults()
    }

    fn batch_of(&self, number: BlockNumberOrTag) -> Result<Option<BatchLocation>, RpcError> {
        self.chain.batch_of(self.existing(Some(number.into()))?)
    }
}
