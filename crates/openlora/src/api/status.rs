use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{ApiError, AppState};
use crate::metrics::Metrics;

/// `GET /health`.
pub(super) async fn health(State(state): State<Arc<AppState>>) -> Response {
    let gauges = state.engine.gauges();
    let stopped = gauges.stopped.load(Ordering::Relaxed);
    let status = if stopped { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = json!({
        "status": if stopped { "engine stopped" } else { "ok" },
        "model": state.engine.info().name,
        "running": gauges.running.load(Ordering::Relaxed),
        "waiting": gauges.waiting.load(Ordering::Relaxed),
        "unsettledReceipts": unsettled(&state),
    });
    (status, Json(body)).into_response()
}

/// `GET /metrics`, for Prometheus.
pub(super) async fn metrics(State(state): State<Arc<AppState>>) -> Response {
    let text = state.metrics.render(state.engine.gauges(), unsettled(&state));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

fn unsettled(state: &AppState) -> usize {
    state.payment.as_ref().map_or(0, |gate| gate.receipts.pending_count())
}

pub(super) async fn not_found(uri: Uri) -> ApiError {
    let message = format!("there is nothing at {}; see /v1/models, /v1/chat/completions, /v1/completions", uri.path());
    ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url", message)
}

pub(super) async fn method_not_allowed() -> ApiError {
    let message = "this method is not allowed here".to_owned();
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", "method_not_allowed", message)
}

/// Counts a completion request by how it began.
pub(super) fn counted(state: &AppState, outcome: Result<Response, ApiError>) -> Result<Response, ApiError> {
    let metrics = &state.metrics;
    Metrics::add(&metrics.requests, 1);
    if let Err(error) = &outcome {
        Metrics::add(&metrics.refused, 1);
        match error.status {
            StatusCode::PAYMENT_REQUIRED => Metrics::add(&metrics.unpaid, 1),
            StatusCode::TOO_MANY_REQUESTS => Metrics::add(&metrics.busy, 1),
            _ => {}
        }
    }
    outcome
}
