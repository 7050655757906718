//! Hex in requests begins with `0x`, as ethereum/execution-apis and geth have it.
//!
//! The types of alloy read it without the prefix, too, and take digits alone for a decimal number: `"10"` would be ten here and
//! an error, or sixteen, elsewhere. This layer refuses text that is nothing but hex digits, wherever it is in the parameters.

use std::{future::Future, sync::Arc};

use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceT},
    server::MethodResponse,
    types::{ErrorObjectOwned, Request},
};
use tower::Layer;

use crate::{RpcError, metrics::RpcMetrics};

/// Looks at the parameters of calls, alone or in a batch.
#[derive(Debug, Clone)]
pub(crate) struct StrictHexLayer {
    pub(crate) metrics: Arc<RpcMetrics>,
}

impl<S> Layer<S> for StrictHexLayer {
    type Service = StrictHex<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StrictHex { layer: self.clone(), inner }
    }
}

/// See [`StrictHexLayer`].
#[derive(Debug, Clone)]
pub(crate) struct StrictHex<S> {
    layer: StrictHexLayer,
    inner: S,
}

impl<S> RpcServiceT for StrictHex<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self { layer, inner } = self.clone();
        async move {
            match layer.check(&request) {
                Ok(()) => inner.call(request).await,
                Err(error) => MethodResponse::error(request.id, error),
            }
        }
    }

    fn batch<'a>(&self, mut batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        for entry in batch.iter_mut() {
            if let Ok(BatchEntry::Call(call)) = entry
                && let Err(error) = self.layer.check(call)
            {
                *entry = Err(BatchEntryErr::new(call.id.clone(), error));
            }
        }
        self.inner.batch(batch)
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

impl StrictHexLayer {
    fn check(&self, request: &Request<'_>) -> Result<(), ErrorObjectOwned> {
        // As in geth, the number of blocks of a history may be decimal.
        let params = request.params.as_ref().filter(|_| request.method != "eth_feeHistory");
        let Some(digits) = params.and_then(|params| bare_digits(params.get())) else { return Ok(()) };
        let error = RpcError::InvalidParams(format!("invalid params: \"{digits}\" is no hex without the prefix 0x"));
        self.metrics.refused(&request.method, error.code());
        Err(error.into())
    }
}

/// The first text of this JSON that is nothing but hex digits, cut to a length that can be shown.
fn bare_digits(mut json: &str) -> Option<&str> {
    loop {
        let (_, text) = json.split_once('"')?;
        let mut is_escaped = false;
        let end = text.bytes().position(|byte| {
            let ends = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            ends
        })?;
        let (text, rest) = (&text[..end], &text[end + 1..]);
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(&text[..text.len().min(80)]);
        }
        json = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::bare_digits;

    #[test]
    fn texts_of_hex_digits_alone_are_found_wherever_they_are() {
        for (json, found) in [
            (r#"["0x10","latest"]"#, None),
            (r#"["10","latest"]"#, Some("10")),
            (r#"[{"to":"0x01","data":"c0de"}]"#, Some("c0de")),
            (r#"[{"c0de":{"balance":"0x1"}}]"#, Some("c0de")),
            (r#"[10,true,null,"",[]]"#, None),
            (r#"["a \" quote","0x1"]"#, None),
            (r#"["a \" quote","1"]"#, Some("1")),
            (r#"["ends with \\","1"]"#, Some("1")),
            (r#"["\"","1"]"#, Some("1")),
            ("[]", None),
        ] {
            assert_eq!(bare_digits(json), found, "{json}");
        }
    }
}
