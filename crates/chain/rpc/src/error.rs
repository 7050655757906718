//! Errors and their JSON-RPC codes.

use alloy_primitives::{B256, Bytes};
use alloy_sol_types::{GenericContractError, SolInterface};
use jsonrpsee::types::ErrorObjectOwned;
use openledger_stf::StateError;

/// What a method can answer instead of a result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RpcError {
    /// A parameter has a value that cannot be served; the message says which (code -32602).
    #[error("{0}")]
    InvalidParams(String),
    /// The block does not exist on the canonical chain (code -32001, as EIP-1474 and EIP-1898 say).
    #[error("block not found: {0}")]
    BlockNotFound(String),
    /// The block exists, but its state was pruned (code -32000; the words are geth's, by which tools know that they need an archive node).
    #[error(
        "missing trie node: historical state of block {number} is not available; the oldest that this node serves is that of block {oldest} (--history-blocks)"
    )]
    StatePruned {
        /// The block asked for.
        number: u64,
        /// The oldest block whose state is kept.
        oldest: u64,
    },
    /// The transaction was refused; the message is the one that clients of geth match on (code -32000).
    #[error("{0}")]
    Rejected(String),
    /// The call failed without reverting: out of gas, invalid opcode, not enough balance (code -32000).
    #[error("{0}")]
    Execution(String),
    /// The call reverted (code 3); `data` holds the output.
    #[error("{message}")]
    Reverted {
        /// `execution reverted`, with the decoded reason where there is one.
        message: String,
        /// The output of the call.
        data: Bytes,
    },
    /// The transaction was accepted, but was not in a block within the time asked (code 4, data is the hash).
    #[error("transaction {0} was accepted and was not included in the time asked; it still waits in the pool")]
    NotIncludedInTime(B256),
    /// The request asks for more than this node serves at once (code -32005).
    #[error("{0}")]
    LimitExceeded(String),
    /// The node does not serve this (code -32004), and why.
    #[error("{0}")]
    Unsupported(String),
    /// The node itself failed; the operator's log has the details (code -32603).
    #[error("internal error: {0}")]
    Internal(String),
}

impl RpcError {
    /// The JSON-RPC code of this error.
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidParams(_) => -32602,
            Self::BlockNotFound(_) => -32001,
            Self::StatePruned { .. } | Self::Rejected(_) | Self::Execution(_) => -32000,
            Self::Reverted { .. } => 3,
            Self::NotIncludedInTime(_) => 4,
            Self::LimitExceeded(_) => -32005,
            Self::Unsupported(_) => -32004,
            Self::Internal(_) => -32603,
        }
    }

    /// Wraps a failure of the node itself and logs it, since the client cannot do anything about it.
    pub fn internal(error: impl core::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed inside the node");
        Self::Internal(error.to_string())
    }

    /// The error of a call that reverted with `output`, with the reason decoded when it is `Error(string)` or `Panic(uint256)`.
    pub fn reverted(output: Bytes) -> Self {
        let message = match GenericContractError::abi_decode(&output) {
            Ok(GenericContractError::Revert(revert)) => format!("execution reverted: {}", revert.reason),
            Ok(GenericContractError::Panic(panic)) => format!("execution reverted: {panic}"),
            Err(_) => "execution reverted".to_owned(),
        };
        Self::Reverted { message, data: output }
    }
}

impl From<StateError> for RpcError {
    fn from(error: StateError) -> Self {
        match error {
            // It was pruned, or unwound, while it was read.
            StateError::Missing(what) => Self::Execution(what),
            error @ StateError::Backend(_) => Self::internal(error),
        }
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        match &error {
            RpcError::Reverted { data, .. } => Self::owned(error.code(), error.to_string(), Some(data)),
            RpcError::NotIncludedInTime(hash) => Self::owned(error.code(), error.to_string(), Some(hash)),
            _ => Self::owned(error.code(), error.to_string(), None::<()>),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_sol_types::{Revert, SolError};

    #[test]
    fn revert_carries_code_reason_and_data() {
        let output: Bytes = Revert::from("not the owner").abi_encode().into();
        let object: ErrorObjectOwned = RpcError::reverted(output.clone()).into();
        assert_eq!(object.code(), 3);
        assert_eq!(object.message(), "execution reverted: not the owner");
        assert_eq!(object.data().unwrap().get(), format!("\"{output}\""));
    }

    #[test]
    fn revert_without_a_known_reason_keeps_its_data() {
        let object: ErrorObjectOwned = RpcError::reverted(Bytes::from_static(&[1, 2, 3, 4])).into();
        assert_eq!(object.message(), "execution reverted");
        assert_eq!(object.data().unwrap().get(), "\"0x01020304\"");
    }
}
