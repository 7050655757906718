//! The OpenAI API over the engine.

mod body;
mod chat;
mod completions;
mod error;
mod generation;
mod models;
mod openledger;
mod prepare;
mod respond;
mod status;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, header},
    routing::{get, post},
};
pub(crate) use error::ApiError;
use tokio::sync::Notify;
use tower_http::cors::{Any, CorsLayer};

use crate::{catalog::Catalog, engine::Engine, metrics::Metrics, payment::PaymentGate};

/// Largest request body: far beyond the context of any model served here.
const MAX_BODY: usize = 4 << 20;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct AppState {
    pub(crate) engine: Engine,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) metrics: Arc<Metrics>,
    /// Nothing when everything is served for nothing.
    pub(crate) payment: Option<PaymentGate>,
    /// Rung when there is a receipt to settle.
    pub(crate) bell: Arc<Notify>,
    pub(crate) default_max_tokens: usize,
    pub(crate) attribution_tokens: usize,
    /// When the server started, in Unix seconds.
    pub(crate) started: u64,
}

pub(crate) fn router(state: Arc<AppState>) -> Router {
    // Any page may ask: there are no cookies, and what is paid is paid by signature.
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(Any)
        .expose_headers([header::HeaderName::from_static(generation::REQUEST_ID), header::RETRY_AFTER]);
    Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/models/{model}", get(models::get))
        .route("/v1/chat/completions", post(chat::create))
        .route("/v1/completions", post(completions::create))
        .route("/v1/openledger", get(openledger::info))
        .route("/v1/receipts/{request}", get(openledger::receipt))
        .route("/health", get(status::health))
        .route("/metrics", get(status::metrics))
        .fallback(status::not_found)
        .method_not_allowed_fallback(status::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(cors)
        .with_state(state)
}
