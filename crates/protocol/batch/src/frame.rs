use crate::{DERIVATION_VERSION, DecodeError, FRAME_HEADER_LEN, MAX_FRAME_DATA_LEN};
use alloc::vec::Vec;
use alloy_primitives::{B128, Bytes};

/// Names a channel. Chosen by the batcher and opaque to everybody else.
pub type ChannelId = B128;

/// A piece of a channel: `channel_id ‖ number u16 ‖ length u32 ‖ data ‖ is_last u8` (derivation.md, "Frame Format").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The channel that the data belongs to.
    pub channel: ChannelId,
    /// Position within the channel, from 0.
    pub number: u16,
    /// At most [`MAX_FRAME_DATA_LEN`] bytes of the compressed channel.
    pub data: Bytes,
    /// Whether the channel ends here.
    pub is_last: bool,
}

impl Frame {
    /// Length of the encoding.
    pub const fn encoded_len(&self) -> usize {
        FRAME_HEADER_LEN + self.data.0.len()
    }

    /// Appends the encoding.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let len = u32::try_from(self.data.len()).expect("a frame holds at most MAX_FRAME_DATA_LEN bytes");
        out.extend_from_slice(self.channel.as_slice());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&self.data);
        out.push(u8::from(self.is_last));
    }

    /// Reads the frame that begins at `offset`, sharing the memory of `payload`.
    fn decode_at(payload: &Bytes, offset: usize) -> Result<Self, DecodeError> {
        let available = payload.len() - offset;
        let Some((header, _)) = payload[offset..].split_first_chunk::<22>() else {
            return Err(DecodeError::TruncatedFrame { needed: FRAME_HEADER_LEN, available });
        };
        let [id @ .., n0, n1, l0, l1, l2, l3] = *header;
        let len = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        if len > MAX_FRAME_DATA_LEN {
            return Err(DecodeError::FrameTooLong(len));
        }
        let needed = FRAME_HEADER_LEN + len;
        if available < needed {
            return Err(DecodeError::TruncatedFrame { needed, available });
        }
        let start = offset + header.len();
        let is_last = match payload[start + len] {
            0 => false,
            1 => true,
            other => return Err(DecodeError::InvalidLastFlag(other)),
        };
        Ok(Self {
            channel: ChannelId::new(id),
            number: u16::from_be_bytes([n0, n1]),
            data: payload.slice(start..start + len),
            is_last,
        })
    }
}

/// The data of a batcher transaction: the version byte, then the frames.
pub fn encode_frames<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> Bytes {
    let mut out = Vec::from([DERIVATION_VERSION]);
    frames.into_iter().for_each(|frame| frame.encode(&mut out));
    out.into()
}

/// Reads the data of a batcher transaction. One bad frame makes all of them invalid; there is at least one.
pub fn parse_frames(payload: &Bytes) -> Result<Vec<Frame>, DecodeError> {
    match payload.first() {
        None => return Err(DecodeError::NoFrames),
        Some(&DERIVATION_VERSION) => {}
        Some(&version) => return Err(DecodeError::UnknownVersion(version)),
    }
    let mut frames = Vec::new();
    let mut offset = 1;
    while offset < payload.len() {
        let frame = Frame::decode_at(payload, offset)?;
        offset += frame.encoded_len();
        frames.push(frame);
    }
    if frames.is_empty() { Err(DecodeError::NoFrames) } else { Ok(frames) }
}

/// Drops the frames of one batcher transaction that are out of order (holocene/derivation.md, "Frame Queue"): what stays is
/// ordered and contiguous within each channel, and a channel that is followed by another one is complete.
pub fn prune_frames(frames: Vec<Frame>) -> Vec<Frame> {
    let mut kept: Vec<Frame> = Vec::with_capacity(frames.len());
    for next in frames {
        // A first frame forgets the channel before it unless that was complete; what then stands before it is looked at again.
        while kept.last().is_some_and(|last| last.channel != next.channel && next.number == 0 && !last.is_last) {
            kept.pop();
        }
        let keep = match kept.last() {
            None => true,
            Some(last) if last.channel == next.channel => {
                !last.is_last && last.number.checked_add(1) == Some(next.number)
            }
            Some(_) => next.number == 0,
        };
        if keep {
            kept.push(next);
        }
    }
    kept
}

