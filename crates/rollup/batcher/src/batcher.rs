use crate::{
    BatcherConfig, BatcherError,
    channel::{ClosedChannel, unique},
};
use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{B256, Bytes};
use openledger_batch::{L1Info, MAX_RLP_BYTES_PER_CHANNEL, SingleBatch, encode_batches};
use openledger_primitives::{Block, L2BlockRef, RollupConfig};
use std::collections::VecDeque;

/// Most uncompressed bytes in a channel: far below the protocol's limit, so that compressing one never takes long.
const MAX_CHANNEL_RLP: usize = MAX_RLP_BYTES_PER_CHANNEL / 10;

/// Names a payload between this machine and its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PayloadId(pub u64);

/// The data of one L1 transaction to the batch inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// To be named in [`Batcher::confirmed`] or [`Batcher::failed`].
    pub id: PayloadId,
    /// The calldata.
    pub data: Bytes,
    /// Height of the first block in the payload's channel.
    pub first_block: u64,
    /// Height of the last one.
    pub last_block: u64,
}

/// Blocks that had been given to L1 are posted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewind {
    /// The first of them.
    pub first_block: u64,
    /// Why.
    pub reason: &'static str,
}

#[derive(Clone, Debug)]
struct PendingBlock {
    id: BlockNumHash,
    /// Height of its L1 origin.
    epoch: u64,
    /// L1 head when it was added.
    seen_at: u64,
    rlp: Vec<u8>,
}

/// Turns L2 blocks into L1 transactions and holds on to each block until it is safe.
#[derive(Clone, Debug)]
pub struct Batcher {
    config: BatcherConfig,
    seq_window_size: u64,
    channel_lifetime: u64,
    /// The block below the first pending one.
    safe_head: BlockNumHash,
    /// All blocks above the safe head that were added, without gaps.
    blocks: VecDeque<PendingBlock>,
    /// Closed channels over the first of the blocks, without gaps; the blocks behind them make up the open channel.
    channels: VecDeque<ClosedChannel>,
    l1_head: u64,
    /// Compressed size of the last channel in parts per 1024 of its RLP.
    ratio: usize,
    next_id: u64,
    flushing: bool,
}

impl Batcher {
    /// Begins above a safe head: all that L1 does not hold yet is posted, and nothing that was on its way before a restart is missed
    /// or harmful.
    pub fn new(config: BatcherConfig, rollup: &RollupConfig, safe_head: BlockNumHash, l1_head: u64) -> Self {
        // With a margin as large as the window every block would be urgent.
        let window_margin = config.window_margin.min(rollup.seq_window_size / 4);
        Self {
            config: BatcherConfig { window_margin, ..config },
            seq_window_size: rollup.seq_window_size,
            channel_lifetime: rollup.channel_lifetime(),
            safe_head,
            blocks: VecDeque::new(),
            channels: VecDeque::new(),
            l1_head,
            ratio: 700,
            next_id: 0,
            flushing: false,
        }
    }

    /// Height of the block to be added next.
    pub fn next_block(&self) -> u64 {
        self.tip().number + 1
    }

    /// Blocks that are not safe yet.
    pub fn pending_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Transactions that were handed out and not answered for.
    pub fn in_flight(&self) -> usize {
        self.channels.iter().map(ClosedChannel::in_flight).sum()
    }

    /// Bytes that L1 does not hold yet, compressed: what is cut into transactions, and what the open channel will probably come to.
    pub fn backlog(&self) -> u64 {
        let cut: usize = self.channels.iter().map(ClosedChannel::unconfirmed_bytes).sum();
        let open: usize = self.blocks.iter().skip(self.open_from()).map(|block| block.rlp.len()).sum();
        (cut + open * self.ratio / 1024) as u64
    }

    /// L1 blocks until the sequencing window of the oldest pending block is over and the chain is reorganised. Alert on this.
    pub fn window_left(&self) -> Option<u64> {
        let oldest = self.blocks.front()?;
        Some(oldest.epoch.saturating_add(self.seq_window_size).saturating_sub(self.l1_head))
    }

    /// Takes in the block at [`Self::next_block`], with its hash.
    pub fn add_block(&mut self, hash: B256, block: &Block) -> Result<(), BatcherError> {
        let header = &block.header;
        let found = BlockNumHash { number: header.number, hash };
        let expected = self.tip();
        if header.parent_hash != expected.hash || header.number != expected.number + 1 {
            return Err(BatcherError::Reorg { expected, parent: header.parent_hash, found });
        }
        let info = L1Info::of_block(block).map_err(|error| BatcherError::Decode { number: header.number, error })?;
        let transactions = block.body.transactions.iter().filter(|transaction| !transaction.is_deposit());
        let batch = SingleBatch {
            parent_hash: header.parent_hash,
            epoch: info.origin(),
            timestamp: header.timestamp,
            transactions: transactions.map(|transaction| transaction.encoded_2718().into()).collect(),
        };
        let rlp = encode_batches([&batch]);
        self.blocks.push_back(PendingBlock { id: found, epoch: info.number, seen_at: self.l1_head, rlp });
        Ok(())
    }

