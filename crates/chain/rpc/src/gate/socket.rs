//! A socket that tells when something moves, and that can be closed from outside.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::connections::Place;

/// A TCP connection and its place.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    place: Place,
}

impl Socket {
    pub(super) const fn new(stream: TcpStream, place: Place) -> Self {
        Self { stream, place }
    }

    fn wrote(&self, result: io::Result<usize>) -> io::Result<usize> {
        if result.is_ok() {
            self.place.moved();
        }
        result
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the place was needed for somebody else, or nothing came for too long",
    )
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.place.connection.reader.register(cx.waker());
        if self.place.connection.is_closed() {
            return Poll::Ready(Err(closed()));
        }
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.place.moved();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.place.connection.writer.register(cx.waker());
        if self.place.connection.is_closed() {
            return Poll::Ready(Err(closed()));
        }
        let result = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        Poll::Ready(self.wrote(result))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.place.connection.writer.register(cx.waker());
        if self.place.connection.is_closed() {
            return Poll::Ready(Err(closed()));
        }
        let result = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        Poll::Ready(self.wrote(result))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
