//! JSON-RPC over HTTP and WebSocket. Both hand what they received to one dispatcher, so that they answer alike.

mod dispatch;
mod http;
mod methods;
mod received;
mod websocket;

pub(crate) use http::Transport;
