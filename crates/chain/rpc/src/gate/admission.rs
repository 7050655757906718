//! What every call passes before it is carried out, alone or in a batch, over HTTP or WebSocket.

use std::{future::Future, net::IpAddr, sync::Arc, time::Instant};

use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceT},
    server::MethodResponse,
    types::{ErrorCode, ErrorObjectOwned, Extensions, Request},
};
use tower::Layer;

use super::{connections::Connection, rate::Buckets};
use crate::{RpcError, metrics::RpcMetrics};

/// Where a request comes from, as far as the server trusts what it is told. In the request's extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source(pub(crate) IpAddr);

/// In a response's extensions: its source sends too much.
#[derive(Debug, Clone, Copy)]
pub(super) struct LimitExceeded;

/// Limits transactions by source, and subscriptions to where notifications can follow.
#[derive(Debug, Clone)]
pub(crate) struct AdmissionLayer {
    pub(super) buckets: Arc<Buckets>,
    pub(super) metrics: Arc<RpcMetrics>,
}

impl<S> Layer<S> for AdmissionLayer {
    type Service = Admission<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Admission { layer: self.clone(), inner }
    }
}

/// See [`AdmissionLayer`].
#[derive(Debug, Clone)]
pub(crate) struct Admission<S> {
    layer: AdmissionLayer,
    inner: S,
}

/// Subscriptions need a WebSocket. Clients take this code for a reason to poll, as geth gives it.
fn check_transport(method: &str, extensions: &Extensions) -> Result<(), ErrorObjectOwned> {
    let subscribes = matches!(method, "eth_subscribe" | "eth_unsubscribe");
    let connection = extensions.get::<Arc<Connection>>();
    if subscribes && connection.is_some_and(|connection| !connection.is_websocket()) {
        let message = "notifications not supported: subscribe over WebSocket";
        return Err(ErrorObjectOwned::owned(ErrorCode::MethodNotFound.code(), message, None::<()>));
    }
    Ok(())
}

/// The id of a subscription is sent before its first notification; within a batch it would be sent after.
fn check_alone(method: &str) -> Result<(), ErrorObjectOwned> {
    if method == "eth_subscribe" {
        let message = "eth_subscribe cannot be part of a batch: send it on its own";
        return Err(ErrorObjectOwned::owned(ErrorCode::InvalidRequest.code(), message, None::<()>));
    }
    Ok(())
}

impl<S> Admission<S> {
    /// Whether this source may make this call now.
    fn check(&self, method: &str, extensions: &Extensions) -> Result<(), ErrorObjectOwned> {
        let Some(Source(source)) = extensions.get().copied() else { return Ok(()) };
        if !method.starts_with("eth_sendRawTransaction") {
            return Ok(());
        }
        self.layer.buckets.take(source, Instant::now()).map_err(|wait| {
            tracing::debug!(%source, "a source sends more transactions than it may");
            let milliseconds = wait.as_millis().max(1);
            let error = RpcError::LimitExceeded(format!(
                "limit exceeded: too many transactions from {source}; the next one is taken in {milliseconds} ms"
            ));
            self.layer.metrics.refused(method, error.code());
            error.into()
        })
    }
}

impl<S> RpcServiceT for Admission<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse> + Clone + Send + Sync + 'static,
    S::NotificationResponse: Send,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            if let Err(error) = this.check(request.method_name(), request.extensions()) {
                return limited(MethodResponse::error(request.id, error));
            }
            if let Err(error) = check_transport(request.method_name(), request.extensions()) {
                return MethodResponse::error(request.id, error);
            }
            this.inner.call(request).await
        }
    }

    fn batch<'a>(&self, mut batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let mut is_limited = false;
            for entry in batch.iter_mut() {
                let Ok(BatchEntry::Call(call)) = entry else { continue };
                if let Err(error) = this.check(call.method_name(), call.extensions()) {
                    is_limited = true;
                    *entry = Err(BatchEntryErr::new(call.id.clone(), error));
                } else if let Err(error) = check_transport(call.method_name(), call.extensions())
                    .and_then(|()| check_alone(call.method_name()))
                {
                    *entry = Err(BatchEntryErr::new(call.id.clone(), error));
                }
            }
            let response = this.inner.batch(batch).await;
            if is_limited { limited(response) } else { response }
        }
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

fn limited(mut response: MethodResponse) -> MethodResponse {
    response.extensions_mut().insert(LimitExceeded);
    response
}
