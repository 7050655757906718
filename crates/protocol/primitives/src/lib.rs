#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

pub mod addresses;
mod attributes;
mod block;
mod output;
mod rollup;
mod spec;
mod system;

pub use alloy_consensus::{Header, Sealed};
pub use alloy_eips::{BlockNumHash, eip1559::BaseFeeParams};
pub use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
pub use alloy_op_hardforks::{OpHardfork, OpHardforks};
pub use attributes::BlockAttributes;
pub use block::{Block, L1BlockRef, L2BlockRef, Receipt, Transaction};
pub use output::output_root;
pub use rollup::{ChainOpConfig, ConfigError, RollupConfig, RollupGenesis};
pub use spec::{ChainSpec, DEFAULT_CHAIN_ID};
pub use system::{DEFAULT_DA_FOOTPRINT_GAS_SCALAR, SystemConfig};
