/// What a block may take from the pool, besides the block's gas limit and data footprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    /// Gas that pool transactions may use together.
    pub gas: u64,
    /// Bytes that pool transactions may have together, encoded and not compressed: what the batcher will have to post.
    pub data_bytes: usize,
    /// Number of pool transactions.
    pub transactions: usize,
}

impl BuildLimits {
    /// Data that does not compress then takes three transactions of calldata on L1, whose pools accept 128 KiB each.
    pub const DEFAULT_DATA_BYTES: usize = 360_000;
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self { gas: u64::MAX, data_bytes: Self::DEFAULT_DATA_BYTES, transactions: usize::MAX }
    }
}
