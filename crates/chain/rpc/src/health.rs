//! `GET /health`, `GET /ready` and `GET /metrics` on the RPC port.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use http::{HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use tower::{Layer, Service};

use crate::{ChainApi, gate::Turns, metrics::RpcMetrics};

/// Answers the three paths and passes everything else on.
#[derive(Clone)]
pub(crate) struct HealthLayer {
    pub(crate) chain: Arc<dyn ChainApi>,
    /// What the server itself counts.
    pub(crate) metrics: Arc<RpcMetrics>,
    pub(crate) turns: Arc<Turns>,
}

impl<S> Layer<S> for HealthLayer {
    type Service = HealthService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HealthService { layer: self.clone(), inner }
    }
}

/// See [`HealthLayer`].
#[derive(Clone)]
pub(crate) struct HealthService<S> {
    layer: HealthLayer,
    inner: S,
}

impl<S, B> Service<HttpRequest<B>> for HealthService<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let HealthLayer { chain, metrics, turns } = &self.layer;
        let answer = match (request.method(), request.uri().path()) {
            (&Method::GET, "/health") => {
                let health = chain.health();
                Some((status(health.status == "ok"), "application/json", json(&health)))
            }
            (&Method::GET, "/ready") => {
                let readiness = chain.readiness();
                Some((status(readiness.ready), "application/json", json(&readiness)))
            }
            (&Method::GET, "/metrics") => {
                let mut text = chain.metrics();
                metrics.render(&mut text);
                turns.render(&mut text);
                Some((StatusCode::OK, "text/plain; version=0.0.4", text))
            }
            _ => None,
        };
        match answer {
            Some((status, content_type, body)) => {
                let mut response = HttpResponse::new(HttpBody::from(body));
                *response.status_mut() = status;
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
                Box::pin(async move { Ok(response) })
            }
            None => Box::pin(Clocked { chain: chain.clone(), inner: Box::pin(self.inner.call(request)) }),
        }
    }
}

/// Counts the time in which a request keeps a thread of the server busy. Methods that work on the chain do that on other threads
/// and are not in it.
struct Clocked<F> {
    chain: Arc<dyn ChainApi>,
    inner: Pin<Box<F>>,
}

impl<F: Future> Future for Clocked<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let begun = Instant::now();
        let result = self.inner.as_mut().poll(cx);
        self.chain.spent_on_rpc(begun.elapsed());
        result
    }
}

const fn status(is_good: bool) -> StatusCode {
    if is_good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
