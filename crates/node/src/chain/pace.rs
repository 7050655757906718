//! How much of a block's time its transactions may take, so that the block is done in time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// What blocks took after their transactions had run (roots, disk, pool), in parts per 1024 of what the transactions took.
#[derive(Debug)]
pub(super) struct Pace(AtomicU64);

impl Pace {
    /// As much again as the transactions: what is assumed before the first measurement.
    const UNKNOWN: u64 = 1024;
    /// Eight times as much: a block never gets less than a ninth of its time for transactions.
    const WORST: u64 = 8 * 1024;
    /// Costs that every block has say nothing about blocks that are full.
    const LEAST: Duration = Duration::from_millis(20);

    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(Self::UNKNOWN))
    }

    /// How long transactions may run in a block that has so much time. A tenth is kept for the unexpected.
    pub(super) fn time_to_execute(&self, block: Duration) -> Duration {
        let after = self.0.load(Relaxed);
        let micros = block.as_micros() as u64 * 9 / 10;
        Duration::from_micros(micros * 1024 / (1024 + after))
    }

    /// Takes a measurement in: a worse one at once, a better one by a quarter.
    pub(super) fn measured(&self, executing: Duration, after: Duration) {
        if executing < Self::LEAST {
            return;
        }
        let share = after.as_micros() as u64 * 1024 / executing.as_micros() as u64;
        let known = self.0.load(Relaxed);
        self.0.store(share.max((3 * known + share) / 4).min(Self::WORST), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_block_whose_end_takes_long_stops_early() {
        let pace = Pace::new();
        assert_eq!(pace.time_to_execute(ms(1000)), ms(450));
        // Twice as long after the transactions as with them.
        pace.measured(ms(300), ms(600));
        assert_eq!(pace.time_to_execute(ms(1000)), ms(300));
        // An empty block says nothing.
        pace.measured(ms(1), ms(10));
        assert_eq!(pace.time_to_execute(ms(1000)), ms(300));
        // Better ones are believed slowly.
        for _ in 0..50 {
            let before = pace.time_to_execute(ms(1000));
            pace.measured(ms(800), ms(80));
            assert!(pace.time_to_execute(ms(1000)) >= before);
        }
        assert!(pace.time_to_execute(ms(1000)) > ms(800));
        pace.measured(ms(20), ms(60_000));
        assert_eq!(pace.time_to_execute(ms(1000)), ms(100));
    }
}
