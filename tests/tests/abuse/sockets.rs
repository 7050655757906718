//! Many connections that do little or nothing.

use crate::Target;
use openledger_e2e::{Failure, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{net::Shutdown, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Sockets that nobody uses.
const IDLE: usize = 10_000;
/// Connections that are slow: more than the node has places for.
const SLOW: usize = 600;
/// Files that this test needs besides.
const OTHER_FILES: u64 = 100;

/// Ten thousand sockets on which nothing is ever sent.
pub(crate) async fn idle(target: &mut Target) -> Result<(), Failure> {
    let count = IDLE.min(open_files()?.saturating_sub(OTHER_FILES) as usize);
    if count < IDLE {
        println!("     only {count} sockets: the system's limit of open files is lower (ulimit -Hn)");
    }
    let mut sockets = Vec::with_capacity(count);
    for opened in 0..count {
        sockets.push(connect(target).await?);
        if opened % 1000 == 0 {
            target.is_well().await?;
        }
    }
    target.is_well().await?;
    // Those for which there is no place are closed, so that their files are free again.
    let closed = async |socket: &mut TcpStream| {
        let read = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut [0; 64])).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    };
    ensure(closed(&mut sockets[0]).await, "the oldest idle socket keeps its place although there are too many")
}

/// Headers and bodies that come one byte at a time.
pub(crate) async fn slow(target: &mut Target) -> Result<(), Failure> {
    open_files()?;
    let head = b"POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n";
    let mut sockets = Vec::new();
    for number in 0..SLOW {
        let mut socket = connect(target).await?;
        socket.write_all(head).await?;
        if number % 2 == 0 {
            socket.write_all(b"content-length: 1000\r\n\r\n{").await?;
        }
        sockets.push(socket);
    }
    for _ in 0..5 {
        for socket in &mut sockets {
            // Some have lost their place by now.
            let _ = socket.write_all(b" ").await;
        }
        target.is_well().await?;
    }
    Ok(())
}

/// Clients that close their end of the connection, before or after a request, and never read.
pub(crate) async fn half_open(target: &mut Target) -> Result<(), Failure> {
    open_files()?;
    let mut sockets = Vec::new();
    for number in 0..SLOW {
        let mut socket = connect(target).await?;
        if number % 2 == 0 {
            let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
            let request = format!(
                "POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{call}",
                call.len()
            );
            socket.write_all(request.as_bytes()).await?;
        }
        let socket = socket.into_std()?;
        socket.shutdown(Shutdown::Write)?;
        sockets.push(socket);
    }
    target.is_well().await
}

async fn connect(target: &Target) -> Result<TcpStream, Failure> {
    let connected = tokio::time::timeout(Duration::from_secs(10), TcpStream::connect(("127.0.0.1", target.node.port)));
    Ok(connected.await.map_err(|_| "no connection within 10 s")??)
}

/// Raises this process's limit of open files as far as it may; the limit then.
fn open_files() -> Result<u64, Failure> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    Ok(most.unwrap_or(u64::MAX))
}
