//! Where the node's time goes: one counter for each thing that it does for a transaction.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// What time is spent on. No two of them overlap on one thread.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Phase {
    /// Decoding transactions and recovering who signed them.
    Recover,
    /// Checking against the pool, the pool's journal, and following blocks.
    Pool,
    /// Running transactions in the EVM, state reads included.
    Execute,
    /// Hashing state, transactions and receipts into the header.
    Root,
    /// Writing a block to disk.
    Commit,
    /// Reading requests and writing answers over HTTP, without the work that they ask for.
    Rpc,
}

impl Phase {
    pub(crate) const ALL: [(Self, &'static str); 6] = [
        (Self::Recover, "recover"),
        (Self::Pool, "pool"),
        (Self::Execute, "execute"),
        (Self::Root, "root"),
        (Self::Commit, "commit"),
        (Self::Rpc, "rpc"),
    ];
}

/// Nanoseconds spent on each phase, of all threads together.
#[derive(Debug, Default)]
pub(crate) struct Phases([AtomicU64; Phase::ALL.len()]);

impl Phases {
    /// Adds time.
    pub(crate) fn add(&self, phase: Phase, spent: Duration) {
        self.0[phase as usize].fetch_add(spent.as_nanos() as u64, Relaxed);
    }

    /// What a phase took so far.
    pub(crate) fn spent(&self, phase: Phase) -> Duration {
        Duration::from_nanos(self.0[phase as usize].load(Relaxed))
    }

    /// Does something on the clock of a phase.
    pub(crate) fn time<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = work();
        self.add(phase, begun.elapsed());
        result
    }

    /// Appends the counters in the Prometheus text format, in seconds.
    pub(crate) fn render(&self, text: &mut String) {
        text.push_str("# HELP openledger_phase_seconds_total Time that the node's threads spent on each phase\n");
        text.push_str("# TYPE openledger_phase_seconds_total counter\n");
        for (phase, name) in Phase::ALL {
            let spent = self.spent(phase);
            let (seconds, nanos) = (spent.as_secs(), spent.subsec_nanos());
            // Writing to a string cannot fail.
            let _ = writeln!(text, "openledger_phase_seconds_total{{phase=\"{name}\"}} {seconds}.{nanos:09}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_has_its_counter_in_seconds() {
        let phases = Phases::default();
        phases.add(Phase::Commit, Duration::from_millis(1_250));
        phases.add(Phase::Commit, Duration::from_nanos(5));
        assert_eq!(phases.time(Phase::Rpc, || 7), 7);
        let mut text = String::new();
        phases.render(&mut text);
        assert!(text.contains("# TYPE openledger_phase_seconds_total counter\n"));
        assert!(text.contains("openledger_phase_seconds_total{phase=\"commit\"} 1.250000005\n"));
        assert!(text.contains("openledger_phase_seconds_total{phase=\"root\"} 0.000000000\n"));
        assert_eq!(text.lines().count(), 2 + Phase::ALL.len());
    }
}
