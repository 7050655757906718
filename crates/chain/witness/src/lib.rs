#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod error;
mod record;
mod replay;
mod state;
mod witness;

pub use error::WitnessError;
pub use record::{Recorder, record};
pub use replay::{Preimages, open, replay};
pub use state::{TrieSource, TrieState};
pub use witness::Witness;
