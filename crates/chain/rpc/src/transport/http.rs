//! JSON-RPC in the body of a POST, and the door to WebSockets.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Method;
use http_body_util::BodyExt as _;
use jsonrpsee::{
    core::BoxError,
    server::{
        HttpBody, HttpRequest, HttpResponse, Methods, StopHandle,
        http::{content_type_is_json, response},
        middleware::rpc::RpcServiceBuilder,
        ws::is_upgrade_request,
    },
};
use tower::{Layer, Service};

use super::{
    dispatch::{self, Calls},
    methods::{MethodService, Shared},
    websocket,
};
use crate::{
    Limits,
    gate::{BodyMemory, Gate},
    metrics::RpcMetrics,
};

/// Answers the HTTP requests of all connections.
#[derive(Debug, Clone)]
pub(crate) struct Transport<L> {
    pub(super) shared: Arc<Shared>,
    /// What calls pass on their way to the methods.
    pub(super) layers: RpcServiceBuilder<L>,
    pub(super) limits: Limits,
    pub(super) memory: BodyMemory,
    pub(super) stop: StopHandle,
}

impl<L> Transport<L> {
    pub(crate) fn new(
        methods: Methods,
        metrics: Arc<RpcMetrics>,
        layers: RpcServiceBuilder<L>,
        gate: &Gate,
        stop: StopHandle,
    ) -> Self {
        let shared = Arc::new(Shared::new(methods, metrics, gate));
        Self { shared, layers, limits: gate.limits.clone(), memory: gate.memory(), stop }
    }
}

impl<L> Service<HttpRequest> for Transport<L>
where
    L: Layer<MethodService, Service: Calls> + Clone + Send + Sync + 'static,
{
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            if is_upgrade_request(&request) {
                return Ok(websocket::accept(this, request));
            }
            this.post(request).await
        })
    }
}

impl<L> Transport<L>
where
    L: Layer<MethodService, Service: Calls>,
{
    /// The body is there as a whole already, within its bounds (`crate::gate`).
    async fn post(self, request: HttpRequest) -> Result<HttpResponse, BoxError> {
        if request.method() != Method::POST {
            return Ok(response::method_not_allowed());
        }
        if !content_type_is_json(&request) {
            return Ok(response::unsupported_content_type());
        }
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let calls = self.layers.service(MethodService::new(self.shared, None));
        let answer = dispatch::answer(&body, self.limits.max_batch, &calls, &parts.extensions).await;
        if answer.is_notification() {
            return Ok(response::ok_response(HttpBody::empty()));
        }
        Ok(response::from_method_response(answer))
    }
}
