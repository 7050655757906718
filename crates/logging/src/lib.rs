#![doc = include_str!("../README.md")]

mod args;
mod reload;

pub use args::{LogArgs, LogFormat, init, with_environment};
pub use reload::set_filter;
