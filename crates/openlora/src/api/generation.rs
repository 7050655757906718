use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use alloy_primitives::B256;
use axum::http::{HeaderMap, StatusCode};
use openledger_attribution::Usage;
use openledger_influence::{QueryGradient, quantise};
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::{error, info};

use super::{ApiError, AppState, openledger, prepare::Prepared};
use crate::{
    engine::{AdapterRef, Event, Finish, FinishReason, Job},
    metrics::Metrics,
    payment::{Admission, RequestCost},
    settlement::{Answer, Attribution, build},
};

/// The response header that names a paid request.
pub(super) const REQUEST_ID: &str = "x-openledger-request-id";

/// Pieces that may wait for a slow client before generation's own queue holds them.
const PIECES: usize = 256;

/// An answer on its way to the client.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Done(Completed),
    Failed(ApiError),
}

/// The end of an answer.
#[derive(Debug)]
pub(super) struct Completed {
    pub(super) reason: FinishReason,
    pub(super) usage: Usage,
    /// Influences and, where it was paid, the receipt.
    pub(super) openledger: Option<Value>,
}

/// An answer that has begun: the status is known to be good.
#[derive(Debug)]
pub(super) struct Generation {
    /// The id of a paid request.
    pub(super) request: Option<B256>,
    pub(super) first: Piece,
    pub(super) rest: mpsc::Receiver<Piece>,
}

/// Checks payment, starts generating and waits for the first piece.
pub(super) async fn start(
    state: &Arc<AppState>,
    headers: &HeaderMap,
    prepared: Prepared,
) -> Result<Generation, ApiError> {
    let tokens_in = prepared.tokens.len() as u32;
    let cost = RequestCost { tokens_in, max_tokens: prepared.max_tokens as u32 };
    let admission = match &state.payment {
        None => None,
        Some(gate) => {
            let backbone = B256::from(state.engine.info().content_hash);
            match gate.terms(backbone, prepared.adapter_hash()).await? {
                None => None,
                Some(terms) => {
                    check_attribution(&prepared, terms.dataset_root)?;
                    Some(gate.admit(headers, terms, cost).await?)
                }
            }
        }
    };
    let index = prepared.adapter.as_ref().and_then(|adapter| adapter.index.clone());
    let wanted = admission.is_some() || prepared.attribution;
    let index = index.filter(|_| wanted);
    if index.is_some() && prepared.tokens.len() >= state.attribution_tokens {
        return Err(ApiError::context_length(format!(
            "the prompt has {tokens_in} tokens; influences are computed through at most {}, the answer included",
            state.attribution_tokens
        )));
    }
    let (events, incoming) = mpsc::unbounded_channel();
    let cancelled = Arc::new(AtomicBool::new(false));
    state.engine.submit(Job {
        prompt: prepared.tokens.clone(),
        adapter: prepared.adapter.as_ref().map(|a| AdapterRef { hash: a.hash.0, folder: a.folder.clone() }),
        sampling: prepared.sampling.clone(),
        max_tokens: prepared.max_tokens,
        stop: prepared.stop.clone(),
        gradient: index.is_some().then_some(state.attribution_tokens),
        cancelled: Arc::clone(&cancelled),
        events,
    })?;
    let request = admission.as_ref().map(|admission| admission.hold.request);
    let (pieces, mut rest) = mpsc::channel(PIECES);
    let driver =
        Driver { state: Arc::clone(state), prepared, admission, index, cancelled, pieces, output: String::new() };
    // On its own: a paid answer is accounted for also when the client goes away.
    tokio::spawn(driver.run(incoming));
    match rest.recv().await {
        Some(Piece::Failed(error)) => Err(error),
        Some(first) => Ok(Generation { request, first, rest }),
        None => Err(ApiError::internal("the answer was lost")),
    }
}

/// A model that promises to pay for a dataset must be able to say whose data mattered.
fn check_attribution(prepared: &Prepared, dataset_root: B256) -> Result<(), ApiError> {
    if dataset_root.is_zero() {
        return Ok(());
    }
    let index = prepared.adapter.as_ref().and_then(|adapter| adapter.index.as_ref());
    let reason = match index {
        None => "its gradient index is missing here; the operator makes it with `openlora index`".to_owned(),
        Some(index) if index.header().plan.identity.dataset_root != dataset_root => {
            format!("its gradient index is of another dataset than {dataset_root}, which is registered on chain")
        }
        Some(_) => return Ok(()),
    };
    let message = format!("answers of {} cannot be attributed: {reason}", prepared.model);
    Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "attribution_unavailable", message))
}

