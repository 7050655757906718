#![doc = include_str!("../README.md")]

mod args;

pub use args::{LogArgs, LogFormat, init, with_environment};
