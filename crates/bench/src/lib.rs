#![doc = include_str!("../README.md")]

mod account;
mod args;
mod error;
mod floor;
mod key;
mod load;
mod machine;
mod measure;
mod plan;
mod process;
mod report;
mod rpc;
mod run;
mod settle;
mod stage;
mod suite;
mod usage;

pub use args::{BenchArgs, BenchCommand, LoadArgs, SuiteArgs};
pub use error::BenchError;
pub use plan::Scenario;
pub use run::bench;
pub use stage::{Node, State};
