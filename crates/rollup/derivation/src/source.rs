use crate::{DerivationEvent, InboxTransaction};
use alloc::{collections::VecDeque, vec::Vec};
use alloy_primitives::{Address, B256};
use openledger_batch::{
    Assembled, Batch, BatchReader, Channel, ChannelAssembler, ChannelId, Frame, SingleBatch, parse_frames, prune_frames,
};
use openledger_primitives::L1BlockRef;

/// From the batcher's transactions of one L1 block after another to batches: frame queue, channel bank and channel reader of
/// the specification, under Holocene's rules.
#[derive(Clone, Debug)]
pub(crate) struct BatchSource {
    inbox: VecDeque<InboxTransaction>,
    frames: VecDeque<Frame>,
    /// The transaction that the frames and the open reader come from.
    l1_transaction: B256,
    assembler: ChannelAssembler,
    reader: Option<(ChannelId, BatchReader)>,
}

impl BatchSource {
    pub(crate) fn new(channel_lifetime: u64) -> Self {
        Self {
            inbox: VecDeque::new(),
            frames: VecDeque::new(),
            l1_transaction: B256::ZERO,
            assembler: ChannelAssembler::new(channel_lifetime),
            reader: None,
        }
    }

    /// Takes in the transactions of the next L1 block; those of other senders are ignored.
    pub(crate) fn push(&mut self, inbox: Vec<InboxTransaction>, batcher: Address) {
        self.inbox.extend(inbox.into_iter().filter(|transaction| transaction.sender == batcher));
    }

    /// Drops what is left of the channel that is being read.
    pub(crate) fn flush_channel(&mut self) {
        self.reader = None;
    }

    /// The next batch, with the L1 transaction that completed its channel; `None` when the L1 block is exhausted.
    pub(crate) fn next(
        &mut self,
        l1_block: &L1BlockRef,
        events: &mut Vec<DerivationEvent>,
    ) -> Option<(SingleBatch, B256)> {
        loop {
            if let Some((channel, reader)) = &mut self.reader {
                match reader.next() {
                    Some(Ok(Batch::Single(batch))) => return Some((batch, self.l1_transaction)),
                    // Batches of a kind that is read but not yet understood here end the channel.
                    Some(Ok(_)) | None => self.reader = None,
                    Some(Err(error)) => {
                        events.push(DerivationEvent::ChannelUnreadable {
                            channel: *channel,
                            error,
                            l1_block: *l1_block,
                        });
                        self.reader = None;
                    }
                }
            } else if let Some(channel) = self.next_channel(l1_block, events)? {
                match BatchReader::new(&channel.data) {
                    Ok(reader) => self.reader = Some((channel.id, reader)),
                    Err(error) => events.push(DerivationEvent::ChannelUnreadable {
                        channel: channel.id,
                        error,
                        l1_block: *l1_block,
                    }),
                }
            }
        }
    }

    /// Uses one frame or opens one transaction. Outer `None`: the block is exhausted. Inner `None`: no channel was completed.
    fn next_channel(&mut self, l1_block: &L1BlockRef, events: &mut Vec<DerivationEvent>) -> Option<Option<Channel>> {
        if let Some(channel) = self.assembler.expire(l1_block.number) {
            events.push(DerivationEvent::ChannelTimedOut { channel, l1_block: *l1_block });
        }
        let Some(frame) = self.frames.pop_front() else {
            let transaction = self.inbox.pop_front()?;
            match parse_frames(&transaction.payload) {
                Ok(frames) => self.frames = prune_frames(frames).into(),
                Err(error) => events.push(DerivationEvent::PayloadUnreadable {
                    l1_transaction: transaction.hash,
                    error,
                    l1_block: *l1_block,
                }),
            }
            self.l1_transaction = transaction.hash;
            return Some(None);
        };
        match self.assembler.push(&frame, l1_block.number) {
            Assembled::Open => Some(None),
            Assembled::Complete(channel) => Some(Some(channel)),
            Assembled::Dropped(reason) => {
                let Frame { channel, number, .. } = frame;
                events.push(DerivationEvent::FrameDropped { channel, number, reason, l1_block: *l1_block });
                Some(None)
            }
        }
    }
}
