//! `eth_` methods that read blocks.

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, U64};
use alloy_rpc_types_eth::Index;
use jsonrpsee::proc_macros::rpc;
use op_alloy_rpc_types::OpTransactionReceipt;

use crate::{
    RpcError,
    context::Context,
    convert::{self, RpcBlock},
};

/// Blocks and their receipts.
#[rpc(server, namespace = "eth")]
pub trait EthBlocks {
    /// Number of the newest block.
    #[method(name = "blockNumber")]
    fn latest_number(&self) -> Result<U64, RpcError>;
    /// A block by number or tag; `null` when there is none.
    #[method(name = "getBlockByNumber", blocking)]
    fn by_number(&self, block: BlockNumberOrTag, full: Option<bool>) -> Result<Option<RpcBlock>, RpcError>;
    /// A block by hash; `null` when it is not canonical.
    #[method(name = "getBlockByHash", blocking)]
    fn by_hash(&self, hash: B256, full: Option<bool>) -> Result<Option<RpcBlock>, RpcError>;
    /// Number of transactions in a block.
    #[method(name = "getBlockTransactionCountByNumber", blocking)]
    fn count_by_number(&self, block: BlockNumberOrTag) -> Result<Option<U64>, RpcError>;
    /// Number of transactions in a block.
    #[method(name = "getBlockTransactionCountByHash", blocking)]
    fn count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError>;
    /// All receipts of a block.
    #[method(name = "getBlockReceipts", blocking)]
    fn block_receipts(&self, block: BlockId) -> Result<Option<Vec<OpTransactionReceipt>>, RpcError>;
    /// Number of uncles: always 0.
    #[method(name = "getUncleCountByBlockNumber", blocking)]
    fn uncles_by_number(&self, block: BlockNumberOrTag) -> Result<Option<U64>, RpcError>;
    /// Number of uncles: always 0.
    #[method(name = "getUncleCountByBlockHash", blocking)]
    fn uncles_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError>;
    /// An uncle: always `null`.
    #[method(name = "getUncleByBlockNumberAndIndex")]
    fn uncle_by_number(&self, block: BlockNumberOrTag, index: Index) -> Result<Option<RpcBlock>, RpcError>;
    /// An uncle: always `null`.
    #[method(name = "getUncleByBlockHashAndIndex")]
    fn uncle_by_hash(&self, hash: B256, index: Index) -> Result<Option<RpcBlock>, RpcError>;
}

impl EthBlocksServer for Context {
    fn latest_number(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.chain.heads().latest.number))
    }

    fn by_number(&self, block: BlockNumberOrTag, full: Option<bool>) -> Result<Option<RpcBlock>, RpcError> {
        Ok(self.block(block.into())?.map(|info| convert::block(&info, full.unwrap_or_default())))
    }

    fn by_hash(&self, hash: B256, full: Option<bool>) -> Result<Option<RpcBlock>, RpcError> {
        Ok(self.block(hash.into())?.map(|info| convert::block(&info, full.unwrap_or_default())))
    }

    fn count_by_number(&self, block: BlockNumberOrTag) -> Result<Option<U64>, RpcError> {
        Ok(self.block(block.into())?.map(|info| U64::from(info.block.body.transactions.len())))
    }

    fn count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError> {
        Ok(self.block(hash.into())?.map(|info| U64::from(info.block.body.transactions.len())))
    }

    fn block_receipts(&self, block: BlockId) -> Result<Option<Vec<OpTransactionReceipt>>, RpcError> {
        Ok(self.block(block)?.map(|info| convert::receipts(&info)))
    }

    fn uncles_by_number(&self, block: BlockNumberOrTag) -> Result<Option<U64>, RpcError> {
        Ok(self.block(block.into())?.map(|_| U64::ZERO))
    }

    fn uncles_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError> {
        Ok(self.block(hash.into())?.map(|_| U64::ZERO))
    }

    fn uncle_by_number(&self, _block: BlockNumberOrTag, _index: Index) -> Result<Option<RpcBlock>, RpcError> {
        Ok(None)
    }

    fn uncle_by_hash(&self, _hash: B256, _index: Index) -> Result<Option<RpcBlock>, RpcError> {
        Ok(None)
    }
}
