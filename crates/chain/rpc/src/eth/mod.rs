//! The `eth_` namespace, one file for each group of methods.

pub(crate) mod blocks;
pub(crate) mod call;
mod config;
pub(crate) mod fees;
pub(crate) mod fill;
pub(crate) mod filters;
pub(crate) mod logs;
pub(crate) mod node;
pub(crate) mod state;
pub(crate) mod subscribe;
pub(crate) mod transactions;
