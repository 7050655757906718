//! When a load balancer may send requests to this node.

use openledger_rpc::Readiness;

/// L1 blocks that derivation may be behind.
const MAX_L1_LAG: u64 = 10;
/// Blocks that may be missing at the end of the chain, at least [`MIN_AGE`] seconds.
const MAX_MISSING: u64 = 10;
/// Age in seconds that the newest block may have in any case.
const MIN_AGE: u64 = 30;

/// What readiness is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Whether L1 answered the last request.
    pub(crate) l1_reachable: bool,
    /// Whether derivation has been at the end of L1 since the start.
    pub(crate) synced: bool,
    /// Newest L1 block seen.
    pub(crate) l1_head: u64,
    /// L1 block up to which everything is derived.
    pub(crate) l1_derived: u64,
    /// Seconds since the newest L2 block's time, for a node that should have one for each of its times.
    pub(crate) age: Option<u64>,
    /// Whether an operator stopped the sequencer of this node.
    pub(crate) stopped: bool,
    /// Seconds between L2 blocks.
    pub(crate) block_time: u64,
}

impl Position {
    /// Ready, or why not.
    pub(crate) fn readiness(&self) -> Readiness {
        let reason = self.reason();
        Readiness { ready: reason.is_none(), reason }
    }

    fn reason(&self) -> Option<String> {
        let Self { l1_head, l1_derived, .. } = self;
        if !self.l1_reachable {
            return Some("L1 does not answer".to_owned());
        }
        if !self.synced || l1_derived + MAX_L1_LAG < *l1_head {
            return Some(format!("syncing: L1 is derived up to block {l1_derived} of {l1_head}"));
        }
        match self.age {
            Some(age) if age > MIN_AGE.max(MAX_MISSING * self.block_time) => {
                let why = if self.stopped { ": the sequencer is stopped, admin_startSequencer starts it" } else { "" };
                Some(format!("the newest block is {age} s old{why}"))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_ready_at_the_end_of_both_chains() {
        let good = Position {
            l1_reachable: true,
            synced: true,
            l1_head: 100,
            l1_derived: 90,
            age: Some(30),
            stopped: false,
            block_time: 1,
        };
        assert_eq!(good.readiness(), Readiness { ready: true, reason: None });
        assert!(Position { age: None, ..good }.readiness().ready);
        assert!(Position { age: Some(100), block_time: 10, ..good }.readiness().ready);
        for (bad, reason) in [
            (Position { l1_reachable: false, ..good }, "L1 does not answer"),
            (Position { synced: false, ..good }, "syncing: L1 is derived up to block 90 of 100"),
            (Position { l1_derived: 89, ..good }, "syncing: L1 is derived up to block 89 of 100"),
            (Position { age: Some(31), ..good }, "the newest block is 31 s old"),
            (
                Position { age: Some(31), stopped: true, ..good },
                "the newest block is 31 s old: the sequencer is stopped, admin_startSequencer starts it",
            ),
        ] {
            assert_eq!(bad.readiness(), Readiness { ready: false, reason: Some(reason.to_owned()) });
        }
    }
}
