//! The transaction manager: a task that owns an account's nonces.

mod answer;
mod fees;
mod manager;
mod slot;
mod task;

pub use manager::{Confirmed, GasLimit, Submitted, TxManager, TxManagerConfig, TxRequest, TxStatus};
