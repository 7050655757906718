use alloy::transports::{RpcError, TransportError, TransportErrorKind};
use alloy_primitives::{Address, B256};
use openledger_batch::DecodeError;
use openledger_derivation::Severity;

/// Why something could not be learnt from L1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum L1Error {
    /// The URL is not one. (critical)
    #[error("{0:?} is not the URL of an L1 node: expected something like http://127.0.0.1:8545")]
    InvalidUrl(String),
    /// L1 could not be reached. (temporary)
    #[error("L1 cannot be reached for {method}: {reason}")]
    Unreachable {
        /// The method that was called.
        method: &'static str,
        /// What the transport said, without the URL.
        reason: String,
    },
    /// L1 did not answer in time. (temporary)
    #[error("L1 did not answer {method} within {seconds} s")]
    Timeout {
        /// The method that was called.
        method: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// L1 answered with an error. (temporary)
    #[error("L1 refused {method}: {message} (code {code})")]
    Refused {
        /// The method that was called.
        method: &'static str,
        /// JSON-RPC error code.
        code: i64,
        /// Its message.
        message: String,
    },
    /// L1's answer is not what the method returns. (temporary)
    #[error("the answer of L1 to {method} cannot be read: {reason}")]
    Unreadable {
        /// The method that was called.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// What L1 says about a block contradicts the block's hash: its answer is not used. (temporary)
    #[error("L1 contradicts itself about block {block}: its {what} is {computed}, not {claimed}")]
    Inconsistent {
        /// Hash of the block.
        block: B256,
        /// Header hash, transactions root, receipts root.
        what: &'static str,
        /// What L1 claims.
        claimed: B256,
        /// What follows from the data it gave.
        computed: B256,
    },
    /// The block was known but is no longer there: L1 was reorganised. (reset)
    #[error("L1 block {0} has vanished: L1 was reorganised")]
    Vanished(B256),
    /// The URL leads to another chain. (critical)
    #[error("the L1 node is on chain {found}, but the rollup is on chain {expected}: check the L1 URL")]
    WrongChain {
        /// By the rollup configuration.
        expected: u64,
        /// By the node.
        found: u64,
    },
    /// A log of the rollup's own contracts is malformed; leaving it out would lose a deposit or a parameter. (critical)
    #[error("a log of {contract} in L1 block {block} cannot be read: {error}")]
    MalformedLog {
        /// The emitter.
        contract: Address,
        /// Hash of the block.
        block: B256,
        /// What is wrong with it.
        error: DecodeError,
    },
}

impl L1Error {
    /// What the error asks of the driver.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Refused { .. }
            | Self::Unreadable { .. }
            | Self::Inconsistent { .. } => Severity::Temporary,
            Self::Vanished(_) => Severity::Reset,
            Self::InvalidUrl(_) | Self::WrongChain { .. } | Self::MalformedLog { .. } => Severity::Critical,
        }
    }

    /// Classifies a failed request. The URL is taken out of the text, because it may hold a key.
    pub(crate) fn from_transport(method: &'static str, url: &str, error: TransportError) -> Self {
        match error {
            RpcError::ErrorResp(payload) => {
                Self::Refused { method, code: payload.code, message: payload.message.into_owned() }
            }
            RpcError::DeserError { err, .. } | RpcError::SerError(err) => {
                Self::Unreadable { method, reason: err.to_string() }
            }
            RpcError::NullResp => Self::Unreadable { method, reason: "null".into() },
            RpcError::Transport(TransportErrorKind::HttpError(http)) => {
                Self::Unreachable { method, reason: format!("HTTP status {}", http.status) }
            }
            other => Self::Unreachable { method, reason: other.to_string().replace(url.trim_end_matches('/'), "<L1>") },
        }
    }
}

/// Why a transaction did not come to stand on L1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxError {
    /// L1 says beforehand that the call would fail. Nothing was sent.
    #[error("the transaction would fail: {0}")]
    WouldRevert(String),
    /// L1 will never take it. Nothing was sent.
    #[error("L1 rejects the transaction: {0}")]
    Rejected(String),
    /// It is on L1, but its execution failed.
    #[error("the transaction {hash} in L1 block {block} failed")]
    Reverted {
        /// Hash of the transaction.
        hash: B256,
        /// Height of its block.
        block: u64,
    },
    /// Another transaction of the same account took its nonce: the key is used elsewhere. Send it again if it is still wanted.
    #[error("another transaction took nonce {nonce} of {account}: no other program may use this key")]
    NonceTaken {
        /// The account.
        account: Address,
        /// The nonce.
        nonce: u64,
    },
    /// The transaction manager has stopped.
    #[error("the transaction manager has stopped")]
    Stopped,
}
