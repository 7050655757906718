//! Where derivation begins, after a start and after L1 reorganised.

use std::sync::Arc;

use alloy_eips::BlockNumHash;
use openledger_derivation::{Start, find_start};
use openledger_primitives::L2BlockRef;

use crate::{Chain, NodeError, l1::L1Source};

/// Takes off the chain what builds on L1 blocks that are not canonical, and finds the safe block from which derivation repeats exactly what
/// it did before.
pub(super) async fn find<L: L1Source>(chain: &Arc<Chain>, l1: &L) -> Result<Start, NodeError> {
    let genesis = chain.config().genesis;
    if !is_canonical(l1, genesis.l1).await? {
        return Err(NodeError::L1Genesis { genesis: genesis.l1 });
    }
    let head = chain.head()?;
    let keep = newest_with_canonical_origin(chain, l1, head).await?;
    if keep < head.number {
        tracing::warn!(from = head.number, to = keep, "L1 took back blocks that the chain builds on");
        let writer = chain.clone();
        crate::blocking(move || writer.unwind(keep)).await?;
    }
    let safe = newest_derived_from_canonical(chain, l1).await?;
    let writer = chain.clone();
    crate::blocking(move || writer.take_back_safe(safe)).await?;
    let (safe_head, processed_through) = exact_start(chain, safe)?;
    let reader = chain.clone();
    crate::blocking(move || {
        find_start(reader.config(), safe_head, processed_through, |number| {
            let info = reader.block(number)?.ok_or_else(|| unwound(number))?;
            Ok((info.hash, info.block.clone()))
        })
    })
    .await
}

/// The newest block, at or below `block`, whose L1 origin is canonical. Goes back one epoch at a time.
async fn newest_with_canonical_origin<L: L1Source>(
    chain: &Arc<Chain>,
    l1: &L,
    mut block: L2BlockRef,
) -> Result<u64, NodeError> {
    let genesis = chain.config().genesis.l2.number;
    while block.number > genesis && !is_canonical(l1, block.l1_origin).await? {
        let before = block.number.saturating_sub(block.sequence_number + 1).max(genesis);
        block = chain.block_ref(before)?.ok_or_else(|| unwound(before))?;
    }
    Ok(block.number)
}

/// The newest safe block that comes from a canonical L1 block. Those above it have to be posted and derived again.
async fn newest_derived_from_canonical<L: L1Source>(chain: &Arc<Chain>, l1: &L) -> Result<u64, NodeError> {
    let genesis = chain.config().genesis.l2.number;
    let mut number = chain.heads()?.safe.number;
    while number > genesis {
        match chain.records().derived(number)? {
            Some(derived) if is_canonical(l1, derived.l1_block()).await? => return Ok(number),
            Some(derived) => number = first_from(chain, number, derived.l1_block())? - 1,
            None => number -= 1,
        }
    }
    Ok(genesis)
}

/// The safe block to begin above, and the L1 height up to which everything is part of its history: the newest block that comes
/// from an earlier L1 block than the safe head does. See `find_start`.
fn exact_start(chain: &Chain, safe: u64) -> Result<(L2BlockRef, u64), NodeError> {
    let genesis = chain.config().genesis.l2.number;
    let mut start = (genesis, 0);
    if let Some(last) = chain.records().derived(safe)? {
        let before = first_from(chain, safe, last.l1_block())? - 1;
        if before > genesis {
            start = (before, last.l1_number - 1);
        }
    }
    let block = chain.block_ref(start.0)?.ok_or_else(|| unwound(start.0))?;
    Ok((block, start.1))
}

/// The first block of the run that ends with `number` and comes from the same L1 block: they share its fate.
fn first_from(chain: &Chain, mut number: u64, l1_block: BlockNumHash) -> Result<u64, NodeError> {
    while number > 1 && chain.records().derived(number - 1)?.is_some_and(|derived| derived.l1_block() == l1_block) {
        number -= 1;
    }
    Ok(number)
}

async fn is_canonical<L: L1Source>(l1: &L, block: BlockNumHash) -> Result<bool, NodeError> {
    Ok(l1.block(block.number).await?.is_some_and(|found| found.hash == block.hash))
}

fn unwound(number: u64) -> NodeError {
    NodeError::Unwound(BlockNumHash::new(number, Default::default()))
}
