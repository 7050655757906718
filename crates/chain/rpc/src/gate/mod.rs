//! Between the network and the methods: who may connect, how much memory and time a request may take, how many transactions one
//! source may send. Nothing that arrives here may take the node down.

mod admission;
mod body;
mod connections;
mod http;
mod rate;
mod serve;
mod socket;
mod turns;

pub(crate) use admission::{AdmissionLayer, Source};
pub(crate) use body::{BodyMemory, Growing, Share};
pub(crate) use connections::Connection;
#[cfg(test)]
pub(crate) use connections::Connections;
pub(crate) use http::Gate;
pub(crate) use serve::serve;
pub(crate) use turns::{Turn, Turns};
