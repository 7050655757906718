//! Errors and their JSON-RPC codes.

use alloy_primitives::{B256, Bytes, U64};
use alloy_sol_types::{GenericContractError, Panic, PanicKind, SolInterface};
use jsonrpsee::types::ErrorObjectOwned;
use openledger_stf::StateError;
use revm::database::bal::EvmDatabaseError;

/// What a method can answer instead of a result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RpcError {
    /// A parameter has a value that cannot be served; the message says which (code -32602).
    #[error("{0}")]
    InvalidParams(String),
    /// The block does not exist on the canonical chain (code -32001, as EIP-1474 and EIP-1898 say).
    #[error("header not found: block {0}")]
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
    /// A simulation that breaks a rule of `eth_simulateV1` (codes -38010 to -38026).
    #[error("{message}")]
    Simulation {
        /// Which rule.
        rule: SimulationRule,
        /// What broke it.
        message: String,
    },
    /// The node is not in a state in which this can be done; the message says what to do first (code -32000).
    #[error("{0}")]
    Conflict(String),
    /// The transaction was accepted, but was not in a block within the time asked (code 4, data is the hash).
    #[error("transaction {0} was accepted and was not included in the time asked; it still waits in the pool")]
    NotIncludedInTime(B256),
    /// The transaction was accepted and cannot be included before others that the pool does not have (code 6, data is the
    /// nonce that comes next).
    #[error("nonce gap: the next nonce is {expected}; the transaction waits in the pool for the ones before it")]
    NonceGap {
        /// The next nonce of the sender.
        expected: u64,
    },
    /// The request asks for more than this node serves at once (code -32005).
    #[error("{0}")]
    LimitExceeded(String),
    /// The node does not serve this (code -32004), and why.
    #[error("{0}")]
    Unsupported(String),
    /// Another node that this one needs for the answer is away (code -32002), and which.
    #[error("{0}")]
    Unavailable(String),
    /// The node itself failed (code -32603). The client is told what to do; what happened is in the operator's log alone, since
    /// it can name files and what is in them.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

/// The rules of `eth_simulateV1`, with their codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulationRule {
    /// The nonce was used.
    NonceTooLow = -38010,
    /// The nonce leaves a gap.
    NonceTooHigh = -38011,
    /// The fee cap is below the base fee.
    BaseFeeTooLow = -38012,
    /// Too little gas for what a transaction costs before it runs.
    IntrinsicGas = -38013,
    /// The balance does not cover gas and value.
    InsufficientFunds = -38014,
    /// The transactions need more gas than the block has.
    BlockGasLimit = -38015,
    /// Block numbers ascend.
    BlockNumber = -38020,
    /// Timestamps ascend.
    Timestamp = -38021,
    /// A precompile cannot be moved to where it is.
    MoveToItself = -38022,
    /// Two precompiles cannot be moved to one address.
    MoveToSame = -38023,
    /// Code that creates a contract is limited (EIP-3860).
    InitCodeSize = -38025,
    /// More than this node simulates at once.
    Limit = -38026,
}

impl RpcError {
    /// The JSON-RPC code of this error.
    pub const fn code(&self) -> i32 {
        match self {
            Self::InvalidParams(_) => -32602,
            Self::BlockNotFound(_) => -32001,
            Self::StatePruned { .. } | Self::Rejected(_) | Self::Execution(_) | Self::Conflict(_) => -32000,
            Self::Reverted { .. } => 3,
            Self::Simulation { rule, .. } => *rule as i32,
            Self::NotIncludedInTime(_) => 4,
            Self::NonceGap { .. } => 6,
            Self::LimitExceeded(_) => -32005,
            Self::Unsupported(_) => -32004,
            Self::Unavailable(_) => -32002,
            Self::Internal(_) => -32603,
        }
    }

    /// A failure of the node itself: logged, and not shown to the client, who cannot do anything about it.
    pub fn internal(error: impl core::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed inside the node");
        Self::Internal(
            "the node could not answer this; try again, and if it stays so tell its operator, whose log says why",
        )
    }

    /// All large requests and answers together hold as much memory as they may.
    pub(crate) fn no_memory() -> Self {
        Self::LimitExceeded("too many large requests and answers at once: try again in a moment".to_owned())
    }

    /// The error of a call that reverted with `output`, with the reason decoded when it is `Error(string)` or `Panic(uint256)`.
    pub fn reverted(output: Bytes) -> Self {
        let message = match GenericContractError::abi_decode(&output) {
            Ok(GenericContractError::Revert(revert)) => format!("execution reverted: {}", revert.reason),
            Ok(GenericContractError::Panic(panic)) => format!("execution reverted: {}", panic_reason(&panic)),
            Err(_) => "execution reverted".to_owned(),
        };
        Self::Reverted { message, data: output }
    }
}

impl From<EvmDatabaseError<StateError>> for RpcError {
    fn from(error: EvmDatabaseError<StateError>) -> Self {
        Self::internal(error)
    }
}

/// What Solidity's panic codes mean, in the words of geth.
fn panic_reason(panic: &Panic) -> String {
    let Some(kind) = panic.kind() else { return format!("unknown panic code: {:#x}", panic.code) };
    match kind {
        PanicKind::Generic => "generic panic",
        PanicKind::Assert => "assert(false)",
        PanicKind::UnderOverflow => "arithmetic underflow or overflow",
        PanicKind::DivisionByZero => "division or modulo by zero",
        PanicKind::EnumConversionError => "enum overflow",
        PanicKind::StorageEncodingError => "invalid encoded storage byte array accessed",
        PanicKind::EmptyArrayPop => "out-of-bounds array access; popping on an empty array",
        PanicKind::ArrayOutOfBounds => "out-of-bounds access of an array or bytesN",
        PanicKind::ResourceError => "out of memory",
        PanicKind::InvalidInternalFunction => "uninitialized function",
        other => other.as_str(),
    }
    .to_owned()
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
            RpcError::NonceGap { expected } => Self::owned(error.code(), error.to_string(), Some(U64::from(*expected))),
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
    fn what_happened_inside_the_node_is_not_shown() {
        let error = StateError::Backend("/var/lib/node/db/000012.sst: corruption".to_owned());
        let object: ErrorObjectOwned = RpcError::from(error).into();
        assert_eq!(object.code(), -32603);
        assert!(!object.message().contains("/var") && object.data().is_none(), "{object:?}");
    }

    #[test]
    fn panics_are_named_as_geth_names_them() {
        let reverted = |code: u64| RpcError::reverted(Panic::from(code).abi_encode().into()).to_string();
        assert_eq!(reverted(0x01), "execution reverted: assert(false)");
        assert_eq!(reverted(0x11), "execution reverted: arithmetic underflow or overflow");
        assert_eq!(reverted(0x77), "execution reverted: unknown panic code: 0x77");
    }

    #[test]
    fn revert_without_a_known_reason_keeps_its_data() {
        let object: ErrorObjectOwned = RpcError::reverted(Bytes::from_static(&[1, 2, 3, 4])).into();
        assert_eq!(object.message(), "execution reverted");
        assert_eq!(object.data().unwrap().get(), "\"0x01020304\"");
    }
}
