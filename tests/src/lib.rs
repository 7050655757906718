#![doc = include_str!("../README.md")]

mod devnet;
mod process;
mod programs;
mod rollup;
mod rpc;
mod runner;

pub use devnet::{Devnet, Ports, Running};
pub use process::Process;
pub use programs::openledger;
pub use rollup::{Node, Rollup};
pub use rpc::{Rpc, RpcFailure};
pub use runner::{Failure, Runner, ensure};
