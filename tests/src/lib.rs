#![doc = include_str!("../README.md")]

mod devnet;
mod runner;

pub use devnet::{Devnet, Ports, Running};
pub use runner::{Failure, Runner, ensure};
