//! One HTTP request: where it comes from, its body within bounds, and statuses for what is refused.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use jsonrpsee::{
    core::BoxError,
    server::{HttpBody, HttpRequest, HttpResponse, http::response as refusals, ws::is_upgrade_request},
};
use tower::Service;

use super::{
    AdmissionLayer,
    admission::{LimitExceeded, Source},
    body::{BodyError, BodyMemory},
    connections::{Connection, Connections},
    rate::Buckets,
    turns::Turns,
};
use crate::{Limits, metrics::RpcMetrics};

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) limits: Limits,
    pub(super) connections: Arc<Connections>,
    memory: BodyMemory,
    turns: Arc<Turns>,
    buckets: Arc<Buckets>,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            connections: Connections::new(limits.max_connections, limits.max_websockets),
            memory: BodyMemory::new(limits.max_body_memory),
            turns: Arc::new(Turns::new()),
            buckets: Arc::new(Buckets::new(limits.max_transactions_per_source)),
            limits,
        }
    }

    /// The memory that requests and answers share.
    pub(crate) fn memory(&self) -> BodyMemory {
        self.memory.clone()
    }

    /// The turns of all calls.
    pub(crate) fn turns(&self) -> Arc<Turns> {
        self.turns.clone()
    }

    /// The layer that limits calls.
    pub(crate) fn admission(&self, metrics: Arc<RpcMetrics>) -> AdmissionLayer {
        AdmissionLayer { buckets: self.buckets.clone(), metrics }
    }

    /// Hands a request to `service` once it is there as a whole.
    pub(super) async fn answer<S>(
        &self,
        request: Request<Incoming>,
        connection: Arc<Connection>,
        mut service: S,
    ) -> HttpResponse
    where
        S: Service<HttpRequest, Response = HttpResponse, Error = BoxError>,
    {
        let source = self.source(request.headers(), connection.peer);
        let is_upgrade = is_upgrade_request(&request);
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(Source(source));
        parts.extensions.insert(connection.clone());
        if is_upgrade {
            if !self.connections.upgrade(&connection) {
                return refused(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "There is no room for another WebSocket: use HTTP, or try later.\n",
                );
            }
            return service.call(HttpRequest::from_parts(parts, HttpBody::empty())).await.unwrap_or_else(failed);
        }
        let max = self.limits.max_request_bytes;
        let read = self.memory.read(&parts.headers, body, max as usize, self.limits.max_body_time).await;
        let (body, _share) = match read {
            Ok(read) => read,
            Err(error) => return refusal(error, max),
        };
        connection.set_busy(true);
        let response = service.call(HttpRequest::from_parts(parts, HttpBody::new(Full::new(body)))).await;
        connection.set_busy(false);
        let response = response.unwrap_or_else(failed);
        self.memory.hold(with_status(response)).unwrap_or_else(|| refusal(BodyError::NoMemory, max))
    }

    /// Who asks: the other end, or whom a proxy that is trusted names last.
    fn source(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let is_trusted = |one: &IpAddr| self.limits.trusted_proxies.contains(&one.to_canonical());
        if !is_trusted(&peer) {
            return peer;
        }
        let named = headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
        let named: Vec<IpAddr> =
            named.flat_map(|value| value.split(',')).filter_map(|one| one.trim().parse().ok()).collect();
        named.into_iter().rev().find(|one| !is_trusted(one)).unwrap_or(peer)
    }
}

/// The server itself failed, which it is not known to do.
fn failed(error: BoxError) -> HttpResponse {
    tracing::error!(%error, "a request failed inside the server");
    refused(StatusCode::INTERNAL_SERVER_ERROR, "The server failed; its log says why.\n")
}

/// 429 for a source that sends too much.
fn with_status(mut response: HttpResponse) -> HttpResponse {
    if response.extensions_mut().remove::<LimitExceeded>().is_some() {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn refusal(error: BodyError, max: u32) -> HttpResponse {
    match error {
        BodyError::TooLarge => refusals::too_large(max),
        BodyError::Broken => refusals::malformed(),
        BodyError::TooSlow => refused(StatusCode::REQUEST_TIMEOUT, "The body did not come in time.\n"),
        BodyError::NoMemory => refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many large requests and answers at once: try again in a moment.\n",
        ),
    }
}

/// A refusal after which the connection is closed: the rest of the request is not read.
fn refused(status: StatusCode, message: &'static str) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let limits = Limits { trusted_proxies: vec!["10.0.0.1".parse().unwrap()], ..Limits::default() };
        let gate = Gate::new(limits);
        let source = |forwarded: &[&str], peer: &str| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            gate.source(&headers, peer.parse().unwrap()).to_string()
        };
        assert_eq!(source(&["1.2.3.4"], "9.9.9.9"), "9.9.9.9");
        assert_eq!(source(&["1.2.3.4"], "10.0.0.1"), "1.2.3.4");
        assert_eq!(source(&["1.2.3.4"], "::ffff:10.0.0.1"), "1.2.3.4");
        // Whatever the client itself claimed stands before what the proxy added.
        assert_eq!(source(&["6.6.6.6, 1.2.3.4"], "10.0.0.1"), "1.2.3.4");
        assert_eq!(source(&["6.6.6.6", "1.2.3.4, 10.0.0.1"], "10.0.0.1"), "1.2.3.4");
        assert_eq!(source(&["nonsense"], "10.0.0.1"), "10.0.0.1");
        assert_eq!(source(&[], "10.0.0.1"), "10.0.0.1");
    }
}
