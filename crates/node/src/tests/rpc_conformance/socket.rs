//! A WebSocket that sends what it is told, well-formed or not.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// Longest wait for an answer; it only keeps a failing test from hanging.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn open(url: &str) -> Self {
        Self(connect_async(url).await.unwrap().0)
    }

    /// Sends a text and returns the next one that comes.
    pub(super) async fn ask(&mut self, text: &str) -> Value {
        self.0.send(Message::text(text)).await.unwrap();
        let answer = async {
            loop {
                if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                    return serde_json::from_str(&text).unwrap();
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap()
    }
}
