//! What is asked of the server, by method: how often, how long it took, and with which errors it failed.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
    server::{BatchResponseBuilder, MethodResponse},
    types::Request,
};
use parking_lot::Mutex;
use tower::Layer;

/// Upper ends of the histogram's buckets, in seconds.
const BUCKETS: [f64; 8] = [0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];
/// What methods are counted under that the server does not have: clients must not be able to make up names.
const UNKNOWN: &str = "unknown";

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
    fn failed(&self, method: &str, code: i32) {
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

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP openledger_rpc_{name} {help}\n# TYPE openledger_rpc_{name} {kind}");
}

/// Sees each call that is carried out. It stands next to the methods: a batch is taken apart here.
#[derive(Debug, Clone)]
pub(crate) struct MeteredLayer {
    pub(crate) metrics: Arc<RpcMetrics>,
    /// Largest response in bytes.
    pub(crate) max_response_bytes: usize,
}

impl<S> Layer<S> for MeteredLayer {
    type Service = Metered<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Metered { layer: self.clone(), inner }
    }
}

/// See [`MeteredLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Metered<S> {
    layer: MeteredLayer,
    inner: S,
}

impl<S> RpcServiceT for Metered<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse> + Clone + Send + Sync + 'static,
    S::NotificationResponse: Send,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self { layer, inner } = self.clone();
        async move {
            let method = request.method.clone();
            let begun = Instant::now();
            let response = inner.call(request).await;
            layer.metrics.answered(&method, begun.elapsed(), response.as_error_code());
            response
        }
    }

    /// One after the other, as jsonrpsee does.
    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let mut answers = BatchResponseBuilder::new_with_limit(this.layer.max_response_bytes);
            let mut notified = false;
            for entry in batch {
                let (method, answer) = match entry {
                    Ok(BatchEntry::Call(call)) => (call.method.clone(), this.call(call).await),
                    Ok(BatchEntry::Notification(notification)) => {
                        this.inner.notification(notification).await;
                        notified = true;
                        continue;
                    }
                    Err(refused) => {
                        let (error, id) = refused.into_parts();
                        (UNKNOWN.into(), MethodResponse::error(id, error))
                    }
                };
                let had_failed = answer.is_error();
                if let Err(too_large) = answers.append(answer) {
                    // All of the batch gets this one error, which is put down to the call that was too much.
                    if let Some(code) = too_large.as_error_code().filter(|_| !had_failed) {
                        this.layer.metrics.failed(&method, code);
                    }
                    return too_large;
                }
            }
            // Notifications alone are not answered; nothing at all is no request.
            if answers.is_empty() && notified {
                return MethodResponse::notification();
            }
            MethodResponse::from_batch(answers.finish())
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonrpsee::{
        server::ResponsePayload,
        types::{ErrorObjectOwned, Id},
    };

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

    /// Answers with a hundred bytes, as a result or as an error.
    #[derive(Clone)]
    struct Methods;

    impl RpcServiceT for Methods {
        type MethodResponse = MethodResponse;
        type NotificationResponse = MethodResponse;
        type BatchResponse = MethodResponse;

        fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            let answer = match &*request.method {
                "fails" => ResponsePayload::error(ErrorObjectOwned::owned(-32000, "x".repeat(100), None::<()>)),
                _ => ResponsePayload::success("x".repeat(100)),
            };
            std::future::ready(MethodResponse::response(request.id, answer, 1000))
        }

        fn batch<'a>(&self, _: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::ready(MethodResponse::notification())
        }

        fn notification<'a>(&self, _: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
            std::future::ready(MethodResponse::notification())
        }
    }

    #[tokio::test]
    async fn a_batch_that_is_too_large_counts_for_the_call_with_which_it_was() {
        let counted = async |calls: &[&'static str]| {
            let metrics = Arc::new(RpcMetrics::new(["eth_call", "eth_getLogs", "fails"]));
            let service = MeteredLayer { metrics: metrics.clone(), max_response_bytes: 400 }.layer(Methods);
            let mut batch = Batch::new();
            for (id, method) in (0..).zip(calls) {
                batch.push(Request::owned((*method).to_owned(), None, Id::Number(id)));
            }
            let code = service.batch(batch).await.as_error_code();
            let mut text = String::new();
            metrics.render(&mut text);
            let errors = text.lines().filter_map(|line| line.strip_prefix("openledger_rpc_errors_total"));
            (code, errors.map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(counted(&["eth_call", "eth_getLogs"]).await, (None, vec![]));
        let (code, errors) = counted(&["eth_call", "eth_call", "eth_getLogs", "eth_call"]).await;
        assert_eq!((code, errors), (Some(-32011), vec![r#"{method="eth_getLogs",code="-32011"} 1"#.to_owned()]));
        // That call had an error of its own already: one is enough.
        let (code, errors) = counted(&["eth_call", "eth_call", "fails"]).await;
        assert_eq!((code, errors), (Some(-32011), vec![r#"{method="fails",code="-32000"} 1"#.to_owned()]));
    }
}
