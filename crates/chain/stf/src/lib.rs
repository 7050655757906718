#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod changes;
mod error;
mod execute;
mod executor;
mod fees;
pub mod genesis;
mod header;
mod reader;
mod state;

pub use changes::{Account, AccountChange, StateChanges, StateRoots};
pub use error::{AttributesError, ExecutionError, TransactionError};
pub use execute::{decode_transaction, execute_block};
pub use executor::{BlockExecutor, Outcome, begin_block, receipt};
pub use fees::{min_base_fee, next_base_fee};
pub use header::{ExecutedBlock, attributes_of, receipts_root};
pub use reader::{StateCommitter, StateError, StateReader};
pub use state::BlockState;
