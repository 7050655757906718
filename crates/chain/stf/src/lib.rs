#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod changes;
mod reader;

pub use changes::{Account, AccountChange, StateChanges, StateRoots};
pub use reader::{StateCommitter, StateError, StateReader};
