#![doc = include_str!("../README.md")]

mod anvil;
mod folders;
mod ports;

pub use anvil::{Anvil, anvil_program};
pub use folders::{ethereum_tests, workspace};
pub use ports::free_port;
