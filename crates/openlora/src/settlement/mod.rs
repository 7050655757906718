//! From an answer to a receipt, from a receipt to a payment.

mod build;
mod record;
mod settler;
mod store;
mod transaction;

pub(crate) use build::{Answer, Attribution, build};
pub(crate) use record::Record;
pub(crate) use settler::Settler;
pub(crate) use store::ReceiptStore;
