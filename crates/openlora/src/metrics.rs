use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::engine::Gauges;

/// Counters of the HTTP side.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) unpaid: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) cancelled: AtomicU64,
    pub(crate) receipts: AtomicU64,
    pub(crate) settled: AtomicU64,
    pub(crate) settlement_failures: AtomicU64,
    pub(crate) tokens_in: AtomicU64,
    pub(crate) tokens_out: AtomicU64,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// In Prometheus' text format.
    pub(crate) fn render(&self, gauges: &Gauges, unsettled: usize) -> String {
        let mut out = String::new();
        let mut line = |name: &str, kind: &str, help: &str, value: u64| {
            let _ =
                writeln!(out, "# HELP openlora_{name} {help}\n# TYPE openlora_{name} {kind}\nopenlora_{name} {value}");
        };
        for (name, help, counter) in [
            ("requests_total", "Completion requests received.", &self.requests),
            ("requests_refused_total", "Requests that were answered with an error.", &self.refused),
            ("requests_unpaid_total", "Requests answered with status 402.", &self.unpaid),
            ("requests_busy_total", "Requests turned away with status 429.", &self.busy),
            ("requests_cancelled_total", "Answers that the client did not wait for.", &self.cancelled),
            ("receipts_total", "Receipts signed.", &self.receipts),
            ("receipts_settled_total", "Receipts seen settled on chain.", &self.settled),
            ("settlement_failures_total", "Settlement attempts that failed.", &self.settlement_failures),
            ("prompt_tokens_total", "Prompt tokens of answered requests.", &self.tokens_in),
            ("completion_tokens_total", "Tokens of answers.", &self.tokens_out),
        ] {
            line(name, "counter", help, counter.load(Ordering::Relaxed));
        }
        for (name, kind, help, gauge) in [
            ("batch_sequences", "gauge", "Answers being generated.", &gauges.running),
            ("queue_length", "gauge", "Requests waiting.", &gauges.waiting),
            ("generated_tokens_total", "counter", "Tokens sampled.", &gauges.generated),
            ("prefilled_tokens_total", "counter", "Prompt tokens run through the model.", &gauges.prefilled),
            ("steps_total", "counter", "Forward passes.", &gauges.steps),
        ] {
            line(name, kind, help, gauge.load(Ordering::Relaxed) as u64);
        }
        line("receipts_unsettled", "gauge", "Receipts that wait for settlement.", unsettled as u64);
        out
    }
}
