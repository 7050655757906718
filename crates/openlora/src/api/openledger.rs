use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{ApiError, AppState, models};
use crate::settlement::{Attribution, Record};

/// Data shown in an answer: those with the largest influence, either way. The receipt has all.
const SHOWN: usize = 10;

/// `GET /v1/openledger`: who is paid here, and what for.
pub(super) async fn info(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    let Some(gate) = &state.payment else {
        return Ok(Json(json!({"payments": false, "models": []})));
    };
    let unavailable = |error: crate::payment::RpcError| {
        let message = format!("the chain cannot be asked now: {error}");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "chain_unavailable", message).retry_after(2)
    };
    let backbone = B256::from(state.engine.info().content_hash);
    let mut priced = Vec::new();
    for (name, adapter) in models::all(&state).await? {
        let adapter = adapter.map_or(B256::ZERO, |adapter| adapter.hash);
        if let Some(terms) = gate.terms(backbone, adapter).await? {
            priced.push(json!({
                "model": name,
                "modelId": terms.model_id,
                "backbone": terms.backbone,
                "adapter": terms.adapter,
                "datasetRoot": terms.dataset_root,
                "scheduleId": terms.schedule_id,
                "schedule": terms.schedule_json(),
            }));
        }
    }
    Ok(Json(json!({
        "payments": true,
        "chainId": gate.chain.chain_id().await.map_err(unavailable)?,
        "verifyingContract": gate.chain.ledger,
        "operator": gate.chain.operator(),
        "operatorRegistered": gate.chain.is_operator().await.map_err(unavailable)?,
        "minValidity": gate.min_validity,
        "models": priced,
    })))
}

/// `GET /v1/receipts/{request}`: the receipt with all that is needed to check it, and how far it is settled.
pub(super) async fn receipt(
    State(state): State<Arc<AppState>>,
    Path(request): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id: B256 =
        request.parse().map_err(|_| ApiError::invalid("expected 0x and 64 hexadecimal digits", "request"))?;
    let record = match &state.payment {
        Some(gate) => gate.receipts.get(id).await,
        None => None,
    };
    let record = record.ok_or_else(|| {
        let message = format!("there is no receipt for request {id} here");
        ApiError::new(StatusCode::NOT_FOUND, "invalid_request_error", "receipt_not_found", message)
    })?;
    serde_json::to_value(record.as_ref()).map(Json).map_err(|error| ApiError::internal(error.to_string()))
}

/// What the end of a paid answer says.
pub(super) fn summary(record: &Record, attribution: Option<&Attribution>) -> Value {
    let mut value = json!({
        "requestId": record.request_id,
        "modelId": record.receipt.model_id,
        "receiptHash": record.receipt_hash,
        "operatorSignature": record.operator_signature,
        "datasetRoot": record.receipt.dataset_root,
        "scoresRoot": record.receipt.scores_root,
        "split": record.split,
        "contributors": record.contributors,
        "settlement": record.settlement,
    });
    if let Some(attribution) = attribution {
        value["influences"] = top(attribution);
    }
    value
}

/// What the end of an answer says that is attributed but not paid.
pub(super) fn influences(attribution: &Attribution) -> Value {
    json!({
        "datasetRoot": attribution.index.header().plan.identity.dataset_root,
        "influences": top(attribution),
    })
}

fn top(attribution: &Attribution) -> Value {
    let mut ranked: Vec<_> = attribution.index.data().iter().zip(&attribution.scores).collect();
    ranked.sort_by_key(|(datum, score)| (std::cmp::Reverse(score.unsigned_abs()), datum.id));
    let shown = ranked.into_iter().take(SHOWN).map(|(datum, score)| {
        json!({
            "datumId": datum.id,
            "contributor": datum.contributor,
            "contributorName": datum.contributor_name,
            "influence": score,
            "preview": datum.preview,
        })
    });
    shown.collect()
}
