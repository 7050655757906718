use crate::StateError;
use alloc::string::String;
use alloy_primitives::B256;
use openledger_evm::{OpTransactionError, OpTxError};
use revm::context_interface::result::{EVMError, InvalidTransaction};

/// Why a block could not be executed. The variant decides what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// The state could not be read: nothing is known about the block. Retry, or stop and look at the store.
    #[error(transparent)]
    State(#[from] StateError),
    /// No block can be made of these attributes.
    #[error("invalid block attributes: {0}")]
    Attributes(#[from] AttributesError),
    /// The transaction cannot be in this block. A builder leaves it out and goes on; a payload that holds it is invalid
    /// and is replaced by its deposits (Holocene).
    #[error("transaction {hash} cannot be in the block: {error}")]
    Transaction {
        /// Hash of the transaction, or of its bytes where they are not one.
        hash: B256,
        /// What is wrong with it.
        error: TransactionError,
    },
    /// The EVM gave up for a reason of its own. No input may lead here: stop, this is a defect.
    #[error("the EVM failed: {0}")]
    Evm(String),
}

/// What is wrong with block attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// Time moves forward.
    #[error("the timestamp {timestamp} is not after the parent's ({parent})")]
    Timestamp {
        /// Timestamp of the attributes.
        timestamp: u64,
        /// Timestamp of the parent.
        parent: u64,
    },
    /// A block without gas cannot hold the L1 attributes.
    #[error("the gas limit is zero")]
    GasLimit,
    /// Either of the two alone would make the next base fee undefined.
    #[error("one of EIP-1559 denominator and elasticity is zero and the other is not, or they do not fit in 32 bits")]
    Eip1559Params,
    /// A header of this chain has 17 bytes of extra data, the version first (Jovian).
    #[error("the extra data does not hold the parameters of the base fee")]
    ExtraData,
}

/// What is wrong with a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// The bytes are not a transaction.
    #[error("the bytes cannot be decoded: {0}")]
    Decode(String),
    /// This chain has legacy, access list, dynamic fee, set code and deposit transactions.
    #[error("transactions of type {0:#04x} do not exist on this chain")]
    Type(u8),
    /// No key can have made the signature.
    #[error("the signature is invalid")]
    Signature,
    /// The block has less gas left than the transaction may use. It may fit in a later one.
    #[error("it may use {limit} gas, and the block has {available} left")]
    BlockGas {
        /// The transaction's gas limit.
        limit: u64,
        /// Gas that the block has left.
        available: u64,
    },
    /// The block's data footprint would exceed its gas limit (Jovian). It may fit in a later one.
    #[error("its data footprint is {footprint}, and the block has {available} left")]
    DaFootprint {
        /// The transaction's footprint, in gas.
        footprint: u64,
        /// Footprint that the block has left.
        available: u64,
    },
    /// The rules of execution refuse it: nonce, funds, fee, chain id and the like.
    #[error("{0}")]
    Invalid(OpTransactionError),
}

impl TransactionError {
    /// Whether the transaction itself is fine and this block merely has no room for it.
    pub const fn is_out_of_room(&self) -> bool {
        matches!(self, Self::BlockGas { .. } | Self::DaFootprint { .. })
    }

    /// Whether the nonce was used already: the transaction, or another in its place, is in the chain.
    pub const fn is_nonce_too_low(&self) -> bool {
        matches!(self, Self::Invalid(OpTransactionError::Base(InvalidTransaction::NonceTooLow { .. })))
    }

    /// Whether a transaction of the same sender must come first.
    pub const fn is_nonce_too_high(&self) -> bool {
        matches!(self, Self::Invalid(OpTransactionError::Base(InvalidTransaction::NonceTooHigh { .. })))
    }
}

impl ExecutionError {
    /// Sorts what the EVM returns for the transaction `hash`.
    pub(crate) fn from_evm(error: EVMError<StateError, OpTxError>, hash: B256) -> Self {
        match error {
            EVMError::Transaction(OpTxError(error)) => {
                Self::Transaction { hash, error: TransactionError::Invalid(error) }
            }
            EVMError::Database(error) => Self::State(error),
            // Precompiles fail this way, and ours do so only when the state cannot be read.
            EVMError::Custom(message) => Self::State(StateError::Backend(message)),
            EVMError::Header(error) => Self::Evm(alloc::format!("{error}")),
            EVMError::CustomAny(error) => Self::Evm(alloc::format!("{error}")),
        }
    }
}
