#![doc = include_str!("../README.md")]

mod args;
mod artifacts;
mod constructor;
mod error;
mod files;
mod genesis;
mod l1;
mod predeploys;
mod rollup;
mod run;
mod settings;

pub use args::{ChainArgs, DeployArgs};
pub use artifacts::Artifacts;
pub use constructor::{Constructed, construct};
pub use error::DeployError;
pub use genesis::build_genesis;
pub use rollup::{L1Contracts, L1Origin, rollup_config};
pub use run::run;
pub use settings::{ChainParameters, ChainSettings, Roles};
