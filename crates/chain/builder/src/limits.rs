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
    /// How far the batcher may fall behind, in bytes: at 120 kB in each of 4 transactions of an L1 block, 140 L1 blocks. It is far
    /// below what a sequencing window of 3600 L1 blocks can take, after which blocks would be reorganised away.
    pub const MAX_BACKLOG: u64 = 64 << 20;
    /// A block takes at most this share of the room that the backlog leaves: 4 MiB when there is none, which is well below what a
    /// channel may hold (100 MB since Fjord), and less and less as the backlog grows. So a burst goes through, and what is sustained
    /// settles at what L1 takes.
    const SHARE: u64 = 16;
    /// What a block may take in any case.
    const LEAST_DATA_BYTES: u64 = 20_000;

    /// The limits while the batcher has `backlog` bytes to post.
    pub fn with_backlog(backlog: u64) -> Self {
        let room = Self::MAX_BACKLOG.saturating_sub(backlog) / Self::SHARE;
        Self { data_bytes: room.max(Self::LEAST_DATA_BYTES) as usize, ..Self::default() }
    }
}

impl Default for BuildLimits {
    /// None.
    fn default() -> Self {
        Self { gas: u64::MAX, data_bytes: usize::MAX, transactions: usize::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_become_smaller_as_the_backlog_grows() {
        let limit = |backlog| BuildLimits::with_backlog(backlog).data_bytes;
        assert_eq!(limit(0), 4 << 20);
        assert_eq!(limit(48 << 20), 1 << 20);
        assert_eq!(limit(64 << 20), 20_000);
        assert_eq!(limit(u64::MAX), 20_000);
        // Whoever always fills blocks never gets far above the largest backlog.
        let mut backlog = 0;
        for _ in 0..1000 {
            backlog += limit(backlog) as u64;
        }
        assert!(backlog < (64 << 20) + 1000 * 20_000);
    }
}
