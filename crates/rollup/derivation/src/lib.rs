#![doc = include_str!("../README.md")]
#![no_std]

extern crate alloc;

mod attributes;
mod check;
mod error;
mod event;
mod input;
mod origin;
mod pipeline;
mod source;
mod start;

pub use attributes::{DerivedAttributes, DerivedFrom, mismatch, next_epoch_attributes, same_epoch_attributes};
pub use check::BatchDrop;
pub use error::{DerivationError, Severity};
pub use event::DerivationEvent;
pub use input::{InboxTransaction, L1BlockInfo, L1Input};
pub use origin::{L1View, OriginChoice, OriginError, select_origin};
pub use pipeline::{Derivation, Step};
pub use start::{Start, find_start};
