use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_batch::DecodeError;

/// What an error asks of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Try again later; nothing is wrong with what was derived.
    Temporary,
    /// What was derived no longer follows from L1: find a new starting point and begin again there.
    Reset,
    /// The node cannot go on: stop and tell the operator.
    Critical,
}

/// Why derivation did not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DerivationError {
    /// The L1 block offered does not build on the last one: L1 was reorganised. (reset)
    #[error("L1 was reorganised: block {found:?} builds on {parent}, but the block before it was {expected}")]
    L1Reorg {
        /// Hash of the last L1 block that was read.
        expected: B256,
        /// The parent that the new block names.
        parent: B256,
        /// The new block.
        found: BlockNumHash,
    },
    /// The L1 block at a known height has another hash than the one that the L2 builds on: L1 was reorganised. (reset)
    #[error("L1 was reorganised: at height {} stands {found}, not {}", expected.number, expected.hash)]
    L1BlockReplaced {
        /// The block that the L2 refers to.
        expected: BlockNumHash,
        /// The hash found at its height.
        found: B256,
    },
    /// Another height was offered than was asked for. (reset)
    #[error("L1 block {found} was offered where block {expected} was due")]
    UnexpectedL1Height {
        /// The height that was asked for.
        expected: u64,
        /// The height that was offered.
        found: u64,
    },
    /// The new safe head is not the block that the attributes describe. (reset)
    #[error("block {found:?} does not follow from the derived attributes on top of {parent:?}")]
    UnexpectedHead {
        /// The safe head on which the attributes were derived.
        parent: BlockNumHash,
        /// The block that was offered as its successor.
        found: BlockNumHash,
    },
    /// An answer about attributes was given while none are waiting for one. (critical: a mistake of the driver)
    #[error("no derived attributes are waiting for an answer")]
    NothingPending,
    /// Even the deposits alone were judged to be an invalid block. (critical: the execution has a fault)
    #[error("the deposits-only block on top of {0:?} was rejected")]
    DepositsOnlyRejected(BlockNumHash),
    /// A block of our own cannot be read. (critical: the database is damaged or of another chain)
    #[error("an L2 block could not be read: {0}")]
    Decode(#[from] DecodeError),
}

impl DerivationError {
    /// What the error asks of the driver.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::L1Reorg { .. }
            | Self::L1BlockReplaced { .. }
            | Self::UnexpectedL1Height { .. }
            | Self::UnexpectedHead { .. } => Severity::Reset,
            Self::NothingPending | Self::DepositsOnlyRejected(_) | Self::Decode(_) => Severity::Critical,
        }
    }
}
