#![doc = include_str!("../README.md")]

mod batcher;
mod channel;
mod config;
mod error;

pub use batcher::{Batcher, Payload, PayloadId, Rewind};
pub use config::BatcherConfig;
pub use error::BatcherError;
