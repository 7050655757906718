use crate::{BatcherConfig, Payload, PayloadId};
use alloy_primitives::{B256, Bytes, keccak256};
use openledger_batch::{
    ChannelId, FRAME_HEADER_LEN, MAX_FRAME_DATA_LEN, compress_channel, encode_frames, split_channel,
};

/// Where a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Queued,
    InFlight,
    Confirmed(u64),
}

/// A closed channel, cut into transactions, until its blocks are safe.
#[derive(Clone, Debug)]
pub(crate) struct ClosedChannel {
    /// Height of its first block.
    pub(crate) first: u64,
    /// Height of its last block.
    pub(crate) last: u64,
    payloads: Vec<(PayloadId, Bytes, Status)>,
}

impl ClosedChannel {
    /// Compresses the RLP of the blocks `first..=last`. `unique` makes the channel's name one that was not used before.
    pub(crate) fn new(
        config: &BatcherConfig,
        blocks: (u64, u64),
        rlp: &[u8],
        unique: &[u8],
        next_id: &mut u64,
    ) -> (Self, usize) {
        let busy = rlp.len() > config.busy_channel_size;
        let quality = if busy { config.busy_quality } else { config.compression_quality };
        let compressed = Bytes::from(compress_channel(rlp, quality));
        let size = compressed.len();
        let digest = keccak256([keccak256(&compressed).as_slice(), unique].concat());
        let id = ChannelId::from_slice(&digest[..16]);
        // One frame for each transaction; never more than 65,536, because the blocks of a channel are bounded.
        let room = config.max_payload_size.saturating_sub(1 + FRAME_HEADER_LEN);
        let needed = size.div_ceil(usize::from(u16::MAX)).max(1);
        let frame_size = room.clamp(needed, MAX_FRAME_DATA_LEN);
        let frames =
            split_channel(id, &compressed, frame_size).expect("the frame size is within the protocol's limits");
        let mut payload = |frame| {
            *next_id += 1;
            (PayloadId(*next_id), encode_frames([&frame]), Status::Queued)
        };
        let payloads = frames.into_iter().map(&mut payload).collect();
        (Self { first: blocks.0, last: blocks.1, payloads }, size)
    }

    /// Hands out the next payload.
    pub(crate) fn next_payload(&mut self) -> Option<Payload> {
        let (id, data, status) = self.payloads.iter_mut().find(|(_, _, status)| *status == Status::Queued)?;
        *status = Status::InFlight;
        Some(Payload { id: *id, data: data.clone(), first_block: self.first, last_block: self.last })
    }

    pub(crate) fn contains(&self, id: PayloadId) -> bool {
        self.payloads.iter().any(|(candidate, ..)| *candidate == id)
    }

    pub(crate) fn confirm(&mut self, id: PayloadId, l1_block: u64) {
        for (candidate, _, status) in &mut self.payloads {
            if *candidate == id {
                *status = Status::Confirmed(l1_block);
            }
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.payloads.iter().filter(|(_, _, status)| *status == Status::InFlight).count()
    }

    /// Bytes that are not known to be on L1.
    pub(crate) fn unconfirmed_bytes(&self) -> usize {
        let missing = self.payloads.iter().filter(|(_, _, status)| !matches!(status, Status::Confirmed(_)));
        missing.map(|(_, data, _)| data.len()).sum()
    }

    /// The L1 block that completes the channel, once all payloads are on L1.
    pub(crate) fn completed_at(&self) -> Option<u64> {
        self.payloads.iter().try_fold(0, |last, (_, _, status)| match status {
            Status::Confirmed(l1_block) => Some(last.max(*l1_block)),
            _ => None,
        })
    }

    /// Whether a frame was included so long before `l1_block` that the missing ones come too late.
    pub(crate) fn is_timed_out(&self, l1_block: u64, lifetime: u64) -> bool {
        let first = self.payloads.iter().filter_map(|(_, _, status)| match status {
            Status::Confirmed(at) => Some(*at),
            _ => None,
        });
        self.completed_at().is_none() && first.min().is_some_and(|first| first.saturating_add(lifetime) < l1_block)
    }
}

/// What makes a channel's name unique: its content is hashed in as well.
pub(crate) fn unique(first_block: B256, l1_head: u64, attempt: u64) -> [u8; 48] {
    let mut out = [0; 48];
    out[..32].copy_from_slice(first_block.as_slice());
    out[32..40].copy_from_slice(&l1_head.to_be_bytes());
    out[40..].copy_from_slice(&attempt.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use openledger_batch::{Frame, parse_frames};

    use super::*;

    #[test]
    fn the_channels_of_a_busy_chain_are_compressed_faster() {
        let config = BatcherConfig { busy_channel_size: 5_000, ..BatcherConfig::default() };
        let text: Vec<u8> = (0u32..2_000).flat_map(|word| (word * word / 7 % 999).to_be_bytes()).collect();
        let compressed = |rlp: &[u8]| {
            let (mut channel, size) = ClosedChannel::new(&config, (1, 1), rlp, &[], &mut 0);
            let payload = channel.next_payload().unwrap();
            let frames: Vec<Frame> = parse_frames(&payload.data).unwrap();
            assert_eq!((frames.len(), frames[0].data.len()), (1, size));
            frames[0].data.to_vec()
        };
        for (rlp, quality, other) in [(&text[..5_000], 5, 4), (&text[..5_001], 4, 5)] {
            assert_eq!(compressed(rlp), compress_channel(rlp, quality));
            assert_ne!(compressed(rlp), compress_channel(rlp, other));
        }
    }
}
