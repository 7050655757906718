#![doc = include_str!("../README.md")]

mod best;
mod config;
mod contents;
mod error;
mod fees;
mod intrinsic;
pub mod journal;
mod pool;
mod sender;
mod transaction;
mod types;

pub use best::Best;
pub use config::{BlockContext, PoolConfig};
pub use error::PoolError;
pub use fees::RollupFees;
pub use intrinsic::{floor_gas, intrinsic_gas};
pub use pool::Pool;
pub use sender::{AccountCode, AccountReader, AccountState};
pub use transaction::PoolTransaction;
pub use types::{Added, Origin, Place, PoolStatus, SenderContent};
