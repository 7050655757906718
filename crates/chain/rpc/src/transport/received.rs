//! What a WebSocket has received of a message that is not whole yet.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::gate::{BodyMemory, Growing};

/// Most bytes that are read at once: what follows a message may be read with its end.
pub(super) const READ_AT_ONCE: usize = 32 << 10;
/// What a control frame of a client has besides its payload: two bytes and the mask (RFC 6455, section 5.2).
const CONTROL_HEADER: usize = 6;

/// A connection whose reads fail with [`io::ErrorKind::OutOfMemory`] when there is no memory for what comes.
#[derive(Debug)]
pub(super) struct Received<I> {
    io: I,
    growing: Growing,
}

impl<I> Received<I> {
    pub(super) fn new(io: I, memory: &BodyMemory) -> Self {
        Self { io, growing: memory.growing(READ_AT_ONCE) }
    }

    /// A message is whole, and counted by whoever answers it.
    pub(super) fn message(&mut self) {
        self.growing.reset();
    }

    /// A control frame was read, between messages or between the fragments of one.
    pub(super) fn control(&mut self, payload: usize) {
        self.growing.shrink(CONTROL_HEADER + payload);
    }

    /// The connection, for whoever keeps nothing of what it reads.
    pub(super) const fn uncounted(&mut self) -> &mut I {
        &mut self.io
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Received<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        if !self.growing.grow(buffer.filled().len() - before) {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Received<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
