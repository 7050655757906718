use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Deserialize;
use serde_json::Value;

use super::{
    ApiError, AppState,
    body::{Body, Common, Texts},
    generation, prepare,
    respond::{self, Kind, Shape},
    status,
};

/// `POST /v1/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct CompletionRequest {
    #[serde(flatten)]
    common: Common,
    prompt: Texts,
    echo: Option<bool>,
    suffix: Option<Value>,
    best_of: Option<u64>,
}

pub(super) async fn create(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Result<Body<CompletionRequest>, ApiError>,
) -> Result<Response, ApiError> {
    status::counted(&state, answer(&state, &headers, body).await)
}

async fn answer(
    state: &Arc<AppState>,
    headers: &HeaderMap,
    body: Result<Body<CompletionRequest>, ApiError>,
) -> Result<Response, ApiError> {
    let Body(request) = body?;
    for (is_set, name) in [
        (request.echo == Some(true), "echo"),
        (request.suffix.is_some_and(|suffix| !suffix.is_null()), "suffix"),
        (request.best_of.unwrap_or(1) != 1, "best_of"),
    ] {
        if is_set {
            return Err(ApiError::unsupported(name));
        }
    }
    let mut prompts = request.prompt.into_vec();
    let (Some(prompt), true) = (prompts.pop(), prompts.is_empty()) else {
        return Err(ApiError::invalid("exactly one prompt is expected", "prompt"));
    };
    let prepared = prepare::prepare(state, request.common, move |_| Ok(prompt)).await?;
    let shape = Shape::new(Kind::Text, prepared.model.clone(), prepared.include_usage);
    let stream = prepared.stream;
    let generation = generation::start(state, headers, prepared).await?;
    if stream { Ok(respond::streamed(shape, generation)) } else { respond::whole(shape, generation).await }
}
