use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_primitives::{L1BlockRef, L2BlockRef, RollupConfig};

use crate::Severity;

/// What the sequencer knows about L1 when it is about to build a block. `None` stands for "L1 did not answer" or "not there yet".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1View {
    /// Height of the newest L1 block.
    pub head: Option<u64>,
    /// Hash of the canonical L1 block at the height of the current origin.
    pub current: Option<B256>,
    /// The canonical L1 block after the current origin.
    pub next: Option<L1BlockRef>,
}

/// The L1 origin of the next block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginChoice {
    /// The same as the head's.
    Keep {
        /// The drift is used up: derivation will only accept the block if it holds no transactions from the pool.
        no_tx_pool: bool,
    },
    /// The L1 block after it.
    Advance(L1BlockRef),
}

/// Why no block can be built now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The head's L1 origin was reorganised away. (reset)
    #[error("the L1 origin {origin:?} of the head is no longer canonical: {found} stands in its place or leads there")]
    NotCanonical {
        /// Origin of the L2 head.
        origin: BlockNumHash,
        /// What contradicts it.
        found: B256,
    },
    /// The block would be too far ahead of its origin, and the next L1 block is not known. (temporary)
    #[error("block production waits for L1 block {0}: the sequencer drift is used up")]
    DriftUsedUp(u64),
}

impl OriginError {
    /// What the error asks of the driver.
    pub const fn severity(&self) -> Severity {
        match self {
            Self::NotCanonical { .. } => Severity::Reset,
            Self::DriftUsedUp(_) => Severity::Temporary,
        }
    }
}

/// Chooses the L1 origin of the block after `head`, whose own origin has the timestamp `origin_timestamp`.
///
/// The next L1 block is taken once it is `confirmations` below the newest one and not later than the L2 block. While L1 does not
/// answer, or the next block is not confirmed, production goes on with the old origin as far as the drift allows. The current origin
/// is compared with L1 at each block: building on one that was reorganised away would only be undone later.
pub fn select_origin(
    config: &RollupConfig,
    confirmations: u64,
    head: &L2BlockRef,
    origin_timestamp: u64,
    l1: &L1View,
) -> Result<OriginChoice, OriginError> {
    let origin = head.l1_origin;
    let contradiction = l1
        .current
        .filter(|current| *current != origin.hash)
        .or_else(|| l1.next.map(|next| next.parent_hash).filter(|parent| *parent != origin.hash));
    if let Some(found) = contradiction {
        return Err(OriginError::NotCanonical { origin, found });
    }
    let timestamp = head.timestamp + config.block_time;
    let drift_used_up = timestamp > origin_timestamp.saturating_add(config.sequencer_drift());
    match l1.next {
        Some(next) if next.timestamp <= timestamp => {
            let confirmed = l1.head.is_some_and(|l1_head| next.number.saturating_add(confirmations) <= l1_head);
            if confirmed || drift_used_up {
                Ok(OriginChoice::Advance(next))
            } else {
                Ok(OriginChoice::Keep { no_tx_pool: false })
            }
        }
        // The next origin would be in the block's future: only an empty block keeps both rules.
        Some(_) => Ok(OriginChoice::Keep { no_tx_pool: drift_used_up }),
        None if drift_used_up => Err(OriginError::DriftUsedUp(origin.number + 1)),
        None => Ok(OriginChoice::Keep { no_tx_pool: false }),
    }
}
