use crate::{CHANNEL_VERSION_BROTLI, DecodeError, MAX_RLP_BYTES_PER_CHANNEL};
use alloc::{boxed::Box, vec, vec::Vec};
use alloc_no_stdlib::{Allocator, SliceWrapper, SliceWrapperMut};
use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, HuffmanCode};

/// Low four bits of the first byte of a zlib stream: deflate, and the reserved value that the specification also names.
const ZLIB_METHODS: [u8; 2] = [8, 15];

/// Decompresses a channel, at most [`MAX_RLP_BYTES_PER_CHANNEL`] bytes of it.
///
/// What lies beyond the limit is not read, and of a stream that is corrupt or cut short the bytes before the fault are kept:
/// the batches that are whole count, as for a decoder that streams.
pub fn decompress_channel(channel: &[u8]) -> Result<Vec<u8>, DecodeError> {
    decompress_up_to(channel, MAX_RLP_BYTES_PER_CHANNEL)
}

fn decompress_up_to(channel: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    match channel.split_first() {
        None => Err(DecodeError::EmptyChannel),
        Some((&CHANNEL_VERSION_BROTLI, data)) => Ok(brotli_up_to(data, limit)),
        Some((first, _)) if ZLIB_METHODS.contains(&(first & 0x0f)) => {
            Ok(miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(channel, limit)
                .unwrap_or_else(|error| error.output))
        }
        Some((&first, _)) => Err(DecodeError::UnknownCompression(first)),
    }
}

fn brotli_up_to(data: &[u8], limit: usize) -> Vec<u8> {
    // Strict: the "large window" extension is not part of RFC 7932 and would let a few bytes reserve a gigabyte.
    let mut state = BrotliState::new_strict(Heap, Heap, Heap);
    let (mut available_in, mut input_offset) = (data.len(), 0);
    let (mut output_offset, mut total) = (0, 0);
    let mut output = vec![0; data.len().saturating_mul(4).clamp(1024, limit.max(1024)).min(limit)];
    loop {
        let mut available_out = output.len() - output_offset;
        let result = BrotliDecompressStream(
            &mut available_in,
            &mut input_offset,
            data,
            &mut available_out,
            &mut output_offset,
            &mut output,
            &mut total,
            &mut state,
        );
        if !matches!(result, BrotliResult::NeedsMoreOutput) || output.len() == limit {
            break;
        }
        output.resize(output.len().saturating_mul(2).min(limit), 0);
    }
    output.truncate(output_offset);
    output
}

/// Compresses the RLP of a channel's batches with brotli, `quality` 0 (fast) to 11 (small), and puts the version byte first.
#[cfg(feature = "std")]
pub fn compress_channel(rlp: &[u8], quality: u8) -> Vec<u8> {
    // Below quality 5 it is time that matters. Told of a large input, the encoder takes tables that are larger than a processor's
    // caches: with these settings it is three times as fast for 2 % more bytes.
    let (lgwin, size_hint) = if quality < 5 { (20, 0) } else { (22, rlp.len()) };
    let params = brotli::enc::BrotliEncoderParams {
        quality: i32::from(quality.min(11)),
        lgwin,
        size_hint,
        ..Default::default()
    };
    let mut out = Vec::from([CHANNEL_VERSION_BROTLI]);
    let mut input = rlp;
    brotli::BrotliCompress(&mut input, &mut out, &params).expect("memory can be read and written");
    out
}

/// The decoder's memory on the heap of `alloc`.
#[derive(Default)]
struct Heap;

struct Memory<T>(Box<[T]>);

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Box::default())
    }
}

impl<T> SliceWrapper<T> for Memory<T> {
    fn slice(&self) -> &[T] {
        &self.0
    }
}

impl<T> SliceWrapperMut<T> for Memory<T> {
    fn slice_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

macro_rules! heap_allocator {
    ($($item:ty),*) => {$(
        impl Allocator<$item> for Heap {
            type AllocatedMemory = Memory<$item>;

            fn alloc_cell(&mut self, len: usize) -> Memory<$item> {
                Memory(vec![<$item>::default(); len].into_boxed_slice())
            }

            fn free_cell(&mut self, _: Memory<$item>) {}
        }
    )*};
}

// The indexing traits that the decoder asks of its memory.
macro_rules! index {
    ($($range:ty => $output:ty),*) => {$(
        impl<T> core::ops::Index<$range> for Memory<T> {
            type Output = $output;

            fn index(&self, index: $range) -> &$output {
                &self.0[index]
            }
        }

        impl<T> core::ops::IndexMut<$range> for Memory<T> {
            fn index_mut(&mut self, index: $range) -> &mut $output {
                &mut self.0[index]
            }
        }
    )*};
}

heap_allocator!(u8, u32, HuffmanCode);
index!(usize => T, core::ops::Range<usize> => [T]);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_limit_clips_instead_of_failing() {
        let bomb = vec![0; 3_000_000];
        let compressed = compress_channel(&bomb, 9);
        assert!(compressed.len() < 1000);
        assert_eq!(decompress_up_to(&compressed, 1_000_000).unwrap(), vec![0; 1_000_000]);
        assert_eq!(decompress_channel(&compressed).unwrap(), bomb);
        let zlib = miniz_oxide::deflate::compress_to_vec_zlib(&bomb, 6);
        assert_eq!(decompress_up_to(&zlib, 1_000_000).unwrap().len(), 1_000_000);
        assert_eq!(decompress_channel(&zlib).unwrap(), bomb);
    }

    #[test]
    fn other_first_bytes_are_refused() {
        assert_eq!(decompress_channel(&[]), Err(DecodeError::EmptyChannel));
        assert_eq!(decompress_channel(&[0]), Err(DecodeError::UnknownCompression(0)));
        assert_eq!(decompress_channel(&[2, 1]), Err(DecodeError::UnknownCompression(2)));
    }

    #[test]
    fn large_windows_are_refused() {
        // Window bits 0b0010001 (large window marker) then 30 bits: the strict decoder stops at once.
        assert!(decompress_channel(&[1, 0x11, 0x1e, 0x00, 0x00]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn compression_survives_the_round_trip(data in proptest::collection::vec(any::<u8>(), 0..5000), quality in 0u8..=11) {
            prop_assert_eq!(decompress_channel(&compress_channel(&data, quality)).unwrap(), data);
        }

        #[test]
        fn arbitrary_bytes_never_panic(mut data in proptest::collection::vec(any::<u8>(), 1..400), first in 0usize..3) {
            data[0] = [1, 0x78, 0x0f][first];
            let _ = decompress_up_to(&data, 100_000);
        }

        #[test]
        fn corrupted_streams_never_panic(
            data in proptest::collection::vec(0u8..4, 0..2000), position in any::<proptest::sample::Index>(), bit in 0u8..8,
        ) {
            let mut compressed = compress_channel(&data, 5);
            let position = position.index(compressed.len());
            compressed[position] ^= 1 << bit;
            let _ = decompress_up_to(&compressed, 100_000);
            let _ = decompress_up_to(&compressed[..position], 100_000);
        }
    }
}
