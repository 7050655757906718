#![doc = include_str!("../README.md")]

mod blocks;
mod cache;
mod check;
mod check_state;
mod codec;
mod commit;
mod database;
mod error;
mod heads;
mod history;
mod logs;
mod maintenance;
mod notes;
mod proofs;
mod prune;
mod store;
mod tables;
mod unwind;
mod view;

pub use blocks::{BlockEntry, ReceiptEntry, TransactionEntry};
pub use check::{Checked, Progress};
pub use database::{Database, DatabaseOptions};
pub use error::StorageError;
pub use heads::Heads;
pub use logs::{LogEntry, LogFilter};
pub use maintenance::{Stats, TableStats};
pub use notes::Note;
pub use proofs::{AccountProof, StorageProof};
pub use prune::Retention;
pub use view::StateView;
