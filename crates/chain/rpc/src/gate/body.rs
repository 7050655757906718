//! Bodies within bounds: of size, of time, and of what all of them together hold in memory.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use jsonrpsee::{
    core::BoxError,
    server::{HttpBody, HttpResponse},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body up to this size is always taken and an answer up to it always given: what a wallet sends and asks is smaller.
const SMALL: usize = 64 << 10;
/// Memory is counted in these.
const UNIT: usize = 1 << 10;

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is larger than one may be.
    TooLarge,
    /// It did not come within the time for it.
    TooSlow,
    /// All large bodies together take as much memory as they may.
    NoMemory,
    /// The client broke off.
    Broken,
}

/// Memory for bodies of requests and answers, and messages of WebSockets, beyond the small ones.
#[derive(Debug, Clone)]
pub(crate) struct BodyMemory(Arc<Semaphore>);

/// A part of it, none for what is small; dropping it gives it back.
pub(crate) type Share = Option<OwnedSemaphorePermit>;

/// The share of something that is not whole yet. It grows with what came, not with what was announced.
#[derive(Debug)]
pub(crate) struct Growing {
    memory: BodyMemory,
    /// Bytes that need no share.
    free: usize,
    bytes: usize,
    share: Share,
}

impl Growing {
    /// Some more came; `false` if there is no memory for it.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        let has = self.share.as_ref().map_or(0, |share| share.num_permits() * UNIT);
        if self.is_small() || self.bytes <= has {
            return true;
        }
        let Some(more) = self.memory.take(self.bytes - has) else { return false };
        match &mut self.share {
            Some(share) => share.merge(more),
            none => *none = Some(more),
        }
        true
    }

    /// Whether it needs no share so far.
    pub(crate) const fn is_small(&self) -> bool {
        self.bytes <= self.free
    }

    /// So much of what came was something else, and is not kept.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// It is whole; the next begins.
    pub(crate) fn reset(&mut self) {
        (self.bytes, self.share) = (0, None);
    }
}

impl BodyMemory {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        self.0.clone().try_acquire_many_owned(units).ok()
    }

    /// Reads a whole body.
    pub(super) async fn read(
        &self,
        headers: &HeaderMap,
        body: Incoming,
        max: usize,
        within: Duration,
    ) -> Result<(Bytes, Share), BodyError> {
        let announced = headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: u64| length > max as u64) {
            return Err(BodyError::TooLarge);
        }
        let read = self.read_within(body, max);
        tokio::time::timeout(within, read).await.unwrap_or(Err(BodyError::TooSlow))
    }

    async fn read_within(&self, mut body: Incoming, max: usize) -> Result<(Bytes, Share), BodyError> {
        let mut read = BytesMut::new();
        let mut growing = self.growing(0);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
            if read.len() + data.len() > max {
                return Err(BodyError::TooLarge);
            }
            if !growing.grow(data.len()) {
                return Err(BodyError::NoMemory);
            }
            read.extend_from_slice(&data);
        }
        Ok((read.freeze(), growing.share))
    }

    /// For something that will grow, with which up to `more` bytes of something else are read.
    pub(crate) fn growing(&self, more: usize) -> Growing {
        Growing { memory: self.clone(), free: SMALL + more, bytes: 0, share: None }
    }

    /// The share of something with this many bytes; `None` if there is no memory for it.
    pub(crate) fn share(&self, bytes: usize) -> Option<Share> {
        if bytes <= SMALL { Some(None) } else { self.take(bytes).map(Some) }
    }

    /// An answer that holds its share of memory until it is sent or given up; `None` if there is no memory for it.
    pub(super) fn hold(&self, response: HttpResponse) -> Option<HttpResponse> {
        let share = self.share(response.body().size_hint().lower() as usize)?;
        Some(response.map(|body| if share.is_some() { HttpBody::new(Held { body, _share: share }) } else { body }))
    }
}

/// A body with its share of memory.
struct Held {
    body: HttpBody,
    _share: Share,
}

impl Body for Held {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: usize) -> HttpResponse {
        HttpResponse::new(HttpBody::from(vec![7; bytes]))
    }

    #[tokio::test]
    async fn large_answers_share_the_memory_and_small_ones_need_none() {
        let memory = BodyMemory::new(300 << 10);
        let first = memory.hold(answer(200 << 10)).unwrap();
        assert_eq!(first.body().size_hint().exact(), Some(200 << 10));
        assert!(memory.hold(answer(200 << 10)).is_none());
        assert!(memory.hold(answer(SMALL)).is_some());
        assert_eq!(first.into_body().collect().await.unwrap().to_bytes().len(), 200 << 10);
        assert!(memory.hold(answer(200 << 10)).is_some(), "what was sent is given back");
    }

    #[test]
    fn what_grows_takes_memory_as_it_comes() {
        let memory = BodyMemory::new(300 << 10);
        let (mut first, mut second) = (memory.growing(0), memory.growing(1 << 10));
        assert!(first.grow(SMALL) && second.grow(SMALL + (1 << 10)));
        assert_eq!(memory.0.available_permits(), 300);
        assert!((0..1000).all(|_| first.grow(100)));
        assert_eq!(memory.0.available_permits(), 300 - (SMALL + 100_000).div_ceil(UNIT));
        assert!(!second.grow(100 << 10), "beside 162 KiB there is none for 165");
        first.reset();
        assert_eq!(memory.0.available_permits(), 300);
        assert!(second.grow(0), "the first gave its share back");
        // Small things in between count for nothing, however many they are.
        for _ in 0..1000 {
            assert!(first.grow(1000));
            first.shrink(1000);
        }
        assert!(first.share.is_none());
    }
}
