#![doc = include_str!("../README.md")]

mod admin;
mod api;
mod chain;
mod config;
mod control;
mod driver;
mod error;
mod faults;
mod journal;
mod l1;
mod l1_services;
mod maintenance;
mod metrics;
mod node;
mod phases;
mod process;
mod readiness;
mod records;
mod retry;
#[cfg(test)]
mod tests;
mod upstream;

pub use chain::{Chain, WriteError};
pub use config::{AdminConfig, NodeConfig, ReplicaConfig, Role, SequencerConfig, SetLogFilter};
pub use error::NodeError;
pub use maintenance::{Initialised, init, open_database};
pub use node::Node;
pub use openledger_rpc::Limits;
pub use openledger_storage::Retention;

/// Runs synchronous work (execution, the database) where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, NodeError> + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| NodeError::Task(error.to_string()))?
}