    /// L1 has grown to this height (or shrunk, in a reorganisation).
    pub fn on_l1_head(&mut self, number: u64) -> Option<Rewind> {
        self.l1_head = number;
        let late = self.channels.iter().position(|channel| channel.is_timed_out(number, self.channel_lifetime))?;
        self.rewind(late, "a channel timed out before all of it was on L1")
    }

    /// The next transaction to send, in the order in which they must come to stand on L1.
    pub fn next_payload(&mut self) -> Option<Payload> {
        if self.in_flight() >= self.config.max_in_flight {
            return None;
        }
        if let Some(payload) = self.channels.iter_mut().find_map(ClosedChannel::next_payload) {
            return Some(payload);
        }
        self.close_channel()?;
        self.channels.back_mut()?.next_payload()
    }

    /// Closes the open channel at the next opportunity, whatever its size: before a shutdown, or in tests.
    pub fn flush(&mut self) {
        self.flushing = true;
    }

    /// The payload is part of this L1 block. An answer about a payload that is no longer needed is ignored.
    pub fn confirmed(&mut self, id: PayloadId, l1_block: u64) {
        self.channels.iter_mut().for_each(|channel| channel.confirm(id, l1_block));
    }

    /// The payload will not be included: its channel and all later ones are posted again.
    pub fn failed(&mut self, id: PayloadId) -> Option<Rewind> {
        let failed = self.channels.iter().position(|channel| channel.contains(id))?;
        self.rewind(failed, "a transaction failed")
    }

    /// Derivation has read L1 up to `l1_block` and its safe head is `safe_head`.
    ///
    /// Blocks up to the safe head are forgotten. A channel that L1 holds up to `l1_block` but whose blocks did not become safe was lost
    /// (a frame was displaced, L1 was reorganised) and is posted again. A safe head that is not among our blocks means that the L2 or L1
    /// was reorganised: we begin again above it, and [`Self::next_block`] says which block is needed.
    pub fn on_derived(&mut self, l1_block: u64, safe_head: &L2BlockRef) -> Option<Rewind> {
        let id = safe_head.id();
        if id != self.safe_head {
            let known = self.blocks.iter().position(|block| block.id == id);
            let Some(position) = known else {
                let had_blocks = !self.blocks.is_empty();
                self.reset(id);
                return had_blocks.then_some(Rewind {
                    first_block: id.number + 1,
                    reason: "the safe head is not among the blocks that were added",
                });
            };
            self.blocks.drain(..=position);
            self.safe_head = id;
            while self.channels.front().is_some_and(|channel| channel.last <= id.number) {
                self.channels.pop_front();
            }
        }
        let lost = self.channels.front()?.completed_at().is_some_and(|completed_at| completed_at <= l1_block);
        if lost { self.rewind(0, "a channel on L1 did not lead to its blocks") } else { None }
    }

    /// Forgets all blocks and begins above this safe head.
    pub fn reset(&mut self, safe_head: BlockNumHash) {
        self.safe_head = safe_head;
        self.blocks.clear();
        self.channels.clear();
    }

    fn tip(&self) -> BlockNumHash {
        self.blocks.back().map_or(self.safe_head, |block| block.id)
    }

    /// Position of the first block of the open channel.
    fn open_from(&self) -> usize {
        let last = self.channels.back().map_or(self.safe_head.number, |channel| channel.last);
        last.saturating_sub(self.safe_head.number) as usize
    }

    fn rewind(&mut self, channel: usize, reason: &'static str) -> Option<Rewind> {
        let first_block = self.channels.get(channel)?.first.max(self.safe_head.number + 1);
        self.channels.truncate(channel);
        Some(Rewind { first_block, reason })
    }

    fn close_channel(&mut self) -> Option<()> {
        let open_from = self.open_from();
        let mut size = 0;
        let mut count = 0;
        for block in self.blocks.range(open_from..) {
            size += block.rlp.len();
            if count > 0 && size > MAX_CHANNEL_RLP {
                break;
            }
            count += 1;
        }
        let first = self.blocks.get(open_from)?;
        let is_large = size > MAX_CHANNEL_RLP || size / 1024 * self.ratio >= self.config.target_channel_size;
        let is_old = self.l1_head >= first.seen_at.saturating_add(self.config.max_channel_duration);
        let is_urgent = self.window_left().is_some_and(|left| left < self.config.window_margin);
        if !(is_large || is_old || is_urgent || self.flushing) {
            return None;
        }
        let rlp: Vec<u8> =
            self.blocks.range(open_from..open_from + count).flat_map(|block| block.rlp.iter().copied()).collect();
        let first_block = first.id;
        let numbers = (first_block.number, first_block.number + count as u64 - 1);
        let unique = unique(first_block.hash, self.l1_head, self.next_id);
        let (channel, compressed) = ClosedChannel::new(&self.config, numbers, &rlp, &unique, &mut self.next_id);
        self.ratio = (compressed * 1024 / rlp.len().max(1)).clamp(16, 1100);
        self.flushing &= open_from + count < self.blocks.len();
        self.channels.push_back(channel);
        Some(())
    }
}
