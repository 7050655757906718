#![doc = include_str!("../README.md")]

mod attention;
mod backbone;
mod cache;
mod chat;
mod config;
mod error;
pub mod gguf;
mod linear;
mod model;
mod sampling;
mod strftime;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tokenizer;

pub use backbone::Backbone;
pub use cache::KvCache;
pub use chat::{ChatMessage, ChatTemplate};
pub use config::LlamaConfig;
pub use error::BackboneError;
pub use linear::{LinearDelta, NoDelta, Projection};
pub use model::{Llama, Sequence};
pub use sampling::{Sampler, SamplingParams};
pub use tokenizer::{Detokenizer, Tokenizer};
