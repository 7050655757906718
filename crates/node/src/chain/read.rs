//! Reading blocks.

use std::sync::Arc;

use openledger_batch::l2_block_ref;
use openledger_primitives::L2BlockRef;
use openledger_rpc::BlockInfo;

use super::Chain;
use crate::NodeError;

impl Chain {
    /// The canonical block at a height, with senders and receipts.
    pub fn block(&self, number: u64) -> Result<Option<Arc<BlockInfo>>, NodeError> {
        let Some(hash) = self.db.hash(number)? else { return Ok(None) };
        if let Some(known) = self.blocks.get(hash) {
            return Ok(Some(known));
        }
        let (Some(entry), Some(receipts)) = (self.db.block(number)?, self.db.receipts(number)?) else {
            return Ok(None);
        };
        if entry.header.hash() != hash || receipts.len() != entry.senders.len() {
            // A reorganisation came between the reads.
            return Ok(None);
        }
        let senders = entry.senders.clone();
        let info = Arc::new(BlockInfo { hash, senders, receipts, block: entry.into_block() });
        self.blocks.was_read(info.clone());
        Ok(Some(info))
    }

    /// The canonical block at a height with its L1 origin.
    pub fn block_ref(&self, number: u64) -> Result<Option<L2BlockRef>, NodeError> {
        self.block(number)?.map(|info| Ok(l2_block_ref(&self.config, info.hash, &info.block)?)).transpose()
    }
}
