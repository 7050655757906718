//! Clients that take what they can get and give nothing: WebSockets by the hundred, answers that nobody reads, large bodies.

use crate::Target;
use openledger_e2e::{Failure, ensure};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// WebSockets that are asked for: more than the node gives.
const CROWD: usize = 400;
/// WebSockets that do not read.
const DEAF: usize = 20;
/// Requests with large bodies at the same time: five times the memory that there is for bodies.
const LARGE: usize = 250;
/// Bytes of a large body.
const LARGE_BYTES: usize = 5 << 20;

/// As many WebSockets as one can get; the rest of the places is for others.
pub(crate) async fn crowd(target: &mut Target) -> Result<(), Failure> {
    let mut sockets = Vec::new();
    let mut refused = 0;
    for _ in 0..CROWD {
        match websocket(target).await? {
            Some(socket) => sockets.push(socket),
            None => refused += 1,
        }
    }
    ensure(refused > 0 && !sockets.is_empty(), format!("{} WebSockets, {refused} refused", sockets.len()))?;
    target.is_well().await
}

/// Calls upon calls with large answers, none of which is read.
pub(crate) async fn deaf(target: &mut Target) -> Result<(), Failure> {
    let calls = format!("[{}{CALL}]", format!("{CALL},").repeat(199));
    let mut sockets = Vec::new();
    for _ in 0..DEAF {
        // Those of the scenario before may not be gone yet.
        let socket = async {
            loop {
                match websocket(target).await? {
                    Some(socket) => return Ok::<_, Failure>(socket),
                    None => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        };
        sockets.push(socket.await?);
    }
    let frame = text_frame(calls.as_bytes());
    let floods = sockets.iter_mut().map(|socket| async {
        for _ in 0..2000 {
            // The node stops reading: that is what keeps its memory bounded.
            let sent = tokio::time::timeout(Duration::from_millis(500), socket.write_all(&frame));
            if !matches!(sent.await, Ok(Ok(()))) {
                return true;
            }
        }
        false
    });
    let stopped = futures::future::join_all(floods).await;
    ensure(stopped.iter().all(|stopped| *stopped), "the node reads on from a client that does not read")?;
    target.is_well().await
}

/// Large bodies that are almost complete, and never will be.
pub(crate) async fn large(target: &mut Target) -> Result<(), Failure> {
    let head = format!(
        "POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: {LARGE_BYTES}\r\n\r\n"
    );
    let port = target.node.port;
    let part = vec![b' '; LARGE_BYTES - 1];
    let mut sockets = Vec::new();
    let mut refused = 0;
    for _ in 0..LARGE {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await?;
        let _ = socket.write_all(head.as_bytes()).await;
        if socket.write_all(&part).await.is_err() {
            refused += 1;
        }
        sockets.push(socket);
        target.is_well().await?;
    }
    ensure(refused > 0, format!("the node took {LARGE} bodies of {LARGE_BYTES} bytes at once"))
}

/// A call with a large answer.
const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#;

/// A WebSocket, made by hand so that nothing is read behind our back; `None` if the node has no room for one.
async fn websocket(target: &Target) -> Result<Option<TcpStream>, Failure> {
    let mut socket = TcpStream::connect(("127.0.0.1", target.node.port)).await?;
    let request = "GET / HTTP/1.1\r\nhost: node\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    match head.split_whitespace().nth(1) {
        Some("101") => Ok(Some(socket)),
        Some("503") => Ok(None),
        _ => Err(format!("the handshake of a WebSocket got {head}").into()),
    }
}

/// A text frame of up to 65,535 bytes as clients send it, with a mask of zeros.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a frame of 16 bits").to_be_bytes();
    [&[0x81, 0x80 | 126], &length[..], &[0; 4], text].concat()
}
