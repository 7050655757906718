/// When channels are closed and how they are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatcherConfig {
    /// Largest calldata of one L1 transaction, in bytes. Geth's pool refuses transactions above 131,072 bytes.
    pub max_payload_size: usize,
    /// A channel is closed when its compressed size is expected to reach this, in bytes.
    pub target_channel_size: usize,
    /// A channel is closed when its first block has waited for this many L1 blocks.
    pub max_channel_duration: u64,
    /// A channel is also closed when fewer than this many L1 blocks remain until the sequencing window of its oldest block is over; at
    /// most a quarter of the window counts.
    pub window_margin: u64,
    /// Transactions that may be on their way at the same time. Geth's pool holds 16 times 32 KiB for an account even when it is full,
    /// which is 4 of the largest.
    pub max_in_flight: usize,
    /// Brotli quality, 0 (fast) to 11 (small). Above 5 transfers, whose signatures do not compress, get no smaller.
    pub compression_quality: u8,
    /// Uncompressed bytes above which [`Self::busy_quality`] holds for a channel.
    pub busy_channel_size: usize,
    /// Brotli quality of the channels of a busy chain: then the processor is needed to make blocks.
    pub busy_quality: u8,
}

impl Default for BatcherConfig {
    fn default() -> Self {
        Self {
            max_payload_size: 120_000,
            target_channel_size: 110_000,
            max_channel_duration: 2,
            window_margin: 100,
            max_in_flight: 4,
            compression_quality: 5,
            busy_channel_size: 1 << 20,
            busy_quality: 4,
        }
    }
}
