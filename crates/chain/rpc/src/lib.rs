#![doc = include_str!("../README.md")]

mod api;
mod context;
mod convert;
mod database;
mod error;
mod eth;
mod fees;
mod health;
mod rollup;
mod server;
mod simulate;

pub use api::{
    BatchLocation, BlockInfo, BoxedState, ChainApi, ChainEvent, Fault, FaultKind, Heads, Health, PoolCounts, Proof,
    SyncStatus, TransactionLocation,
};
pub use convert::RpcBlock;
pub use error::RpcError;
pub use eth::filters::Changes;
pub use rollup::{OutputAtBlock, PoolStatus};
pub use server::{Limits, RpcServer};
