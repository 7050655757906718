#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod assembler;
mod batch;
mod block_info;
mod compression;
mod config_update;
mod constants;
mod deposit;
mod error;
mod frame;
mod l1_info;

pub use assembler::{Assembled, Channel, ChannelAssembler, FrameDrop};
pub use batch::{Batch, BatchReader, SINGLE_BATCH_TYPE, SPAN_BATCH_TYPE, SingleBatch, encode_batches};
pub use block_info::{l2_block_ref, system_config_of};
#[cfg(feature = "std")]
pub use compression::compress_channel;
pub use compression::decompress_channel;
pub use config_update::{CONFIG_UPDATE_TOPIC, ConfigUpdate};
pub use constants::*;
pub use deposit::{TRANSACTION_DEPOSITED_TOPIC, decode_deposit, encode_opaque_data};
pub use error::DecodeError;
pub use frame::{ChannelId, Frame, encode_frames, parse_frames, prune_frames, split_channel};
pub use l1_info::{L1_INFO_CALLDATA_LEN, L1_INFO_SELECTOR, L1Info};
