//! `eth_simulateV1`: blocks that could follow, built on one another and thrown away.
//!
//! A simulated block is made as a real one: the parent's hash and the beacon root go to their contracts, transactions have
//! receipts, and the header commits to the state. It has no L1 attributes, so its transactions see those of the base block,
//! and no signatures, so its data footprint is zero.

mod plan;
mod run;
mod transfers;

pub(crate) use run::{simulate, unsigned};
