use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
};

use openledger_backbone::SamplingParams;
use openledger_influence::QueryGradient;
use tokio::sync::mpsc;

/// A request to the engine.
#[derive(Debug)]
pub struct Job {
    /// The prompt, at least one token.
    pub prompt: Vec<u32>,
    /// The adapter, or the backbone alone.
    pub adapter: Option<AdapterRef>,
    /// How tokens are chosen.
    pub sampling: SamplingParams,
    /// Most tokens of the answer, at least one.
    pub max_tokens: usize,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Whether to compute the gradient of the answer by the adapter's matrices, through at most this many tokens.
    pub gradient: Option<usize>,
    /// Set when nobody wants the rest.
    pub cancelled: Arc<AtomicBool>,
    /// Where the answer goes. Its length is bounded by `max_tokens`.
    pub events: mpsc::UnboundedSender<Event>,
}

/// An adapter on disk, by the hash it had when it was looked up.
#[derive(Debug, Clone)]
pub struct AdapterRef {
    /// SHA-256 of `adapter_model.safetensors`.
    pub hash: [u8; 32],
    /// Its folder.
    pub folder: PathBuf,
}

/// What the engine says about a request.
#[derive(Debug)]
pub enum Event {
    /// More text, never empty.
    Text(String),
    /// The last event of an answer.
    Done(Box<Finish>),
    /// The last event of a request that failed.
    Failed(GenerationError),
}

/// How an answer ended.
#[derive(Debug)]
pub struct Finish {
    /// Why.
    pub reason: FinishReason,
    /// Tokens sampled, the one that ended the answer included.
    pub tokens: Vec<u32>,
    /// The gradient, if it was asked for and a token was sampled.
    pub gradient: Option<QueryGradient>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model or a stop text ended it.
    Stop,
    /// It has as many tokens as were asked for.
    Length,
    /// The client went away.
    Cancelled,
}

impl FinishReason {
    /// As OpenAI's API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GenerationError {
    /// More requests wait than the server holds: try again.
    #[error("the server is busy: too many requests are waiting")]
    QueueFull,
    /// All adapters in memory are in use: try again.
    #[error("the server is busy: {0}")]
    AdapterMemory(String),
    /// The adapter cannot be used.
    #[error("the adapter cannot be loaded: {0}")]
    Adapter(String),
    /// The model failed on this request.
    #[error("the model failed: {0}")]
    Model(String),
    /// The engine has ended.
    #[error("the inference engine has stopped; the server must be restarted")]
    Stopped,
}
