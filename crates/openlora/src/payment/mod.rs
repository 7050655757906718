//! Who pays, whether they can, and what they signed for.

mod chain;
mod gate;
mod in_flight;
mod rpc;
mod terms;

pub(crate) use chain::{Chain, read_key};
pub(crate) use gate::{Admission, PaymentGate, RequestCost, now};
pub(crate) use in_flight::{Hold, InFlight};
pub(crate) use rpc::RpcError;
pub(crate) use terms::Terms;
