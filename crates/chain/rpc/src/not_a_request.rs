//! JSON that is no request is an invalid request (-32600), not a parse error (-32700).
//!
//! jsonrpsee tells the two apart only where the object has an id, and takes a request whose id is neither number nor text for a
//! notification, which it answers with `null` instead of nothing. This layer looks at the requests with such answers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, header::UPGRADE};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use jsonrpsee::{
    core::BoxError,
    server::{HttpBody, HttpRequest, HttpResponse, http as answers},
};
use serde::{Deserialize, de::IgnoredAny};
use tower::{Layer, Service};

const PARSE_ERROR: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#;
/// What jsonrpsee answers to a notification. JSON-RPC wants nothing there.
const NOTHING: &str = "null";
const INVALID_REQUEST: &str = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid request"}}"#;

/// Corrects the answers to JSON-RPC over HTTP; everything else passes.
#[derive(Clone)]
pub(crate) struct NotARequestLayer {
    /// Largest request body in bytes.
    pub(crate) max_request_bytes: u32,
}

impl<S> Layer<S> for NotARequestLayer {
    type Service = NotARequest<S>;

    fn layer(&self, inner: S) -> Self::Service {
        NotARequest { inner, max_request_bytes: self.max_request_bytes }
    }
}

/// See [`NotARequestLayer`].
#[derive(Clone)]
pub(crate) struct NotARequest<S> {
    inner: S,
    max_request_bytes: u32,
}

impl<S> Service<HttpRequest> for NotARequest<S>
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        if request.method() != Method::POST || request.headers().contains_key(UPGRADE) {
            return Box::pin(self.inner.call(request));
        }
        // The service that was found ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let limit = self.max_request_bytes;
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            if body.size_hint().lower() > limit.into() {
                return Ok(answers::response::too_large(limit));
            }
            let body = match Limited::new(body, limit as usize).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) if error.is::<LengthLimitError>() => return Ok(answers::response::too_large(limit)),
                Err(error) => return Err(error),
            };
            let answer = inner.call(HttpRequest::from_parts(parts, HttpBody::new(Full::new(body.clone())))).await?;
            correct(answer, &body).await
        })
    }
}

/// The answer, or the right one in its place.
async fn correct(answer: HttpResponse, request: &[u8]) -> Result<HttpResponse, BoxError> {
    let (parts, body) = answer.into_parts();
    let size = body.size_hint().exact();
    if ![PARSE_ERROR, NOTHING].iter().any(|text| size == Some(text.len() as u64)) {
        return Ok(HttpResponse::from_parts(parts, body));
    }
    let text = body.collect().await?.to_bytes();
    let invalid = (text == PARSE_ERROR && serde_json::from_slice::<IgnoredAny>(request).is_ok())
        || (text == NOTHING
            && request.trim_ascii_start().starts_with(b"{")
            && serde_json::from_slice::<WithId>(request).is_ok());
    if invalid {
        return Ok(answers::response::ok_response(INVALID_REQUEST));
    }
    let body = if text == NOTHING { HttpBody::empty() } else { HttpBody::new(Full::new(text)) };
    Ok(HttpResponse::from_parts(parts, body))
}

/// Has an id, so it is no notification.
#[derive(Deserialize)]
struct WithId {
    #[serde(rename = "id")]
    _id: IgnoredAny,
}
