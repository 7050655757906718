//! A batch of nothing but transactions is handed to the node as a whole: their signatures are recovered at the same time, and
//! they share one write to disk.

use std::{future::Future, sync::Arc, time::Instant};

use alloy_primitives::{B256, Bytes};
use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, Notification, RpcServiceT},
    server::{BatchResponseBuilder, MethodResponse, ResponsePayload},
    types::{ErrorObjectOwned, Id, Request},
};
use tower::Layer;

use crate::{ChainApi, RpcError, metrics::RpcMetrics};

/// What batches of transactions are made of.
const METHOD: &str = "eth_sendRawTransaction";

/// Sees the batches; everything else passes.
#[derive(Clone)]
pub(crate) struct SubmissionsLayer {
    pub(crate) chain: Arc<dyn ChainApi>,
    pub(crate) metrics: Arc<RpcMetrics>,
    /// Largest response in bytes.
    pub(crate) max_response_bytes: usize,
}

impl<S> Layer<S> for SubmissionsLayer {
    type Service = Submissions<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Submissions { layer: self.clone(), inner }
    }
}

/// See [`SubmissionsLayer`].
#[derive(Clone)]
pub(crate) struct Submissions<S> {
    layer: SubmissionsLayer,
    inner: S,
}

impl<S> RpcServiceT for Submissions<S>
where
    S: RpcServiceT<BatchResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = S::MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Self::MethodResponse> + Send + 'a {
        self.inner.call(request)
    }

    fn notification<'a>(&self, n: Notification<'a>) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.inner.notification(n)
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let Self { layer, inner } = self.clone();
        async move {
            match transactions(&batch) {
                Some((ids, raw)) => layer.submit(ids, raw).await,
                None => inner.batch(batch).await,
            }
        }
    }
}

impl SubmissionsLayer {
    async fn submit(self, ids: Vec<Id<'_>>, raw: Vec<Bytes>) -> MethodResponse {
        let (count, chain, begun) = (raw.len(), self.chain, Instant::now());
        let results = tokio::task::spawn_blocking(move || chain.submit_all(raw)).await;
        let results = results.unwrap_or_else(|error| vec![Err(RpcError::internal(error)); count]);
        let took = begun.elapsed();
        let mut answers = BatchResponseBuilder::new_with_limit(self.max_response_bytes);
        for (id, result) in ids.into_iter().zip(results) {
            // Each took as long as all of them.
            self.metrics.answered(METHOD, took, result.as_ref().err().map(RpcError::code));
            if let Err(too_large) = answers.append(self::answer(id, result, self.max_response_bytes)) {
                return too_large;
            }
        }
        MethodResponse::from_batch(answers.finish())
    }
}

fn answer(id: Id<'_>, result: Result<B256, RpcError>, limit: usize) -> MethodResponse {
    match result {
        Ok(hash) => MethodResponse::response(id, ResponsePayload::success(hash), limit),
        Err(error) => MethodResponse::error(id, ErrorObjectOwned::from(error)),
    }
}

/// Ids and parameters, if all entries are well-formed calls of `eth_sendRawTransaction`.
fn transactions<'a>(batch: &Batch<'a>) -> Option<(Vec<Id<'a>>, Vec<Bytes>)> {
    let one = |entry: &Result<BatchEntry<'a>, _>| match entry {
        Ok(BatchEntry::Call(call)) if call.method_name() == METHOD => {
            Some((call.id.clone(), call.params().one().ok()?))
        }
        _ => None,
    };
    let (ids, raw): (Vec<_>, Vec<_>) = batch.iter().map(one).collect::<Option<Vec<_>>>()?.into_iter().unzip();
    // What is to be said about an empty batch is known elsewhere.
    (!ids.is_empty()).then_some((ids, raw))
}
