use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_batch::{DecodeError, l2_block_ref, system_config_of};
use openledger_primitives::{Block, L2BlockRef, RollupConfig, SystemConfig};

/// Where derivation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The last block that counts as derived.
    pub safe_head: L2BlockRef,
    /// The L1 block to be read first: one channel timeout before the safe head's origin, because a channel may have been opened
    /// then that holds the next batch.
    pub l1: BlockNumHash,
    /// The configuration after that L1 block, not at the safe head: the batcher may have changed in between.
    pub system_config: SystemConfig,
    /// L1 blocks up to this height are read only for channels that go on after them; see [`find_start`].
    pub processed_through: u64,
}

/// Finds the starting point for a safe head by walking the L2 back, one L1 epoch at a time, with `block` (hash and block at a
/// height of the L2's canonical chain).
///
/// `processed_through` makes a restart exact. Under Holocene a batch that comes too early is dropped for ever, so reading the same
/// L1 block again with a later safe head could accept what was dropped. The driver therefore records for each safe block the L1 block
/// that it was derived from, and begins with the highest safe head that was derived from an L1 block *before* the last one that it
/// got to, naming the height before that one here: `safe_head` is the state of the derivation after all of `processed_through`.
/// Zero if not known: then the safe head's L1 origin is used.
pub fn find_start<E: From<DecodeError>>(
    config: &RollupConfig,
    safe_head: L2BlockRef,
    processed_through: u64,
    mut block: impl FnMut(u64) -> Result<(B256, Block), E>,
) -> Result<Start, E> {
    let genesis = &config.genesis;
    let oldest = safe_head.l1_origin.number.saturating_sub(config.channel_lifetime());
    let mut number = safe_head.number;
    loop {
        let (hash, candidate) = block(number)?;
        let reference = l2_block_ref(config, hash, &candidate)?;
        let first_of_epoch = number.saturating_sub(reference.sequence_number);
        if reference.l1_origin.number <= oldest.max(genesis.l1.number) || first_of_epoch <= genesis.l2.number {
            let system_config = system_config_of(config, &candidate)?;
            return Ok(Start { safe_head, l1: reference.l1_origin, system_config, processed_through });
        }
        number = first_of_epoch - 1;
    }
}
