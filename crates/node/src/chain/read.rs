//! Reading blocks.

use std::sync::Arc;

use openledger_batch::l2_block_ref;
use openledger_primitives::L2BlockRef;
use openledger_rpc::BlockInfo;

use super::{Chain, RECENT_BLOCKS, RECENT_TRANSACTIONS};
use crate::NodeError;

impl Chain {
    /// The canonical block at a height, with senders and receipts.
    pub fn block(&self, number: u64) -> Result<Option<Arc<BlockInfo>>, NodeError> {
        let Some(hash) = self.db.hash(number)? else { return Ok(None) };
        if let Some(recent) = self.recent.lock().iter().find(|block| block.hash == hash) {
            return Ok(Some(recent.clone()));
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
        self.remember(info.clone());
        Ok(Some(info))
    }

    /// The canonical block at a height with its L1 origin.
    pub fn block_ref(&self, number: u64) -> Result<Option<L2BlockRef>, NodeError> {
        self.block(number)?.map(|info| Ok(l2_block_ref(&self.config, info.hash, &info.block)?)).transpose()
    }

    pub(super) fn remember(&self, info: Arc<BlockInfo>) {
        let mut recent = self.recent.lock();
        recent.push_front(info);
        recent.truncate(RECENT_BLOCKS);
        let mut transactions = 0;
        let room = |block: &&Arc<BlockInfo>| {
            transactions += block.senders.len();
            transactions <= RECENT_TRANSACTIONS
        };
        let fit = recent.iter().take_while(room).count().max(1);
        recent.truncate(fit);
    }
}
