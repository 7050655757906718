use alloy_primitives::B256;
use openledger_stf::{AttributesError, ExecutionError, StateError};

/// Why a block could not be executed on a witness, or why a witness could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// Larger than a witness may be. Nothing was executed.
    #[error("the witness is too large: more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// The headers are not the chain that ends with the block's parent.
    #[error("the headers of the witness do not lead to the parent {parent}: {reason}")]
    Headers {
        /// Hash of the parent.
        parent: B256,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A header or a state could not be read from the store that the witness was to be made of.
    #[error(transparent)]
    State(#[from] StateError),
    /// Execution failed. A [`StateError`] inside says that the witness lacks a part; it says nothing about the block.
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    /// The block's header does not have the form of this chain's.
    #[error("the header of block {number} is not one of this chain: {error}")]
    Header {
        /// Number of the block.
        number: u64,
        /// What is wrong.
        error: AttributesError,
    },
    /// The block was executed and is another one: its header is wrong.
    #[error("block {number} is {expected}, but executing it gives {computed}")]
    Differs {
        /// Number of the block.
        number: u64,
        /// Its hash.
        expected: B256,
        /// The hash that execution leads to.
        computed: B256,
    },
}
