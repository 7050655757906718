//! Accepts connections and serves each in a task of its own.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use jsonrpsee::{
    core::BoxError,
    server::{HttpRequest, HttpResponse, StopHandle},
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service;

use super::{Gate, connections::Place, socket::Socket};

/// How often silent connections are looked for.
const SWEEP: Duration = Duration::from_secs(1);
/// How long to wait when no connection can be accepted, as when the process may open no more files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// How long requests in flight may take when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// Bytes of a request's line and headers.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// What a connection is told for which there is no place.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Serves until it is stopped.
pub(crate) async fn serve<S>(listener: TcpListener, gate: Arc<Gate>, stop: StopHandle, service: S)
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    let mut stopped = std::pin::pin!(stop.clone().shutdown());
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => return,
            _ = sweep.tick() => {
                gate.connections.close_silent(gate.limits.max_silence);
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be accepted: if there are too many open files, raise `ulimit -n`");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        match gate.connections.admit(peer.ip()) {
            Some(place) => {
                tokio::spawn(connection(stream, place, gate.clone(), stop.clone(), service.clone()));
            }
            // It may have gone away already.
            None => drop(stream.try_write(FULL)),
        }
    }
}

/// HTTP/1.1 on one connection, until it closes or becomes a WebSocket.
async fn connection<S>(stream: TcpStream, place: Place, gate: Arc<Gate>, stop: StopHandle, service: S)
where
    S: Service<HttpRequest, Response = HttpResponse, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    // Answers are written as a whole: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let served = place.connection.clone();
    let max_silence = gate.limits.max_silence;
    let answer = service_fn(move |request| {
        let (gate, served, service) = (gate.clone(), served.clone(), service.clone());
        async move { Ok::<_, Infallible>(gate.answer(request, served, service).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(max_silence).max_buf_size(MAX_HEAD_BYTES);
    let socket = TokioIo::new(Socket::new(stream, place));
    let mut connection = std::pin::pin!(http.serve_connection(socket, answer).with_upgrades());
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.shutdown() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(STOP_WITHIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
