use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::engine::GenerationError;

/// An error as OpenAI's API gives it: `{"error": {message, type, param, code}}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    kind: &'static str,
    pub(crate) code: &'static str,
    message: String,
    param: Option<&'static str>,
    /// What a client needs to pay.
    pub(crate) openledger: Option<Value>,
    retry_after: Option<u32>,
}

impl ApiError {
    pub(crate) const fn new(status: StatusCode, kind: &'static str, code: &'static str, message: String) -> Self {
        Self { status, kind, code, message, param: None, openledger: None, retry_after: None }
    }

    /// The request is at fault, in this parameter.
    pub(crate) fn invalid(message: impl Into<String>, param: &'static str) -> Self {
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_value", message.into());
        Self { param: Some(param), ..error }
    }

    /// A parameter of OpenAI's API that is not served here.
    pub(crate) fn unsupported(param: &'static str) -> Self {
        let message = format!("{param:?} is not supported by this server; leave it out");
        let error = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "unsupported_parameter", message);
        Self { param: Some(param), ..error }
    }

    pub(crate) fn context_length(message: String) -> Self {
        let kind = "invalid_request_error";
        let error = Self::new(StatusCode::BAD_REQUEST, kind, "context_length_exceeded", message);
        Self { param: Some("messages"), ..error }
    }

    pub(crate) fn model_not_found(model: &str) -> Self {
        let shown: String = model.chars().take(100).collect();
        let message = format!("the model {shown:?} is not served here; GET /v1/models lists those that are");
        let error = Self::new(StatusCode::NOT_FOUND, "invalid_request_error", "model_not_found", message);
        Self { param: Some("model"), ..error }
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal_error", message.into())
    }

    pub(crate) const fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(crate) fn body(&self) -> Value {
        let mut error = json!({"message": self.message, "type": self.kind, "param": self.param, "code": self.code});
        if let Some(openledger) = &self.openledger {
            error["openledger"] = openledger.clone();
        }
        json!({ "error": error })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<GenerationError> for ApiError {
    fn from(error: GenerationError) -> Self {
        let message = error.to_string();
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        match error {
            GenerationError::QueueFull | GenerationError::AdapterMemory(_) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "server_busy", message).retry_after(1)
            }
            GenerationError::Adapter(_) => Self::new(unavailable, "server_error", "adapter_unavailable", message),
            GenerationError::Stopped => Self::new(unavailable, "server_error", "engine_stopped", message),
            GenerationError::Model(_) => Self::internal(message),
        }
    }
}
