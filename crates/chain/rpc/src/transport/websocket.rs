//! JSON-RPC in the messages of a WebSocket (RFC 6455): calls are answered as they are done, subscriptions send in between.
//!
//! One task reads and writes. While it waits for a client to read what it is sent, it reads nothing from it: so a client costs no
//! more than [`RUNNING`] calls, however many it sends.

use std::{future::Future, io::ErrorKind::OutOfMemory, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::{
    HeaderValue, StatusCode,
    header::{CONNECTION, CONTENT_TYPE},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use jsonrpsee::{
    server::{
        BoundedSubscriptions, ConnectionId, HttpBody, HttpRequest, HttpResponse, MethodResponse, MethodSink, StopHandle,
    },
    types::{ErrorObjectOwned, Extensions, Id, error::reject_too_big_request},
};
use serde_json::value::RawValue;
use tokio::{
    io::AsyncWriteExt as _,
    sync::mpsc,
    task::{JoinError, JoinSet},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::server::create_response_with_body,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use tower::Layer;

use super::{
    dispatch::{self, Calls},
    http::Transport,
    methods::{MethodService, Subscriptions},
    received::{READ_AT_ONCE, Received},
};
use crate::{
    RpcError,
    gate::{BodyMemory, Connection, Share},
};

/// Messages that are being answered at the same time; no more are read meanwhile.
const RUNNING: usize = 8;
/// Notifications that wait to be sent, and how many are sent before something else gets its turn.
const NOTIFICATIONS: usize = 64;
/// Answers are sent in frames of at most so many bytes, which are copied on their way.
const FRAME: usize = 64 << 10;
/// How long calls in flight may take when the server stops, and how long a client has to take its leave.
const END_WITHIN: Duration = Duration::from_secs(5);

type Stream = WebSocketStream<Received<TokioIo<Upgraded>>>;

/// Answers the handshake, and serves the WebSocket in a task of its own once the answer is sent.
pub(super) fn accept<L>(transport: Transport<L>, mut request: HttpRequest) -> HttpResponse
where
    L: Layer<MethodService, Service: Calls> + Send + 'static,
{
    let response = match create_response_with_body(&request, HttpBody::empty) {
        Ok(response) => response,
        Err(error) => return refused(&error),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let extensions = request.extensions().clone();
    tokio::spawn(async move {
        let stream = match upgrade.await {
            Ok(upgraded) => Received::new(TokioIo::new(upgraded), &transport.memory),
            Err(error) => {
                tracing::debug!(%error, "a connection ended before it became a WebSocket");
                return;
            }
        };
        let max = transport.limits.max_message_bytes as usize;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_AT_ONCE)
            .max_message_size(Some(max))
            .max_frame_size(Some(max));
        let stream = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
        serve(transport, stream, extensions).await;
    });
    response
}

fn refused(error: &Error) -> HttpResponse {
    let mut response = HttpResponse::new(HttpBody::from(format!("This is no handshake of a WebSocket: {error}.\n")));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    // Its place counts as a WebSocket's.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// One WebSocket.
struct Session<S> {
    stream: Stream,
    calls: S,
    max_batch: u32,
    max_message_bytes: u32,
    memory: BodyMemory,
    reader: Reader,
    extensions: Extensions,
    notifications: mpsc::Receiver<Box<RawValue>>,
    running: JoinSet<(MethodResponse, Share)>,
}

/// Serves until the client leaves, is gone, or the server stops, which waits for the end of `stop`.
async fn serve<L>(transport: Transport<L>, stream: Stream, extensions: Extensions)
where
    L: Layer<MethodService, Service: Calls>,
{
    let Transport { shared, layers, limits, memory, stop } = transport;
    let (sink, notifications) = mpsc::channel(NOTIFICATIONS);
    let connection = extensions.get::<Arc<Connection>>().expect("the gate puts it there").clone();
    let subscriptions = Subscriptions {
        connection: ConnectionId(connection.id() as usize),
        sink: MethodSink::new(sink),
        limit: BoundedSubscriptions::new(limits.max_subscriptions),
    };
    let methods = MethodService::new(shared, Some(subscriptions));
    let session = Session {
        stream,
        calls: layers.service(methods),
        max_batch: limits.max_batch,
        max_message_bytes: limits.max_message_bytes,
        memory,
        reader: Reader { connection, max_silence: limits.max_silence },
        extensions,
        notifications,
        running: JoinSet::new(),
    };
    if let Err(error) = session.run(stop.clone()).await {
        tracing::debug!(%error, "a WebSocket ended");
    }
}

impl<S: Calls> Session<S> {
    async fn run(mut self, stop: StopHandle) -> Result<(), Error> {
        let Some(code) = self.serve(stop.shutdown()).await? else { return Ok(()) };
        if code == CloseCode::Away {
            let _ = timeout(END_WITHIN, self.finish()).await;
        }
        timeout(END_WITHIN, self.close(code)).await.unwrap_or(Ok(()))
    }

    async fn close(&mut self, code: CloseCode) -> Result<(), Error> {
        self.stream.close(Some(CloseFrame { code, reason: Default::default() })).await?;
        if matches!(code, CloseCode::Size | CloseCode::Again) {
            // A connection that is closed with something unread is reset, and the client may not see what it was told.
            let rest = self.stream.get_mut().uncounted();
            rest.shutdown().await?;
            tokio::io::copy(rest, &mut tokio::io::sink()).await?;
        }
        Ok(())
    }

    /// Why the server closes it; `None` if it is closed already.
    async fn serve(&mut self, stopped: impl Future<Output = ()>) -> Result<Option<CloseCode>, Error> {
        let mut stopped = std::pin::pin!(stopped);
        let half = self.reader.max_silence / 2;
        let mut ping = tokio::time::interval_at(Instant::now() + half, half);
        let mut is_there = true;
        let mut notifications = Vec::new();
        loop {
            tokio::select! {
                () = &mut stopped => return Ok(Some(CloseCode::Away)),
                message = self.stream.next(), if self.running.len() < RUNNING => {
                    is_there = true;
                    match message {
                        None | Some(Err(Error::ConnectionClosed)) => return Ok(None),
                        Some(Ok(Message::Text(text))) => self.answer(text.into()),
                        Some(Ok(Message::Binary(bytes))) => self.answer(bytes),
                        // Pings and the client's closing are answered when the next message is waited for.
                        Some(Ok(control)) => self.stream.get_mut().control(control.len()),
                        Some(Err(Error::Capacity(_))) => {
                            return self.refuse(reject_too_big_request(self.max_message_bytes), CloseCode::Size).await;
                        }
                        Some(Err(Error::Io(error))) if error.kind() == OutOfMemory => {
                            return self.refuse(RpcError::no_memory().into(), CloseCode::Again).await;
                        }
                        Some(Err(error)) => return Err(error),
                    }
                }
                Some(done) = self.running.join_next() => self.send_answer(done).await?,
                _ = self.notifications.recv_many(&mut notifications, NOTIFICATIONS) => {
                    self.send(notifications.drain(..)).await?;
                }
                _ = ping.tick() => {
                    // It was asked before, and has not said anything since.
                    if !is_there {
                        return Ok(None);
                    }
                    // It cannot be heard while it is not listened to.
                    is_there = self.running.len() >= RUNNING;
                    self.reader.takes(self.stream.send(Message::Ping(Bytes::new()))).await?;
                }
            }
        }
    }

    /// Says why a message is not even read to its end, which ends the socket.
    async fn refuse(&mut self, error: ErrorObjectOwned, code: CloseCode) -> Result<Option<CloseCode>, Error> {
        self.send([MethodResponse::error(Id::Null, error).into_json()]).await?;
        Ok(Some(code))
    }

    /// Answers a message in a task of its own.
    fn answer(&mut self, message: Bytes) {
        self.stream.get_mut().message();
        let share = self.memory.share(message.len());
        let (calls, memory, extensions, max_batch) =
            (self.calls.clone(), self.memory.clone(), self.extensions.clone(), self.max_batch);
        self.running.spawn(async move {
            let Some(_share) = share else {
                return (dispatch::refusal(&message, RpcError::no_memory()), None);
            };
            let answer = dispatch::answer(&message, max_batch, &calls, &extensions).await;
            match memory.share(answer.as_json().get().len()) {
                Some(share) => (answer, share),
                None => (dispatch::refusal(&message, RpcError::no_memory()), None),
            }
        });
    }

    async fn send_answer(&mut self, done: Result<(MethodResponse, Share), JoinError>) -> Result<(), Error> {
        let (answer, _share) = done.map_err(|panicked| Error::Io(panicked.into()))?;
        // A subscription has sent its answer itself, before its first notification.
        if answer.is_method_call() || answer.is_batch() {
            let is_success = answer.is_success();
            let (json, sent, _) = answer.into_parts();
            self.send([json]).await?;
            if let Some(sent) = sent {
                sent.notify(is_success);
            }
        }
        Ok(())
    }

    async fn send(&mut self, messages: impl IntoIterator<Item = Box<RawValue>>) -> Result<(), Error> {
        for json in messages {
            for frame in frames(String::from(Box::<str>::from(json)).into()) {
                self.reader.takes(self.stream.feed(frame)).await?;
            }
        }
        self.reader.takes(self.stream.flush()).await
    }

    /// Waits for the calls in flight and sends their answers, and the notifications that are there by then.
    async fn finish(&mut self) -> Result<(), Error> {
        while let Some(done) = self.running.join_next().await {
            self.send_answer(done).await?;
        }
        while let Ok(json) = self.notifications.try_recv() {
            self.send([json]).await?;
        }
        Ok(())
    }
}

/// A text, in as many frames as it takes (RFC 6455, section 5.4).
fn frames(text: Bytes) -> impl Iterator<Item = Message> {
    let count = text.len().div_ceil(FRAME);
    (0..count).map(move |at| {
        let part = text.slice(at * FRAME..text.len().min((at + 1) * FRAME));
        let kind = if at == 0 { Data::Text } else { Data::Continue };
        Message::Frame(Frame::message(part, OpCode::Data(kind), at + 1 == count))
    })
}

/// The client as a reader of what it is sent.
struct Reader {
    connection: Arc<Connection>,
    max_silence: Duration,
}

impl Reader {
    /// Fails if it reads nothing for longer than it may be silent.
    async fn takes(&self, sending: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        let mut sending = std::pin::pin!(sending);
        loop {
            let moved_at = self.connection.moved_at();
            match timeout(self.max_silence, &mut sending).await {
                Ok(sent) => return sent,
                Err(_) if self.connection.moved_at() != moved_at => (),
                Err(late) => return Err(Error::Io(late.into())),
            }
        }
    }
}
