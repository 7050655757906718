use crate::{ChannelId, FRAME_OVERHEAD, Frame, MAX_RLP_BYTES_PER_CHANNEL};
use alloc::vec::Vec;
use alloy_primitives::Bytes;

/// A complete channel, still compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub id: ChannelId,
    /// L1 block of its first frame.
    pub opened_at: u64,
    /// The data of its frames, in order.
    pub data: Bytes,
}

/// Why a frame was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameDrop {
    /// No channel is open (it timed out, or its first frame was never posted).
    NoChannel,
    /// Another channel is open.
    OtherChannel,
    /// The channel is open, but this is not its next frame.
    OutOfOrder,
    /// The channel grew beyond the limit and was dropped with this frame.
    ChannelTooLarge,
}

/// What a frame led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// The frame was added; the channel goes on.
    Open,
    /// The frame completed the channel.
    Complete(Channel),
    /// The frame was dropped.
    Dropped(FrameDrop),
}

#[derive(Clone, Debug)]
struct Staging {
    id: ChannelId,
    opened_at: u64,
    next_frame: u32,
    size: usize,
    data: Vec<u8>,
}

/// Puts frames together under the rules of Holocene: one channel at a time, its frames strictly in order, within
/// `lifetime` L1 blocks of the first one (holocene/derivation.md, "Channel Bank").
#[derive(Clone, Debug)]
pub struct ChannelAssembler {
    lifetime: u64,
    max_size: usize,
    staging: Option<Staging>,
}

impl ChannelAssembler {
    /// `lifetime` is the channel timeout in L1 blocks.
    pub const fn new(lifetime: u64) -> Self {
        Self { lifetime, max_size: MAX_RLP_BYTES_PER_CHANNEL, staging: None }
    }

    /// Forgets the channel that is open.
    pub fn clear(&mut self) {
        self.staging = None;
    }

    /// The channel that is open.
    pub fn open_channel(&self) -> Option<ChannelId> {
        self.staging.as_ref().map(|staging| staging.id)
    }

    /// Drops the open channel if it has timed out by L1 block `l1_block`, and says which one that was.
    pub fn expire(&mut self, l1_block: u64) -> Option<ChannelId> {
        let staging = self.staging.take_if(|staging| staging.opened_at.saturating_add(self.lifetime) < l1_block)?;
        Some(staging.id)
    }

    /// Adds a frame found in L1 block `l1_block`; blocks never go backwards.
    pub fn push(&mut self, frame: &Frame, l1_block: u64) -> Assembled {
        self.expire(l1_block);
        // A first frame always opens a new channel; one that was open is lost.
        if frame.number == 0 {
            self.staging =
                Some(Staging { id: frame.channel, opened_at: l1_block, next_frame: 0, size: 0, data: Vec::new() });
        }
        let Some(staging) = &mut self.staging else { return Assembled::Dropped(FrameDrop::NoChannel) };
        if staging.id != frame.channel {
            return Assembled::Dropped(FrameDrop::OtherChannel);
        }
        if staging.next_frame != u32::from(frame.number) {
            return Assembled::Dropped(FrameDrop::OutOfOrder);
        }
        staging.size += frame.data.len() + FRAME_OVERHEAD;
        if staging.size > self.max_size {
            self.staging = None;
            return Assembled::Dropped(FrameDrop::ChannelTooLarge);
        }
        staging.next_frame += 1;
        staging.data.extend_from_slice(&frame.data);
        if !frame.is_last {
            return Assembled::Open;
        }
        match self.staging.take() {
            Some(Staging { id, opened_at, data, .. }) => {
                Assembled::Complete(Channel { id, opened_at, data: data.into() })
            }
            None => Assembled::Dropped(FrameDrop::NoChannel),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(channel: u8, number: u16, is_last: bool) -> Frame {
        Frame { channel: ChannelId::repeat_byte(channel), number, data: alloc::vec![number as u8].into(), is_last }
    }

    #[test]
    fn frames_in_order_make_a_channel() {
        let mut assembler = ChannelAssembler::new(50);
        assert_eq!(assembler.push(&frame(1, 0, false), 10), Assembled::Open);
        assert_eq!(assembler.push(&frame(1, 1, false), 60), Assembled::Open);
        let channel = Channel { id: ChannelId::repeat_byte(1), opened_at: 10, data: Bytes::from_static(&[0, 1, 2]) };
        assert_eq!(assembler.push(&frame(1, 2, true), 60), Assembled::Complete(channel));
        assert_eq!(assembler.push(&frame(1, 3, true), 60), Assembled::Dropped(FrameDrop::NoChannel));
    }

    #[test]
    fn a_channel_times_out() {
        let mut assembler = ChannelAssembler::new(50);
        assembler.push(&frame(1, 0, false), 10);
        assert_eq!(assembler.push(&frame(1, 1, true), 61), Assembled::Dropped(FrameDrop::NoChannel));
        assembler.push(&frame(2, 0, false), 70);
        assert_eq!(assembler.expire(120), None);
        assert_eq!(assembler.expire(121), Some(ChannelId::repeat_byte(2)));
    }

    #[test]
    fn lost_duplicated_and_foreign_frames_are_dropped() {
        let mut assembler = ChannelAssembler::new(50);
        assert_eq!(assembler.push(&frame(1, 1, true), 1), Assembled::Dropped(FrameDrop::NoChannel));
        assembler.push(&frame(1, 0, false), 1);
        assert_eq!(assembler.push(&frame(1, 2, true), 1), Assembled::Dropped(FrameDrop::OutOfOrder));
        assert_eq!(assembler.push(&frame(2, 1, true), 1), Assembled::Dropped(FrameDrop::OtherChannel));
        assert!(matches!(assembler.push(&frame(1, 1, true), 1), Assembled::Complete(_)));
        // A first frame replaces what is open, even of the same channel.
        assembler.push(&frame(3, 0, false), 1);
        assembler.push(&frame(3, 1, false), 1);
        assembler.push(&frame(3, 0, false), 2);
        assert_eq!(assembler.push(&frame(3, 2, true), 2), Assembled::Dropped(FrameDrop::OutOfOrder));
        assembler.push(&frame(4, 0, false), 2);
        assert_eq!(assembler.open_channel(), Some(ChannelId::repeat_byte(4)));
    }

    #[test]
    fn an_oversized_channel_is_dropped() {
        let mut assembler = ChannelAssembler { lifetime: 50, max_size: 2 * FRAME_OVERHEAD + 2, staging: None };
        assembler.push(&frame(1, 0, false), 1);
        assert_eq!(assembler.push(&frame(1, 1, false), 1), Assembled::Open);
        assert_eq!(assembler.push(&frame(1, 2, true), 1), Assembled::Dropped(FrameDrop::ChannelTooLarge));
        assert_eq!(assembler.open_channel(), None);
    }
}
