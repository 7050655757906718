#![doc = include_str!("../README.md")]

mod best;
mod config;
mod error;
mod intrinsic;
pub mod journal;
mod pool;
mod sender;
mod transaction;

pub use best::Best;
pub use config::{BlockContext, PoolConfig};
pub use error::PoolError;
pub use intrinsic::{floor_gas, intrinsic_gas};
pub use pool::{Added, Origin, Place, Pool, PoolStatus, SenderContent};
pub use sender::{AccountCode, AccountReader, AccountState};
pub use transaction::PoolTransaction;
