//! What the node asks of L1, and what it knows about its heads.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use openledger_derivation::L1Input;
pub(crate) use openledger_l1::L1Error;
use openledger_primitives::L1BlockRef;
use parking_lot::RwLock;
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, retry::Backoff};

/// The canonical chain of L1, verified by whoever implements this.
pub(crate) trait L1Source: Send + Sync + 'static {
    /// The newest block.
    fn head(&self) -> impl Future<Output = Result<L1BlockRef, L1Error>> + Send;
    /// The newest safe and finalized blocks; genesis where L1 has none yet.
    fn settled(&self) -> impl Future<Output = Result<(L1BlockRef, L1BlockRef), L1Error>> + Send;
    /// The canonical block at a height; `None` above the head.
    fn block(&self, number: u64) -> impl Future<Output = Result<Option<L1BlockRef>, L1Error>> + Send;
    /// All that derivation needs of the canonical block at a height; `None` above the head.
    fn input(&self, number: u64) -> impl Future<Output = Result<Option<L1Input>, L1Error>> + Send;
}

/// The heads of L1 as last seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct L1Heads {
    pub(crate) head: L1BlockRef,
    pub(crate) safe: L1BlockRef,
    pub(crate) finalized: L1BlockRef,
}

/// What everybody in the node may know about L1.
#[derive(Debug, Default)]
pub(crate) struct L1Status {
    heads: RwLock<L1Heads>,
    derived: RwLock<L1BlockRef>,
    unreachable: AtomicBool,
    synced: AtomicBool,
}

impl L1Status {
    /// The heads as last seen.
    pub(crate) fn heads(&self) -> L1Heads {
        *self.heads.read()
    }

    /// The L1 block up to which everything is derived.
    pub(crate) fn derived(&self) -> L1BlockRef {
        *self.derived.read()
    }

    /// Records how far derivation has read.
    pub(crate) fn set_derived(&self, block: L1BlockRef) {
        *self.derived.write() = block;
    }

    /// Whether the last request was answered.
    pub(crate) fn is_reachable(&self) -> bool {
        !self.unreachable.load(Relaxed)
    }

    /// Whether derivation has come to the end of L1 once since the start.
    pub(crate) fn is_synced(&self) -> bool {
        self.synced.load(Relaxed)
    }

    /// Derivation has come to the end of L1.
    pub(crate) fn set_synced(&self) {
        self.synced.store(true, Relaxed);
    }

    /// Records new heads.
    pub(crate) fn set_heads(&self, heads: L1Heads) {
        *self.heads.write() = heads;
        self.unreachable.store(false, Relaxed);
    }
}

/// Follows the heads of L1 until the node stops.
pub(crate) async fn follow<L: L1Source>(
    l1: &L,
    status: &L1Status,
    metrics: &Metrics,
    interval: Duration,
    stop: &CancellationToken,
) {
    let mut backoff = Backoff::new();
    loop {
        let wait = match poll(l1).await {
            Ok(heads) => {
                if !status.is_reachable() {
                    tracing::info!(l1_head = heads.head.number, "L1 answers again");
                }
                status.set_heads(heads);
                backoff.succeeded();
                interval
            }
            Err(error) => {
                Metrics::count(&metrics.l1_errors);
                if !status.unreachable.swap(true, Relaxed) {
                    tracing::warn!(%error, "L1 does not answer: trying again until it does");
                }
                backoff.failed()
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn poll<L: L1Source>(l1: &L) -> Result<L1Heads, L1Error> {
    let head = l1.head().await?;
    let (safe, finalized) = l1.settled().await?;
    Ok(L1Heads { head, safe, finalized })
}
