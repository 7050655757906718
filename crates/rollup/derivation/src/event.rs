use crate::BatchDrop;
use alloy_primitives::B256;
use openledger_batch::{ChannelId, DecodeError, FrameDrop};
use openledger_primitives::{L1BlockRef, L2BlockRef};

/// Something worth telling an operator. Events never change what is derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DerivationEvent {
    /// The batch that is next in time builds on another block than ours, for an L1 origin that is canonical: the sequencer's
    /// block at our safe head's height differs from the one derived from L1. That is the first block that differs.
    ParentMismatch {
        /// The block that we derived and executed.
        block: L2BlockRef,
        /// What the sequencer has in its place.
        batch_parent: B256,
        /// L1 block in which the batch was completed.
        l1_block: L1BlockRef,
        /// L1 transaction that completed it.
        l1_transaction: B256,
    },
    /// A batch broke a rule; the rest of its channel was dropped with it.
    BatchDropped {
        /// The rule.
        reason: BatchDrop,
        /// Timestamp of the batch.
        timestamp: u64,
        /// L1 block in which it was completed.
        l1_block: L1BlockRef,
        /// L1 transaction that completed it.
        l1_transaction: B256,
    },
    /// A channel's content could not be read (any further).
    ChannelUnreadable {
        /// The channel.
        channel: ChannelId,
        /// Why.
        error: DecodeError,
        /// L1 block in which it was completed.
        l1_block: L1BlockRef,
    },
    /// A channel was not completed in time.
    ChannelTimedOut {
        /// The channel.
        channel: ChannelId,
        /// L1 block at which it was given up.
        l1_block: L1BlockRef,
    },
    /// A transaction of the batcher is not a sequence of frames.
    PayloadUnreadable {
        /// The L1 transaction.
        l1_transaction: B256,
        /// Why.
        error: DecodeError,
        /// The L1 block that holds it.
        l1_block: L1BlockRef,
    },
    /// A frame of the batcher did not fit.
    FrameDropped {
        /// Its channel.
        channel: ChannelId,
        /// Its number.
        number: u16,
        /// Why.
        reason: FrameDrop,
        /// The L1 block that holds it.
        l1_block: L1BlockRef,
    },
    /// The sequencing window of an epoch elapsed without batches: a block was derived from deposits alone.
    WindowElapsed {
        /// The safe head that it builds on.
        parent: L2BlockRef,
        /// L1 block at which the window was over.
        l1_block: L1BlockRef,
    },
    /// A batch led to an invalid block, which is replaced by its deposits; the rest of the channel was dropped.
    PayloadReplaced {
        /// The safe head that it builds on.
        parent: L2BlockRef,
        /// L1 block from which it was derived.
        l1_block: L1BlockRef,
    },
}
