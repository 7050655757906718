#![doc = include_str!("../README.md")]

mod anvil;
mod ports;

pub use anvil::{Anvil, anvil_program};
pub use ports::free_port;
