#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod env;
mod factory;
mod precompiles;
pub mod settle;

pub use alloy_evm::{Evm, EvmEnv, EvmFactory};
pub use alloy_op_evm::{OpEvm, OpEvmContext, OpTx, OpTxError};
pub use env::{block_env, next_block_env};
pub use factory::OpenLedgerEvmFactory;
pub use op_revm::{OpHaltReason, OpSpecId, OpTransactionError};
pub use precompiles::precompiles;
