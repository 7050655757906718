//! How far a node is that has much to catch up with: a line now and then, and one when it is done.

use std::time::{Duration, Instant};

use openledger_primitives::{L1BlockRef, RollupConfig};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// Fewer blocks than these are no news: L1's, or those of the node that is followed.
const WORTH_SAYING: u64 = 10;

/// Where a node is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Number of the newest L2 block that it has from there.
    pub(crate) l2_block: u64,
    /// How many there are; for L1, about.
    pub(crate) l2_total: u64,
    /// Numbers of the L1 block that was read last and of the newest; none where blocks come from another node.
    pub(crate) l1: Option<(u64, u64)>,
}

impl Position {
    /// A node with this safe head that has read L1 up to `l1_block`. Each L2 block has its time, so L1's clock tells how many there are.
    pub(crate) fn in_l1(config: &RollupConfig, l2_block: u64, l1_block: u64, l1_head: &L1BlockRef) -> Self {
        let age = l1_head.timestamp.saturating_sub(config.genesis.l2_time);
        let l2_total = (config.genesis.l2.number + age / config.block_time.max(1)).max(l2_block);
        Self { l2_block, l2_total, l1: Some((l1_block, l1_head.number)) }
    }

    /// A node that takes its blocks from one whose newest is `l2_total`.
    pub(crate) const fn behind_node(l2_block: u64, l2_total: u64) -> Self {
        Self { l2_block, l2_total, l1: None }
    }

    const fn is_near(&self) -> bool {
        let (at, end) = match self.l1 {
            Some(l1) => l1,
            None => (self.l2_block, self.l2_total),
        };
        at + WORTH_SAYING > end
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
        let Position { l2_block, l2_total, l1 } = at;
        if self.begun.is_none() && at.is_near() {
            return None;
        }
        let (begun, _) = *self.begun.get_or_insert((now, l2_block));
        let (before, from) = *self.said.get_or_insert((begun, l2_block));
        let passed = now.saturating_duration_since(before);
        if now != begun && passed < INTERVAL {
            return None;
        }
        self.said = Some((now, l2_block));
        let mut line = match l1 {
            Some((l1_block, l1_head)) => {
                format!("derived L2 block {l2_block} of about {l2_total}, L1 block {l1_block} of {l1_head}")
            }
            None => format!("executed L2 block {l2_block} of {l2_total}"),
        };
        let rate = l2_block.saturating_sub(from) as f64 / passed.as_secs_f64();
        if rate.is_finite() && rate > 0.0 {
            let left = human((l2_total.saturating_sub(l2_block) as f64 / rate) as u64);
            line += &format!(", {rate:.1} blocks/s, about {left} left");
        }
        Some(line)
    }

    /// All is read. Returns what to say, if there was much.
    pub(crate) fn done(&mut self, now: Instant, l2_block: u64) -> Option<String> {
        let (begun, first) = self.begun.take()?;
        self.said = None;
        let took = human(now.saturating_duration_since(begun).as_secs());
        Some(format!("L2 block {l2_block}, {} blocks in {took}", l2_block.saturating_sub(first)))
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
        let at = |l2_block, l1_block| Position { l2_block, l2_total: 2000, l1: Some((l1_block, 1000)) };
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

        assert_eq!(catch_up.done(after(90), 2000).unwrap(), "L2 block 2000, 1993 blocks in 1 min");
        // At the end of L1 each new block is no news.
        assert_eq!(catch_up.advanced(after(91), at(2000, 999)), None);
        assert_eq!(catch_up.done(after(91), 2002), None);
    }

    #[test]
    fn blocks_from_another_node_are_said_without_l1() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut catch_up = CatchUp::default();
        // A few blocks behind is no news; whoever has begun to tell goes on to the end.
        assert_eq!(catch_up.advanced(start, Position::behind_node(991, 1000)), None);
        let mut say = |seconds, block, total| catch_up.advanced(after(seconds), Position::behind_node(block, total));
        assert_eq!(say(0, 32, 1000).unwrap(), "executed L2 block 32 of 1000");
        assert_eq!(say(9, 300, 1004), None);
        assert_eq!(say(10, 332, 1005).unwrap(), "executed L2 block 332 of 1005, 30.0 blocks/s, about 22 s left");
        assert_eq!(say(20, 1008, 1010).unwrap(), "executed L2 block 1008 of 1010, 67.6 blocks/s, about 0 s left");
        assert_eq!(catch_up.done(after(21), 1010).unwrap(), "L2 block 1010, 978 blocks in 21 s");
        assert_eq!(catch_up.done(after(23), 1011), None);
    }

    #[test]
    fn time_is_said_in_units_that_people_use() {
        let said = [59, 60, 3599, 3600, 86_399, 86_400, 863_999].map(human);
        assert_eq!(said, ["59 s", "1 min", "59 min", "1 h 0 min", "23 h 59 min", "1 d 0 h", "9 d 23 h"]);
    }
}
