use std::sync::Arc;

use alloy_primitives::B256;
use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{ApiError, AppState, prepare::find_model};
use crate::catalog::AdapterEntry;

/// `GET /v1/models`: the backbone and the backbone with each adapter.
pub(super) async fn list(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    let data: Vec<Value> =
        all(&state).await?.iter().map(|(name, adapter)| describe(&state, name, adapter.as_ref())).collect();
    Ok(Json(json!({"object": "list", "data": data})))
}

/// `GET /v1/models/{model}`.
pub(super) async fn get(
    State(state): State<Arc<AppState>>,
    Path(model): Path<String>,
) -> Result<Json<Value>, ApiError> {
    blocking(&state, move |state| {
        let (name, adapter) = find_model(state, &model)?;
        Ok(Json(describe(state, &name, adapter.as_ref())))
    })
    .await?
}

/// All models by name.
pub(super) async fn all(state: &Arc<AppState>) -> Result<Vec<(String, Option<AdapterEntry>)>, ApiError> {
    blocking(state, |state| {
        let backbone = &state.engine.info().name;
        let adapters =
            state.catalog.list().into_iter().map(|(name, entry)| (format!("{backbone}:{name}"), Some(entry)));
        std::iter::once((backbone.clone(), None)).chain(adapters).collect()
    })
    .await
}

async fn blocking<T: Send + 'static>(
    state: &Arc<AppState>,
    work: impl FnOnce(&AppState) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let state = Arc::clone(state);
    tokio::task::spawn_blocking(move || work(&state)).await.map_err(|error| ApiError::internal(error.to_string()))
}

fn describe(state: &AppState, name: &str, adapter: Option<&AdapterEntry>) -> Value {
    let info = state.engine.info();
    let index = adapter.and_then(|adapter| adapter.index.as_ref());
    json!({
        "id": name,
        "object": "model",
        "created": adapter.map_or(state.started, |adapter| adapter.created),
        "owned_by": "openlora",
        "openledger": {
            "backbone": B256::from(info.content_hash),
            "adapter": adapter.map(|adapter| adapter.hash),
            "contextLength": state.engine.max_tokens(),
            "attributedData": index.map(|index| index.len()),
            "datasetRoot": index.map(|index| index.header().plan.identity.dataset_root),
        },
    })
}
