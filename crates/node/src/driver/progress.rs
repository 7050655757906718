//! How far a node is that has much to catch up with: a line now and then, and one when it is done.

use std::time::{Duration, Instant};

use openledger_primitives::{L1BlockRef, RollupConfig};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// Fewer L1 blocks than these are no news.
const WORTH_SAYING: u64 = 10;

/// Where a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Number of the newest L2 block that L1 prescribes.
    pub(crate) l2_block: u64,
    /// About how many there are.
    pub(crate) l2_total: u64,
    /// Number of the L1 block that was read last.
    pub(crate) l1_block: u64,
    /// Number of the newest L1 block.
    pub(crate) l1_head: u64,
}

impl Position {
    /// A node with this safe head that has read L1 up to `l1_block`. Each L2 block has its time, so L1's clock tells how many there are.
    pub(crate) fn new(config: &RollupConfig, l2_block: u64, l1_block: u64, l1_head: &L1BlockRef) -> Self {
        let age = l1_head.timestamp.saturating_sub(config.genesis.l2_time);
        let l2_total = (config.genesis.l2.number + age / config.block_time.max(1)).max(l2_block);
        Self { l2_block, l2_total, l1_block, l1_head: l1_head.number }
    }
}

/// What it says about that.
#[derive(Debug, Default)]
pub(crate) struct CatchUp {
    /// When it began, and where.
    begun: Option<(Instant, u64)>,
    /// The same of the line before.
    said: Option<(Instant, u64)>,
}

impl CatchUp {
    /// There is more to read. Returns what to say, if it is time to.
    pub(crate) fn advanced(&mut self, now: Instant, at: Position) -> Option<String> {
        let Position { l2_block, l2_total, l1_block, l1_head } = at;
        if self.begun.is_none() && l1_block + WORTH_SAYING > l1_head {
            return None;
        }
        let (begun, _) = *self.begun.get_or_insert((now, l2_block));
        let (before, from) = *self.said.get_or_insert((begun, l2_block));
        let passed = now.saturating_duration_since(before);
        if now != begun && passed < INTERVAL {
            return None;
        }
        self.said = Some((now, l2_block));
        let mut line = format!("derived L2 block {l2_block} of about {l2_total}, L1 block {l1_block} of {l1_head}");
        let rate = l2_block.saturating_sub(from) as f64 / passed.as_secs_f64();
        if rate.is_finite() && rate > 0.0 {
            let left = human(((l2_total - l2_block) as f64 / rate) as u64);
            line += &format!(", {rate:.1} blocks/s, about {left} left");
        }
        Some(line)
    }

    /// All is read. Returns what to say, if there was much.
    pub(crate) fn done(&mut self, now: Instant, l2_block: u64) -> Option<String> {
        let (begun, first) = self.begun.take()?;
        self.said = None;
        let took = human(now.saturating_duration_since(begun).as_secs());
        Some(format!("derived L2 block {l2_block}, {} blocks in {took}", l2_block.saturating_sub(first)))
    }
}

/// `59 s`, `59 min`, `23 h 59 min`, `9 d 23 h`.
fn human(seconds: u64) -> String {
    let minutes = seconds / 60;
    match minutes {
        0 => format!("{seconds} s"),
        1..60 => format!("{minutes} min"),
        60..1440 => format!("{} h {} min", minutes / 60, minutes % 60),
        _ => format!("{} d {} h", minutes / 1440, minutes / 60 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_every_ten_seconds_and_one_at_the_end() {
        let at = |l2_block, l1_block| Position { l2_block, l2_total: 2000, l1_block, l1_head: 1000 };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut catch_up = CatchUp::default();

        let mut say = |seconds, position| catch_up.advanced(after(seconds), position);
        let line = say(0, at(7, 3)).unwrap();
        assert_eq!(line, "derived L2 block 7 of about 2000, L1 block 3 of 1000");
        assert_eq!(say(1, at(100, 50)), None);
        assert_eq!(say(9, at(500, 250)), None);
        let line = say(10, at(507, 253)).unwrap();
        assert_eq!(line, "derived L2 block 507 of about 2000, L1 block 253 of 1000, 50.0 blocks/s, about 29 s left");
        assert_eq!(say(19, at(510, 255)), None);
        let line = say(20, at(517, 258)).unwrap();
        assert_eq!(line, "derived L2 block 517 of about 2000, L1 block 258 of 1000, 1.0 blocks/s, about 24 min left");
        assert_eq!(say(30, at(517, 300)).unwrap(), "derived L2 block 517 of about 2000, L1 block 300 of 1000");

        assert_eq!(catch_up.done(after(90), 2000).unwrap(), "derived L2 block 2000, 1993 blocks in 1 min");
        // At the end of L1 each new block is no news.
        assert_eq!(catch_up.advanced(after(91), at(2000, 999)), None);
        assert_eq!(catch_up.done(after(91), 2002), None);
    }

    #[test]
    fn time_is_said_in_units_that_people_use() {
        let said = [59, 60, 3599, 3600, 86_399, 86_400, 863_999].map(human);
        assert_eq!(said, ["59 s", "1 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "9 d 23 h"]);
    }
}
