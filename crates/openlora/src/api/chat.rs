use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use openledger_backbone::ChatMessage;
use serde::Deserialize;
use serde_json::Value;

use super::{
    ApiError, AppState,
    body::{Body, Common},
    generation, prepare,
    respond::{self, Kind, Shape},
    status,
};

const MAX_MESSAGES: usize = 1024;

/// `POST /v1/chat/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct ChatRequest {
    #[serde(flatten)]
    common: Common,
    messages: Vec<Message>,
    max_completion_tokens: Option<u64>,
    tools: Option<Value>,
    functions: Option<Value>,
    response_format: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

impl Content {
    fn into_text(self) -> Result<String, ApiError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Parts(parts) => parts
                .into_iter()
                .map(|part| match part.kind.as_str() {
                    "text" => Ok(part.text),
                    other => Err(ApiError::invalid(format!("content of type {other:?} is not supported"), "messages")),
                })
                .collect(),
        }
    }
}

pub(super) async fn create(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Result<Body<ChatRequest>, ApiError>,
) -> Result<Response, ApiError> {
    status::counted(&state, answer(&state, &headers, body).await)
}

async fn answer(
    state: &Arc<AppState>,
    headers: &HeaderMap,
    body: Result<Body<ChatRequest>, ApiError>,
) -> Result<Response, ApiError> {
    let Body(mut request) = body?;
    if is_set(request.tools.as_ref()) || is_set(request.functions.as_ref()) {
        return Err(ApiError::unsupported("tools"));
    }
    if request.response_format.as_ref().is_some_and(|format| !format.is_null() && format["type"] != "text") {
        return Err(ApiError::unsupported("response_format"));
    }
    if request.messages.is_empty() || request.messages.len() > MAX_MESSAGES {
        let message = format!("{} messages; 1 to {MAX_MESSAGES} are expected", request.messages.len());
        return Err(ApiError::invalid(message, "messages"));
    }
    let mut messages = Vec::with_capacity(request.messages.len());
    for Message { role, content } in request.messages {
        if !matches!(role.as_str(), "system" | "developer" | "user" | "assistant") {
            return Err(ApiError::invalid(format!("the role {role:?} is not supported"), "messages"));
        }
        let role = if role == "developer" { "system".into() } else { role };
        let content = content.map(Content::into_text).transpose()?.unwrap_or_default();
        messages.push(ChatMessage { role, content });
    }
    request.common.max_tokens = request.max_completion_tokens.or(request.common.max_tokens);
    let prepared = prepare::prepare(state, request.common, move |info| {
        let template = info
            .chat
            .as_ref()
            .ok_or_else(|| ApiError::invalid("this model has no chat template; use /v1/completions", "messages"))?;
        template.render(&messages, true).map_err(|error| ApiError::invalid(error.to_string(), "messages"))
    })
    .await?;
    let shape = Shape::new(Kind::Chat, prepared.model.clone(), prepared.include_usage);
    let stream = prepared.stream;
    let generation = generation::start(state, headers, prepared).await?;
    if stream { Ok(respond::streamed(shape, generation)) } else { respond::whole(shape, generation).await }
}

fn is_set(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
}
