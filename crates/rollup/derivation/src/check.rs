use crate::{attributes::is_deposit, pipeline::Epoch};
use alloc::collections::VecDeque;
use openledger_batch::SingleBatch;
use openledger_primitives::{L1BlockRef, L2BlockRef, RollupConfig};

/// The rule that a batch broke (derivation.md, "Batch Queue", with Holocene's changes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchDrop {
    /// Blocks are missing before it.
    Future,
    /// It builds on another block than the safe head.
    ParentMismatch,
    /// It was included after the sequencing window of its epoch.
    IncludedTooLate,
    /// Its epoch is before the safe head's.
    EpochTooOld,
    /// Its epoch is more than one L1 block after the safe head's.
    EpochTooNew,
    /// Its epoch is not on the canonical L1 chain.
    EpochNotCanonical,
    /// It is earlier than its L1 origin.
    BeforeOrigin,
    /// It is too far ahead of its L1 origin and holds transactions.
    DriftExceeded,
    /// It is too far ahead of its L1 origin although it could have taken the next one.
    OriginNotAdvanced,
    /// It holds an empty transaction.
    EmptyTransaction,
    /// It holds a deposit: those come from L1 alone.
    DepositTransaction,
}

/// How a batch is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    /// At or before the safe head: skipped without consequences.
    Past,
    /// Invalid: the channel it came from is dropped.
    Drop(BatchDrop),
}

/// Judges a batch read in L1 block `included_in`. `epochs` are the L1 blocks from the current epoch to `included_in`.
pub(crate) fn check(
    config: &RollupConfig,
    batch: &SingleBatch,
    safe_head: &L2BlockRef,
    epochs: &VecDeque<Epoch>,
    included_in: &L1BlockRef,
) -> Verdict {
    let next_timestamp = safe_head.timestamp + config.block_time;
    if batch.timestamp < next_timestamp {
        return Verdict::Past;
    }
    match violation(config, batch, safe_head, epochs, included_in, next_timestamp) {
        Some(reason) => Verdict::Drop(reason),
        None => Verdict::Accept,
    }
}

fn violation(
    config: &RollupConfig,
    batch: &SingleBatch,
    safe_head: &L2BlockRef,
    epochs: &VecDeque<Epoch>,
    included_in: &L1BlockRef,
    next_timestamp: u64,
) -> Option<BatchDrop> {
    if batch.timestamp > next_timestamp {
        return Some(BatchDrop::Future);
    }
    if batch.parent_hash != safe_head.hash {
        return Some(BatchDrop::ParentMismatch);
    }
    if batch.epoch.number.saturating_add(config.seq_window_size) < included_in.number {
        return Some(BatchDrop::IncludedTooLate);
    }
    let current = epochs.front().map_or(safe_head.l1_origin.number, |epoch| epoch.block().number);
    if batch.epoch.number < current {
        return Some(BatchDrop::EpochTooOld);
    }
    if batch.epoch.number > safe_head.l1_origin.number + 1 {
        return Some(BatchDrop::EpochTooNew);
    }
    let position = usize::try_from(batch.epoch.number - current).unwrap_or(usize::MAX);
    // An epoch that is not on L1 yet cannot have been batched truthfully: batches come after their origin.
    let Some(origin) = epochs.get(position).map(Epoch::block) else { return Some(BatchDrop::EpochTooNew) };
    if batch.epoch.hash != origin.hash {
        return Some(BatchDrop::EpochNotCanonical);
    }
    if batch.timestamp < origin.timestamp {
        return Some(BatchDrop::BeforeOrigin);
    }
    if batch.timestamp > origin.timestamp.saturating_add(config.sequencer_drift()) {
        if !batch.transactions.is_empty() {
            return Some(BatchDrop::DriftExceeded);
        }
        // An empty block may go on with an old origin only while the next one would be ahead of it in time.
        let next = epochs.get(position + 1).map(Epoch::block);
        if position == 0 && next.is_none_or(|next| batch.timestamp >= next.timestamp) {
            return Some(BatchDrop::OriginNotAdvanced);
        }
    }
    batch.transactions.iter().find_map(|transaction| match transaction.is_empty() {
        true => Some(BatchDrop::EmptyTransaction),
        false => is_deposit(transaction).then_some(BatchDrop::DepositTransaction),
    })
}
