//! What is asked of the server, by method: how often, how long it took, and with which errors it failed.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use parking_lot::Mutex;

/// Upper ends of the histogram's buckets, in seconds.
const BUCKETS: [f64; 8] = [0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];
/// What methods are counted under that the server does not have: clients must not be able to make up names.
pub(crate) const UNKNOWN: &str = "unknown";

/// Counters of each method that there is.
#[derive(Debug)]
pub(crate) struct RpcMetrics(BTreeMap<&'static str, Counters>);

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    /// By code. The codes are those that the server gives.
    errors: Mutex<BTreeMap<i32, u64>>,
    /// Calls that were carried out, by how long that took; the last are those beyond all buckets.
    took: [AtomicU64; BUCKETS.len() + 1],
    nanoseconds: AtomicU64,
}

impl RpcMetrics {
    pub(crate) fn new(methods: impl IntoIterator<Item = &'static str>) -> Self {
        Self(methods.into_iter().chain([UNKNOWN]).map(|name| (name, Counters::default())).collect())
    }

    /// A call that was refused before it was carried out.
    pub(crate) fn refused(&self, method: &str, code: i32) {
        let Some(counters) = self.0.get(method).or_else(|| self.0.get(UNKNOWN)) else { return };
        counters.requests.fetch_add(1, Relaxed);
        *counters.errors.lock().entry(code).or_default() += 1;
    }

    /// A call that was carried out, and the code of the error that came of it.
    pub(crate) fn answered(&self, method: &str, took: Duration, error: Option<i32>) {
        let Some(counters) = self.0.get(method).or_else(|| self.0.get(UNKNOWN)) else { return };
        counters.requests.fetch_add(1, Relaxed);
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|end| seconds <= *end).unwrap_or(BUCKETS.len());
        counters.took[bucket].fetch_add(1, Relaxed);
        counters.nanoseconds.fetch_add(took.as_nanos() as u64, Relaxed);
        if let Some(code) = error {
            *counters.errors.lock().entry(code).or_default() += 1;
        }
    }

    /// A call that was counted before, and is now answered with an error all the same.
    pub(crate) fn failed(&self, method: &str, code: i32) {
        let Some(counters) = self.0.get(method).or_else(|| self.0.get(UNKNOWN)) else { return };
        *counters.errors.lock().entry(code).or_default() += 1;
    }

    /// Appends the counters of the methods that were called, in the Prometheus text format.
    pub(crate) fn render(&self, text: &mut String) {
        let called = || self.0.iter().filter(|(_, counters)| counters.requests.load(Relaxed) > 0);
        // Writing to a string cannot fail.
        head(text, "requests_total", "JSON-RPC calls by method, alone or in a batch", "counter");
        for (method, counters) in called() {
            let count = counters.requests.load(Relaxed);
            let _ = writeln!(text, "openledger_rpc_requests_total{{method=\"{method}\"}} {count}");
        }
        head(text, "errors_total", "JSON-RPC calls that were answered with an error, by method and code", "counter");
        for (method, counters) in called() {
            for (code, count) in &*counters.errors.lock() {
                let _ = writeln!(text, "openledger_rpc_errors_total{{method=\"{method}\",code=\"{code}\"}} {count}");
            }
        }
        head(text, "seconds", "How long JSON-RPC calls took that were carried out", "histogram");
        for (method, counters) in called() {
            let mut so_far = 0;
            let ends = BUCKETS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
            for (end, count) in ends.zip(&counters.took) {
                so_far += count.load(Relaxed);
                let _ = writeln!(text, "openledger_rpc_seconds_bucket{{method=\"{method}\",le=\"{end}\"}} {so_far}");
            }
            let sum = Duration::from_nanos(counters.nanoseconds.load(Relaxed)).as_secs_f64();
            let _ = writeln!(text, "openledger_rpc_seconds_sum{{method=\"{method}\"}} {sum}");
            let _ = writeln!(text, "openledger_rpc_seconds_count{{method=\"{method}\"}} {so_far}");
        }
    }
}

/// What precedes the values of a metric of the server.
pub(crate) fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP openledger_rpc_{name} {help}\n# TYPE openledger_rpc_{name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_clients_make_up_share_one_label() {
        let metrics = RpcMetrics::new(["eth_chainId", "eth_call"]);
        metrics.answered("eth_chainId", Duration::from_millis(1), None);
        metrics.answered("eth_chainId", Duration::from_millis(700), Some(-32602));
        metrics.answered("eth_chainId", Duration::from_secs(60), None);
        metrics.refused("eth_chainId", -32005);
        for name in 0..1000 {
            metrics.answered(&format!("x\"}} 1\n{name}"), Duration::ZERO, Some(-32601));
        }
        let mut text = String::new();
        metrics.render(&mut text);
        for line in [
            "openledger_rpc_requests_total{method=\"eth_chainId\"} 4",
            "openledger_rpc_requests_total{method=\"unknown\"} 1000",
            "openledger_rpc_errors_total{method=\"eth_chainId\",code=\"-32602\"} 1",
            "openledger_rpc_errors_total{method=\"eth_chainId\",code=\"-32005\"} 1",
            "openledger_rpc_errors_total{method=\"unknown\",code=\"-32601\"} 1000",
            "openledger_rpc_seconds_bucket{method=\"eth_chainId\",le=\"0.0005\"} 0",
            "openledger_rpc_seconds_bucket{method=\"eth_chainId\",le=\"0.001\"} 1",
            "openledger_rpc_seconds_bucket{method=\"eth_chainId\",le=\"2.5\"} 2",
            "openledger_rpc_seconds_bucket{method=\"eth_chainId\",le=\"+Inf\"} 3",
            "openledger_rpc_seconds_sum{method=\"eth_chainId\"} 60.701",
            "openledger_rpc_seconds_count{method=\"eth_chainId\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("eth_call\""), "a method that nobody called is shown");
        assert_eq!(text.lines().filter(|line| line.contains("_requests_total{")).count(), 2);
    }
}
