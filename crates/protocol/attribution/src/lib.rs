#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

pub mod authorization;
pub mod batch;
pub mod codec;
pub mod contracts;
pub mod eip712;
mod error;
pub mod fee;
pub mod merkle;
pub mod split;

pub use authorization::SignedAuthorization;
pub use batch::{Batch, BatchBuilder, Charge, Entry};
pub use error::{SettleError, SignatureError};
pub use fee::{BPS, FeeSchedule, Parts, Platform, Usage, max_fee, split_usage};
pub use merkle::MerkleTree;
pub use split::Split;
