//! Decoded blocks in memory: the newest, and those that were read last.

use std::{collections::VecDeque, sync::Arc};

use alloy_primitives::B256;
use openledger_rpc::BlockInfo;
use parking_lot::Mutex;

/// Of the newest blocks: for the many requests about them, and for the batcher.
const NEWEST: Bounds = Bounds { blocks: 64, transactions: 200_000 };
/// Of others, for who asks for one transaction of a block after the other.
const READ: Bounds = Bounds { blocks: 16, transactions: 50_000 };

/// Most blocks, and most transactions in them: those of a full block take some 20 MiB.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    blocks: usize,
    transactions: usize,
}

/// The two kinds of blocks. Whoever reads through ten thousand old ones leaves the newest where they are.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    newest: Mutex<VecDeque<Arc<BlockInfo>>>,
    read: Mutex<VecDeque<Arc<BlockInfo>>>,
}

impl Blocks {
    pub(super) fn get(&self, hash: B256) -> Option<Arc<BlockInfo>> {
        if let Some(found) = self.newest.lock().iter().find(|block| block.hash == hash) {
            return Some(found.clone());
        }
        let mut read = self.read.lock();
        let at = read.iter().position(|block| block.hash == hash)?;
        let found = read.remove(at)?;
        read.push_front(found.clone());
        Some(found)
    }

    /// A block that was made or derived just now.
    pub(super) fn add(&self, info: Arc<BlockInfo>) {
        keep(&mut self.newest.lock(), info, NEWEST);
    }

    /// A block that came from disk.
    pub(super) fn was_read(&self, info: Arc<BlockInfo>) {
        keep(&mut self.read.lock(), info, READ);
    }

    /// Forgets what is above a height.
    pub(super) fn unwind_to(&self, target: u64) {
        for blocks in [&self.newest, &self.read] {
            blocks.lock().retain(|block| block.block.header.number <= target);
        }
    }
}

/// Puts a block first, and forgets the last ones that there is no room for. The first is kept however large it is.
fn keep(blocks: &mut VecDeque<Arc<BlockInfo>>, info: Arc<BlockInfo>, bounds: Bounds) {
    blocks.push_front(info);
    blocks.truncate(bounds.blocks);
    let mut transactions = 0;
    let room = |block: &&Arc<BlockInfo>| {
        transactions += block.senders.len();
        transactions <= bounds.transactions
    };
    let fit = blocks.iter().take_while(room).count().max(1);
    blocks.truncate(fit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;
    use openledger_primitives::{Block, Header};

    fn block(number: u64, transactions: usize) -> Arc<BlockInfo> {
        let header = Header { number, ..Default::default() };
        let senders = vec![Address::ZERO; transactions];
        let block = Block { header, body: Default::default() };
        Arc::new(BlockInfo { hash: hash(number), block, senders, receipts: Vec::new() })
    }

    fn hash(number: u64) -> B256 {
        B256::with_last_byte(number as u8)
    }

    #[test]
    fn reading_old_blocks_leaves_the_newest() {
        let blocks = Blocks::default();
        for number in 100..200 {
            blocks.add(block(number, 10));
        }
        for number in 0..100 {
            blocks.was_read(block(number, 10));
            assert!(blocks.get(hash(0)).is_some(), "what is asked for again and again is kept");
        }
        let kept = |numbers: std::ops::Range<u64>| numbers.filter(|number| blocks.get(hash(*number)).is_some()).count();
        assert_eq!((kept(136..200), kept(100..136)), (NEWEST.blocks, 0));
        assert_eq!(kept(0..100), READ.blocks);
        blocks.unwind_to(150);
        assert_eq!((kept(151..200), kept(136..151), kept(0..100)), (0, 15, READ.blocks));
        blocks.unwind_to(50);
        assert_eq!(kept(1..100) + kept(100..200), 0);
    }

    #[test]
    fn full_blocks_are_fewer() {
        let blocks = Blocks::default();
        for number in 0..20 {
            blocks.add(block(number, 30_000));
            blocks.was_read(block(100 + number, 30_000));
        }
        assert_eq!(blocks.newest.lock().len(), 6);
        assert_eq!(blocks.read.lock().len(), 1);
        blocks.was_read(block(200, 60_000));
        assert!(blocks.get(hash(200)).is_some(), "one is kept however large it is");
    }
}
