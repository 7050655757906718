//! A WebSocket that sends what it is told, well-formed or not.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, protocol::frame::coding::CloseCode},
};

/// Longest wait for an answer; it only keeps a failing test from hanging.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn open(url: &str) -> Self {
        Self(connect_async(url).await.unwrap().0)
    }

    /// Sends a text and returns the next one that comes.
    pub(super) async fn ask(&mut self, text: &str) -> Value {
        self.send(text).await;
        self.next().await.unwrap()
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next text that comes, or how the node closes the socket.
    pub(super) async fn next(&mut self) -> Result<Value, Option<CloseCode>> {
        let next = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                    Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                    Some(Ok(_)) => (),
                    None | Some(Err(_)) => return Err(None),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }
}
