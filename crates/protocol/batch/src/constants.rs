/// First byte of a batcher transaction whose rest is frames.
pub const DERIVATION_VERSION: u8 = 0;
/// Bytes of a frame besides its data: channel id, number, length, last flag.
pub const FRAME_HEADER_LEN: usize = 16 + 2 + 4 + 1;
/// Largest `frame_data_length` that is accepted (derivation.md, "Frame Format").
pub const MAX_FRAME_DATA_LEN: usize = 1_000_000;
/// What a frame counts on top of its data towards the size of a channel.
pub const FRAME_OVERHEAD: usize = 200;
/// Largest channel, compressed (the channel is dropped) and decompressed (the rest is not read), since Fjord.
pub const MAX_RLP_BYTES_PER_CHANNEL: usize = 100_000_000;
/// Most transactions that one batch may list: the cap that the specification sets for span batches, which keeps the memory of
/// a hostile channel within a small multiple of its decompressed size.
pub const MAX_BATCH_TRANSACTIONS: usize = 10_000_000;
/// First byte of a channel compressed with brotli (fjord/derivation.md).
pub const CHANNEL_VERSION_BROTLI: u8 = 1;
/// Gas limit of the L1 attributes deposit.
pub const L1_INFO_GAS_LIMIT: u64 = 1_000_000;
