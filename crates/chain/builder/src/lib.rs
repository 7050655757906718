#![doc = include_str!("../README.md")]

mod build;
mod limits;

pub use build::{BuiltBlock, Stop, build_block};
pub use limits::BuildLimits;
