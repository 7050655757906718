#![doc = include_str!("../README.md")]

mod blob_fee;
mod client;
pub mod contracts;
mod error;
mod tx;
mod verify;

pub use client::{L1Client, L1ClientConfig};
pub use error::{L1Error, TxError};
pub use tx::{Confirmed, GasLimit, Submitted, TxManager, TxManagerConfig, TxRequest, TxStatus};
