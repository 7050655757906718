#![doc = include_str!("../README.md")]

mod adapter;
mod batch;
mod config;
mod error;
mod files;
mod registry;

pub use adapter::{LoraAdapter, LoraWeights, Weights};
pub use batch::LoraBatch;
pub use config::AdapterConfig;
pub use error::LoraError;
pub use files::{CONFIG_FILE, WEIGHTS_FILE};
pub use registry::{AdapterRegistry, Lease};
