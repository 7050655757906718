use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_batch::DecodeError;

/// Why a block was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatcherError {
    /// The block does not build on the last one: the L2 was reorganised. Call [`reset`](crate::Batcher::reset) with the safe head
    /// and add its successors.
    #[error("block {found:?} builds on {parent}, but the last block added was {expected:?}")]
    Reorg {
        /// The last block that was added.
        expected: BlockNumHash,
        /// The parent that the new block names.
        parent: B256,
        /// The new block.
        found: BlockNumHash,
    },
    /// The block is not one of the L2. (a mistake of the driver)
    #[error("block {number} cannot be batched: {error}")]
    Decode {
        /// Its height.
        number: u64,
        /// Why.
        error: DecodeError,
    },
}
