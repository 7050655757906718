#![doc = include_str!("../README.md")]

mod accounts;
mod args;
mod chain;
mod console;
mod demo;
mod devnet_json;
mod error;
mod l1;
mod layout;
mod model;
mod nodes;
mod ports;
mod run;
mod supervisor;
mod units;

pub use accounts::{Account, roles};
pub use args::{DemoArgs, DevnetArgs, InferenceArgs, TrainingArgs};
pub use chain::{BlockId, Chain, until};
pub use console::Console;
pub use demo::{Client, Question, Terms, demo};
pub use devnet_json::{ChainEndpoint, DevnetJson, Endpoint, InferenceEndpoint, ModelEntry};
pub use error::DevnetError;
pub use layout::Layout;
pub use run::devnet;
pub use supervisor::{die_with_us, shutdown};
