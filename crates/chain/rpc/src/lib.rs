#![doc = include_str!("../README.md")]

mod api;
mod budget;
mod context;
mod convert;
mod database;
mod debug;
mod error;
mod eth;
mod fees;
mod health;
mod ots;
mod replay;
mod rollup;
mod server;
mod simulate;
mod submissions;
mod txpool;

pub use api::{
    BatchLocation, BlockInfo, BoxedState, ChainApi, ChainEvent, Fault, FaultKind, Heads, Health, PoolCounts, Proof,
    SenderTransactions, SyncStatus, TransactionLocation,
};
pub use convert::RpcBlock;
pub use error::RpcError;
pub use eth::filters::Changes;
pub use rollup::OutputAtBlock;
pub use server::{Limits, RpcServer};
pub use txpool::{ByNonce, PoolContent, PoolStatus};
