#![doc = include_str!("../README.md")]

mod api;
mod catalog;
mod config;
mod engine;
mod error;
mod metrics;
mod payment;
mod server;
mod settlement;

pub use config::ServeArgs;
pub use engine::{
    AdapterRef, Engine, EngineConfig, Event, Finish, FinishReason, Gauges, GenerationError, Job, ModelInfo,
};
pub use error::ServeError;
pub use server::{Server, serve};
