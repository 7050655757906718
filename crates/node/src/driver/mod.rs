//! The tasks of a node: thin loops around machines that do no I/O.

pub(crate) mod batcher;
pub(crate) mod derivation;
pub(crate) mod follower;
pub(crate) mod outputs;
mod progress;
pub(crate) mod proposer;
pub(crate) mod pruner;
mod reset;
pub(crate) mod sequencer;
