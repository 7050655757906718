//! `eth_`, `net_` and `web3_` methods about the node itself.

use alloy_eips::eip7910::EthConfig;
use alloy_primitives::{Address, B256, Bytes, U64, keccak256};
use alloy_rpc_types_eth::SyncStatus;
use jsonrpsee::proc_macros::rpc;
use openledger_primitives::addresses;
use serde::Serialize;

use super::config;
use crate::{RpcError, context::Context};

/// Which blocks the node can be asked about: all of them, but for their states.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Capabilities {
    /// The newest block.
    head: Head,
    /// Accounts, storage and calls.
    state: Available,
    /// Transactions by hash.
    tx: Available,
    /// Logs.
    logs: Available,
    /// Receipts.
    receipts: Available,
    /// Blocks.
    blocks: Available,
    /// Merkle proofs.
    stateproofs: Available,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Head {
    number: U64,
    hash: B256,
}

/// From which block on something is there.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct Available {
    disabled: bool,
    oldest_block: U64,
}

impl Available {
    fn since(block: u64) -> Self {
        Self { disabled: false, oldest_block: U64::from(block) }
    }
}

/// Which chain this is.
#[rpc(server, namespace = "eth")]
pub trait EthNode {
    /// EIP-155 chain id.
    #[method(name = "chainId")]
    fn chain_id(&self) -> Result<U64, RpcError>;
    /// Always `false`: every block this node knows is executed.
    #[method(name = "syncing")]
    fn syncing(&self) -> Result<SyncStatus, RpcError>;
    /// Which blocks can be asked about.
    #[method(name = "capabilities")]
    fn capabilities(&self) -> Result<Capabilities, RpcError>;
    /// The forks that hold and that are to come (EIP-7910).
    #[method(name = "config", blocking)]
    fn config(&self) -> Result<EthConfig, RpcError>;
    /// Who gets the priority fees of every block: the `SequencerFeeVault`.
    #[method(name = "coinbase")]
    fn coinbase(&self) -> Result<Address, RpcError>;
    /// Always `false`: blocks are not mined.
    #[method(name = "mining")]
    fn mining(&self) -> Result<bool, RpcError>;
    /// Always zero: blocks are not mined.
    #[method(name = "hashrate")]
    fn hashrate(&self) -> Result<U64, RpcError>;
}

impl EthNodeServer for Context {
    fn chain_id(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.chain.rollup_config().l2_chain_id))
    }

    fn syncing(&self) -> Result<SyncStatus, RpcError> {
        Ok(SyncStatus::None)
    }

    fn capabilities(&self) -> Result<Capabilities, RpcError> {
        let latest = self.chain.heads().latest;
        let (always, kept) = (Available::since(0), Available::since(self.chain.oldest_state()));
        let head = Head { number: U64::from(latest.number), hash: latest.hash };
        let (tx, logs, receipts, blocks) = (always, always, always, always);
        Ok(Capabilities { head, state: kept, tx, logs, receipts, blocks, stateproofs: kept })
    }

    fn config(&self) -> Result<EthConfig, RpcError> {
        let (_, genesis) = self.chain.header(0)?.ok_or_else(|| RpcError::BlockNotFound("0".to_owned()))?;
        Ok(config::config(self.chain.rollup_config().l2_chain_id, genesis))
    }

    fn coinbase(&self) -> Result<Address, RpcError> {
        Ok(addresses::SEQUENCER_FEE_VAULT)
    }

    fn mining(&self) -> Result<bool, RpcError> {
        Ok(false)
    }

    fn hashrate(&self) -> Result<U64, RpcError> {
        Ok(U64::ZERO)
    }
}

/// The network.
#[rpc(server, namespace = "net")]
pub trait Net {
    /// The chain id in decimal.
    #[method(name = "version")]
    fn version(&self) -> Result<String, RpcError>;
    /// `true`: the RPC port is open.
    #[method(name = "listening")]
    fn listening(&self) -> Result<bool, RpcError>;
    /// Zero: nodes meet on L1, not with each other.
    #[method(name = "peerCount")]
    fn peer_count(&self) -> Result<U64, RpcError>;
}

impl NetServer for Context {
    fn version(&self) -> Result<String, RpcError> {
        Ok(self.chain.rollup_config().l2_chain_id.to_string())
    }

    fn listening(&self) -> Result<bool, RpcError> {
        Ok(true)
    }

    fn peer_count(&self) -> Result<U64, RpcError> {
        Ok(U64::ZERO)
    }
}

/// The client.
#[rpc(server, namespace = "web3")]
pub trait Web3 {
    /// Name, version and platform.
    #[method(name = "clientVersion")]
    fn client_version(&self) -> Result<String, RpcError>;
    /// keccak256 of the bytes.
    #[method(name = "sha3")]
    fn sha3(&self, bytes: Bytes) -> Result<B256, RpcError>;
}

impl Web3Server for Context {
    fn client_version(&self) -> Result<String, RpcError> {
        Ok(self.chain.client_version())
    }

    fn sha3(&self, bytes: Bytes) -> Result<B256, RpcError> {
        Ok(keccak256(bytes))
    }
}
