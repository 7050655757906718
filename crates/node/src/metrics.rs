//! Counters and gauges in the Prometheus text format.

use std::{
    fmt::{Display, Write as _},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

use crate::phases::Phases;

/// What an operator watches and pages on. Heads, pool and faults are read from their owners when the text is made.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Blocks this node built as the sequencer.
    pub(crate) blocks_built: AtomicU64,
    /// Milliseconds that the newest built block came after its timestamp.
    pub(crate) block_delay_ms: AtomicU64,
    /// Blocks derived from L1 that were not known before.
    pub(crate) blocks_derived: AtomicU64,
    /// Unsafe blocks taken over from another node.
    pub(crate) blocks_followed: AtomicU64,
    /// Transactions of the blocks that were added, deposits included.
    pub(crate) transactions: AtomicU64,
    /// Gas that they used.
    pub(crate) gas_used: AtomicU64,
    /// Blocks removed from the canonical chain.
    pub(crate) blocks_unwound: AtomicU64,
    /// Derivations that started over.
    pub(crate) resets: AtomicU64,
    /// Requests to L1 that failed.
    pub(crate) l1_errors: AtomicU64,
    /// Batch transactions that were handed to L1.
    pub(crate) batches_sent: AtomicU64,
    /// Of these, the ones that will not be included.
    pub(crate) batches_failed: AtomicU64,
    /// Times that one was offered again at a higher price.
    pub(crate) batches_replaced: AtomicU64,
    /// Bytes of calldata of the batch transactions that L1 included.
    pub(crate) batcher_bytes: AtomicU64,
    /// Gas that they used.
    pub(crate) batcher_gas: AtomicU64,
    /// What they cost, in wei: more than 64 bits hold.
    pub(crate) batcher_spent_wei: Mutex<u128>,
    /// Batch transactions that L1 included.
    pub(crate) batches_posted: AtomicU64,
    /// Output roots that L1 included.
    pub(crate) outputs_proposed: AtomicU64,
    /// Balance of the batcher on L1, in gwei. At zero, the chain stops becoming safe.
    pub(crate) batcher_balance_gwei: AtomicU64,
    /// Where time went.
    pub(crate) phases: Phases,
}

impl Metrics {
    /// Adds one.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Relaxed);
    }

    /// The text, with `gauges` (name, help, value) that others own.
    pub(crate) fn render(&self, gauges: &[(&str, &str, u64)]) -> String {
        let counters = [
            ("blocks_built_total", "Blocks built by this sequencer", &self.blocks_built),
            ("blocks_derived_total", "Blocks derived from L1 that were new", &self.blocks_derived),
            ("blocks_followed_total", "Unsafe blocks taken over from another node", &self.blocks_followed),
            ("transactions_total", "Transactions of the blocks that were added, deposits included", &self.transactions),
            ("gas_used_total", "Gas used in the blocks that were added", &self.gas_used),
            ("blocks_unwound_total", "Blocks removed from the canonical chain", &self.blocks_unwound),
            ("derivation_resets_total", "Times that derivation started over", &self.resets),
            ("l1_errors_total", "Requests to L1 that failed", &self.l1_errors),
            ("batches_sent_total", "Batch transactions handed to L1", &self.batches_sent),
            ("batches_failed_total", "Batch transactions that will not be included", &self.batches_failed),
            ("batches_replaced_total", "Times that a batch was offered at a higher price", &self.batches_replaced),
            ("batcher_bytes_total", "Bytes of calldata of the batches that L1 included", &self.batcher_bytes),
            ("batcher_gas_total", "Gas that L1 took for batches", &self.batcher_gas),
            ("batches_posted_total", "Batch transactions included by L1", &self.batches_posted),
            ("outputs_proposed_total", "Output roots included by L1", &self.outputs_proposed),
        ];
        let own = [
            ("block_delay_milliseconds", "How late the newest built block was", &self.block_delay_ms),
            ("batcher_balance_gwei", "Balance of the batcher on L1", &self.batcher_balance_gwei),
        ];
        let mut text = String::new();
        self.phases.render(&mut text);
        for (name, help, value) in counters {
            line(&mut text, name, help, "counter", value.load(Relaxed));
        }
        let spent = *self.batcher_spent_wei.lock();
        line(&mut text, "batcher_spent_wei_total", "What batches cost on L1", "counter", spent);
        for (name, help, value) in own {
            line(&mut text, name, help, "gauge", value.load(Relaxed));
        }
        for (name, help, value) in gauges {
            line(&mut text, name, help, "gauge", *value);
        }
        text
    }
}

fn line(text: &mut String, name: &str, help: &str, kind: &str, value: impl Display) {
    // Writing to a string cannot fail.
    let _ =
        writeln!(text, "# HELP openledger_{name} {help}\n# TYPE openledger_{name} {kind}\nopenledger_{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_prometheus_reads() {
        let metrics = Metrics::default();
        Metrics::count(&metrics.blocks_built);
        let text = metrics.render(&[("l2_latest", "Newest L2 block", 7)]);
        assert!(text.contains("# TYPE openledger_blocks_built_total counter\nopenledger_blocks_built_total 1\n"));
        assert!(text.ends_with("# TYPE openledger_l2_latest gauge\nopenledger_l2_latest 7\n"));
    }
}
