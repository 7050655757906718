#![doc = include_str!("../README.md")]

mod build;
mod limits;

pub use build::{Filled, Stop, fill_block};
pub use limits::BuildLimits;