/// Follows one answer from the engine to the client and, where it is paid, to its receipt.
struct Driver {
    state: Arc<AppState>,
    prepared: Prepared,
    admission: Option<Admission>,
    index: Option<Arc<openledger_influence::Index>>,
    cancelled: Arc<AtomicBool>,
    pieces: mpsc::Sender<Piece>,
    output: String,
}

impl Driver {
    async fn run(mut self, mut incoming: mpsc::UnboundedReceiver<Event>) {
        let finish = loop {
            let event = tokio::select! {
                event = incoming.recv() => event,
                () = self.pieces.closed(), if !self.cancelled.load(Ordering::Relaxed) => {
                    // The client is gone. The engine says how far it came.
                    self.cancelled.store(true, Ordering::Relaxed);
                    Metrics::add(&self.state.metrics.cancelled, 1);
                    continue;
                }
            };
            match event {
                Some(Event::Text(text)) => {
                    self.output.push_str(&text);
                    let _ = self.pieces.send(Piece::Text(text)).await;
                }
                Some(Event::Done(finish)) => break *finish,
                Some(Event::Failed(reason)) => return self.fail(reason.into()).await,
                None => return self.fail(crate::engine::GenerationError::Stopped.into()).await,
            }
        };
        let pieces = self.pieces.clone();
        let piece = match self.complete(finish).await {
            Ok(completed) => Piece::Done(completed),
            Err(error) => Piece::Failed(error),
        };
        let _ = pieces.send(piece).await;
    }

    async fn fail(self, error: ApiError) {
        let _ = self.pieces.send(Piece::Failed(error)).await;
    }

    async fn complete(self, finish: Finish) -> Result<Completed, ApiError> {
        let Finish { reason, tokens, gradient } = finish;
        let usage = Usage { tokens_in: self.prepared.tokens.len() as u32, tokens_out: tokens.len() as u32 };
        Metrics::add(&self.state.metrics.tokens_in, usage.tokens_in.into());
        Metrics::add(&self.state.metrics.tokens_out, usage.tokens_out.into());
        if tokens.is_empty() {
            // Given up before the first token: nothing was delivered, nothing is charged.
            return Ok(Completed { reason, usage, openledger: None });
        }
        let attribution = match self.index {
            None => None,
            Some(index) => Some(score(index, gradient).await?),
        };
        let Some(Admission { authorization, terms, hold }) = self.admission else {
            let openledger = attribution.as_ref().map(openledger::influences);
            return Ok(Completed { reason, usage, openledger });
        };
        let Some(gate) = &self.state.payment else { return Err(ApiError::internal("payments are off")) };
        let answer = Answer { model: self.prepared.model, prompt: self.prepared.prompt, output: self.output, usage };
        let chain_id = gate.chain.chain_id().await.map_err(|error| ApiError::internal(error.to_string()))?;
        let record =
            build(&gate.chain, chain_id, authorization, &terms, answer, attribution.as_ref()).map_err(|error| {
                error!(%error, "an answer has no receipt");
                ApiError::internal(error.to_string())
            })?;
        let summary = openledger::summary(&record, attribution.as_ref());
        let (request, fee) = (record.request_id, record.split.fee);
        // On disk before the client has the end of the answer.
        gate.receipts.put(record).await.map_err(|error| {
            error!(%error, "a receipt cannot be kept");
            ApiError::internal(format!("the receipt cannot be kept, so nothing is charged: {error}"))
        })?;
        hold.keep(fee);
        Metrics::add(&self.state.metrics.receipts, 1);
        info!(%request, %fee, tokens_in = usage.tokens_in, tokens_out = usage.tokens_out, "receipt signed");
        self.state.bell.notify_one();
        Ok(Completed { reason, usage, openledger: Some(summary) })
    }
}

/// Influences of all data on the answer. Reads the whole index: not on the async threads.
async fn score(
    index: Arc<openledger_influence::Index>,
    gradient: Option<QueryGradient>,
) -> Result<Attribution, ApiError> {
    let failed = |reason: String| {
        error!(reason, "an answer cannot be attributed");
        ApiError::internal(format!("the answer cannot be attributed, so nothing is charged: {reason}"))
    };
    let gradient = gradient.ok_or_else(|| failed("its gradient could not be computed".into()))?;
    let work = move || {
        let scores = quantise(&index.score(&gradient)?)?;
        Ok::<_, openledger_influence::Error>(Attribution { index, scores })
    };
    let scored = tokio::task::spawn_blocking(work).await.map_err(|error| failed(error.to_string()))?;
    scored.map_err(|error| failed(error.to_string()))
}
