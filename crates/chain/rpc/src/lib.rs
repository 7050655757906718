#![doc = include_str!("../README.md")]

mod admin;
mod api;
mod budget;
mod context;
mod convert;
mod database;
mod debug;
mod error;
mod eth;
mod fees;
mod gate;
mod health;
mod metrics;
mod openrpc;
mod ots;
mod ots_search;
mod overrides;
mod replay;
mod rollup;
mod server;
mod simulate;
mod simulate_v1;
mod strict_hex;
mod submissions;
mod trace;
mod transport;
mod txpool;

pub use admin::{AdminApi, EthProtocol, NodeInfo, Protocols};
pub use api::{
    BatchLocation, BlockInfo, BoxedState, ChainApi, ChainEvent, Fault, FaultKind, Heads, Health, PoolCounts, Proof,
    Readiness, SenderTransactions, SyncStatus, TransactionLocation,
};
pub use convert::RpcBlock;
pub use debug::PrefixedHash;
pub use error::{RpcError, SimulationRule};
pub use eth::{fill::Filled, filters::Changes, node::Capabilities, state::Slot};
pub use rollup::OutputAtBlock;
pub use server::{Limits, RpcServer};
pub use txpool::{ByNonce, PoolContent, PoolStatus};
