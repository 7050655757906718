#![doc = include_str!("../README.md")]

mod batches;
mod config;
mod l1;
mod transactions;
mod tries;

pub use batches::batches;
pub use config::config;
pub use l1::l1;
pub use transactions::transactions;
pub use tries::tries;
