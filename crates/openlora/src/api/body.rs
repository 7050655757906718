use axum::{
    body::Bytes,
    extract::{FromRequest, Request, rejection::BytesRejection},
    http::StatusCode,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::ApiError;

/// A JSON body whose errors have the API's shape, whatever the content type says.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection: BytesRejection| {
            let message = format!("the request's body cannot be read: {rejection}");
            let status = rejection.status();
            let code = if status == StatusCode::PAYLOAD_TOO_LARGE { "request_too_large" } else { "invalid_body" };
            ApiError::new(status, "invalid_request_error", code, message)
        })?;
        let body = serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("the request's body is not the JSON expected: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_json", message)
        })?;
        Ok(Self(body))
    }
}

/// What chat and text completions have in common.
#[derive(Debug, Deserialize)]
pub(super) struct Common {
    pub(super) model: String,
    pub(super) max_tokens: Option<u64>,
    pub(super) temperature: Option<f32>,
    pub(super) top_p: Option<f32>,
    pub(super) top_k: Option<u64>,
    pub(super) seed: Option<i64>,
    pub(super) stop: Option<Texts>,
    #[serde(default)]
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    pub(super) presence_penalty: Option<f32>,
    pub(super) frequency_penalty: Option<f32>,
    pub(super) repetition_penalty: Option<f32>,
    pub(super) logit_bias: Option<std::collections::BTreeMap<String, f32>>,
    pub(super) n: Option<u64>,
    pub(super) logprobs: Option<Value>,
    /// Ours: `true` computes influences also where nothing is paid.
    #[serde(default)]
    pub(super) attribution: Option<bool>,
}

/// One text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub(super) include_usage: bool,
}