/// Cuts a compressed channel into frames whose data is at most `max_data_len` bytes.
///
/// Returns `None` if that would take more than 65,536 frames, or if `max_data_len` is 0 or above the protocol's limit.
pub fn split_channel(id: ChannelId, channel: &Bytes, max_data_len: usize) -> Option<Vec<Frame>> {
    if max_data_len == 0 || max_data_len > MAX_FRAME_DATA_LEN {
        return None;
    }
    let count = channel.len().div_ceil(max_data_len).max(1);
    let last = u16::try_from(count - 1).ok()?;
    let frame = |number: u16| {
        let start = usize::from(number) * max_data_len;
        let data = channel.slice(start..(start + max_data_len).min(channel.len()));
        Frame { channel: id, number, data, is_last: number == last }
    };
    Some((0..=last).map(frame).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(channel: u8, number: u16, is_last: bool) -> Frame {
        Frame { channel: ChannelId::repeat_byte(channel), number, data: Bytes::from_static(b"data"), is_last }
    }

    fn numbers(frames: Vec<Frame>) -> Vec<(u8, u16)> {
        prune_frames(frames).iter().map(|frame| (frame.channel[0], frame.number)).collect()
    }

    #[test]
    fn frame_layout_is_that_of_the_specification() {
        let frame = Frame {
            channel: ChannelId::repeat_byte(0xaa),
            number: 0x0102,
            data: Bytes::from_static(&[0xdd, 0xee]),
            is_last: true,
        };
        let mut expected = Vec::from([0u8]);
        expected.extend([0xaa; 16]);
        expected.extend([1, 2, 0, 0, 0, 2, 0xdd, 0xee, 1]);
        assert_eq!(encode_frames([&frame]), Bytes::from(expected));
    }

    #[test]
    fn bad_payloads_are_named() {
        let good = encode_frames(&[frame(1, 0, false), frame(1, 1, true)]);
        assert_eq!(parse_frames(&good).unwrap().len(), 2);
        let cut = good.slice(..good.len() - 1);
        assert!(matches!(parse_frames(&cut), Err(DecodeError::TruncatedFrame { needed: 27, available: 26 })));
        let mut flag = good.to_vec();
        *flag.last_mut().unwrap() = 2;
        assert_eq!(parse_frames(&flag.into()), Err(DecodeError::InvalidLastFlag(2)));
        let mut long = good.to_vec();
        long[19..23].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(parse_frames(&long.into()), Err(DecodeError::FrameTooLong(u32::MAX as usize)));
        assert_eq!(parse_frames(&Bytes::new()), Err(DecodeError::NoFrames));
        assert_eq!(parse_frames(&Bytes::from_static(&[0])), Err(DecodeError::NoFrames));
        assert_eq!(parse_frames(&Bytes::from_static(&[1, 2])), Err(DecodeError::UnknownVersion(1)));
    }

    #[test]
    fn pruning_keeps_only_ordered_frames() {
        // In order, a complete channel followed by the beginning of the next.
        assert_eq!(
            numbers([frame(1, 0, false), frame(1, 1, true), frame(2, 0, false)].into()),
            [(1, 0), (1, 1), (2, 0)]
        );
        // A gap, a duplicate, a frame after the last one.
        assert_eq!(numbers([frame(1, 0, false), frame(1, 2, true)].into()), [(1, 0)]);
        assert_eq!(numbers([frame(1, 0, false), frame(1, 0, true)].into()), [(1, 0)]);
        assert_eq!(numbers([frame(1, 0, true), frame(1, 1, false)].into()), [(1, 0)]);
        // A new channel forgets an incomplete one, but not the complete one before that.
        assert_eq!(
            numbers([frame(1, 0, true), frame(2, 0, false), frame(2, 1, false), frame(3, 0, true)].into()),
            [(1, 0), (3, 0)]
        );
        // A later frame of another channel is out of place; at the front it may continue a channel of an earlier transaction.
        assert_eq!(numbers([frame(1, 0, false), frame(2, 1, false)].into()), [(1, 0)]);
        assert_eq!(numbers([frame(1, 7, false), frame(1, 8, true)].into()), [(1, 7), (1, 8)]);
        // The channel that comes back after an incomplete one was already closed.
        assert_eq!(numbers([frame(1, 0, true), frame(2, 0, false), frame(1, 0, true)].into()), [(1, 0)]);
    }

    #[test]
    fn splitting_respects_the_protocol_limits() {
        let channel = Bytes::from(alloc::vec![7; 10]);
        let frames = split_channel(ChannelId::ZERO, &channel, 4).unwrap();
        assert_eq!(frames.iter().map(|frame| frame.data.len()).collect::<Vec<_>>(), [4, 4, 2]);
        assert_eq!(frames.iter().map(|frame| frame.is_last).collect::<Vec<_>>(), [false, false, true]);
        assert!(split_channel(ChannelId::ZERO, &channel, 0).is_none());
        assert!(split_channel(ChannelId::ZERO, &Bytes::from(alloc::vec![0; 65_537]), 1).is_none());
        assert_eq!(split_channel(ChannelId::ZERO, &Bytes::new(), 1).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn frames_survive_the_round_trip(
            parts in proptest::collection::vec(
                (any::<[u8; 16]>(), any::<u16>(), proptest::collection::vec(any::<u8>(), 0..100), any::<bool>()), 1..6),
        ) {
            let frames: Vec<_> = parts.into_iter().map(|(id, number, data, is_last)| {
                Frame { channel: ChannelId::new(id), number, data: data.into(), is_last }
            }).collect();
            prop_assert_eq!(parse_frames(&encode_frames(&frames)).unwrap(), frames);
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_frames(&bytes.clone().into());
            if bytes.len() > 22 {
                bytes[0] = 0;
                bytes[19..22].fill(0);
                let _ = parse_frames(&bytes.into()).map(prune_frames);
            }
        }
    }
}
