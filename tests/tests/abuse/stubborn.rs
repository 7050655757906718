//! Clients that take what they can get and give nothing: WebSockets by the hundred, answers that nobody reads, large bodies.

use crate::{PATIENCE, Target};
use openledger_e2e::{Failure, ensure};
use serde_json::json;
use std::{
    io,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// WebSockets that are asked for: more than the node gives.
const CROWD: usize = 400;
/// WebSockets that do not read.
const DEAF: usize = 20;
/// WebSockets that wait: nearly all that there may be.
const WAITING: usize = 240;
/// Clients that have something computed.
const BUSY: usize = 300;
/// The rounds that each asks for: a second of a processor, or some.
const ROUNDS: u32 = 40_000_000;
/// The precompiles that compute, and that copy.
const BLAKE2F: &str = "0x0000000000000000000000000000000000000009";
const IDENTITY: &str = "0x0000000000000000000000000000000000000004";
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
        sockets.push(websocket_in_time(target).await?);
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

/// WebSockets on which a message as large as one may be was answered with much, and which then do nothing.
pub(crate) async fn waiting(target: &mut Target) -> Result<(), Failure> {
    let calls = format!("[{}{CALL}]", format!("{CALL},").repeat(19));
    let frame = text_frame(format!("{}{calls}", " ".repeat((1 << 20) - calls.len())).as_bytes());
    let mut sockets = Vec::new();
    for _ in 0..WAITING {
        // What the scenario before asked for may still take the memory for answers: then this one is sent away.
        let ask = async {
            loop {
                let mut socket = websocket_in_time(target).await?;
                let sent = socket.write_all(&frame).await;
                let answered = read_message(&mut socket).await;
                if sent.is_ok() && answered.is_ok_and(|bytes| bytes > 1 << 20) {
                    return Ok::<_, Failure>(socket);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        sockets.push(tokio::time::timeout(PATIENCE, ask).await.map_err(|_| "there is no memory for an answer")??);
    }
    target.is_well().await
}

/// Calls that compute for seconds, from as many connections as there are places for, again and again. Blocks are made meanwhile,
/// and whoever has a call of its own does not wait for all of theirs.
pub(crate) async fn busy(target: &mut Target) -> Result<(), Failure> {
    // BLAKE2's compression function (EIP-152): a gas for each round, and nothing that an inspector could stop.
    let input = format!("0x{ROUNDS:08x}{}01", "00".repeat(208));
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"to": BLAKE2F, "input": input}]});
    let call = call.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{call}",
        call.len()
    );
    let asked = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    for _ in 0..BUSY {
        crowd.spawn(ask_again_and_again(target.node.port, request.clone(), asked.clone()));
    }
    let node = &target.node;
    within("the calls to arrive", async || asked.load(Relaxed) >= BUSY).await?;
    let (before, _) = node.block("latest").await.ok_or("no newest block")?;
    target.is_well().await?;
    let own = target.node.rpc.once("eth_call", json!([{"to": IDENTITY, "input": "0x2a"}]));
    let own =
        tokio::time::timeout(PATIENCE, own).await.map_err(|_| "a call waits for all those of another source")??;
    ensure(own == json!("0x2a"), format!("the call answers {own}"))?;
    let node = &target.node;
    within("blocks", async || node.block("latest").await.is_some_and(|(number, _)| number >= before + 3)).await?;
    ensure(crowd.try_join_next().is_none(), "a client was sent away")?;
    // What nobody waits for any more is not computed.
    crowd.shutdown().await;
    within("the calls to end", async || node.metric(r#"openledger_rpc_running{kind="compute"}"#).await == Some(0.0))
        .await
}

/// Asks from another address of this machine, which is another source.
async fn ask_again_and_again(port: u16, request: String, asked: Arc<AtomicUsize>) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())?;
    let mut stream = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
    let mut answer = [0; 1024];
    loop {
        stream.write_all(request.as_bytes()).await?;
        asked.fetch_add(1, Relaxed);
        if stream.read(&mut answer).await? == 0 {
            return Ok(());
        }
    }
}

/// Waits for something, not longer than anyone has patience: unlike `openledger_devnet::until`, not for an answer that is on its way either.
async fn within(what: &str, is_so: impl AsyncFn() -> bool) -> Result<(), Failure> {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.map_err(|_| format!("waited for {what} in vain").into())
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

/// A WebSocket, once those of the scenario before are gone.
async fn websocket_in_time(target: &Target) -> Result<TcpStream, Failure> {
    loop {
        match websocket(target).await? {
            Some(socket) => return Ok(socket),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// A text frame as clients send it, with a mask of zeros.
fn text_frame(text: &[u8]) -> Vec<u8> {
    let length = (text.len() as u64).to_be_bytes();
    [&[0x81, 0x80 | 127], &length[..], &[0; 4], text].concat()
}

/// Reads the frames of a message, as a server sends them; its bytes.
async fn read_message(socket: &mut TcpStream) -> io::Result<usize> {
    let mut bytes = 0;
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).await?;
        let length = match head[1] {
            126 => u64::from(socket.read_u16().await?),
            127 => socket.read_u64().await?,
            length => length.into(),
        };
        let read = tokio::io::copy(&mut socket.take(length), &mut tokio::io::sink()).await?;
        bytes += read as usize;
        if head[0] & 0x80 != 0 {
            return Ok(bytes);
        }
    }
}
