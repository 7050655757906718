//! Takes unsafe blocks from another node. Nothing is believed: each block is executed, and must come out with the hash it claims.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use openledger_derivation::Severity;
use openledger_primitives::{Block, L2BlockRef};
use tokio_util::sync::CancellationToken;

use super::{
    derivation::Progress,
    progress::{CatchUp, Position},
};
use crate::{Chain, NodeError, WriteError, retry::Backoff};

/// Blocks that are asked for at once while there are many to catch up with.
const WINDOW: u64 = 32;

/// A node that has blocks which L1 may not hold yet.
pub(crate) trait UnsafeSource: Send + Sync + 'static {
    /// Number of its newest block.
    fn head(&self) -> impl Future<Output = Result<u64, NodeError>> + Send;
    /// Its blocks from `first` on, in order: `count` of them, or fewer where its chain ends.
    fn blocks(&self, first: u64, count: u64) -> impl Future<Output = Result<Vec<Block>, NodeError>> + Send;
}

/// The task that follows another node.
pub(crate) struct Follower<S> {
    chain: Arc<Chain>,
    source: S,
    catch_up: CatchUp,
}

impl<S: UnsafeSource> Follower<S> {
    /// A follower of `source`.
    pub(crate) fn new(chain: Arc<Chain>, source: S) -> Self {
        Self { chain, source, catch_up: CatchUp::default() }
    }

    #[cfg(test)]
    pub(crate) const fn source(&self) -> &S {
        &self.source
    }

    /// Takes the next blocks, or steps back to where both chains agree.
    pub(crate) async fn step(&mut self) -> Result<Progress, NodeError> {
        let newest = self.source.head().await?;
        let mut head = self.chain.head()?;
        if newest <= head.number {
            if let Some(progress) = self.catch_up.done(Instant::now(), head.number) {
                tracing::info!("caught up with the source of unsafe blocks: {progress}");
            }
            return Ok(Progress::Waiting);
        }
        if let Some(progress) = self.catch_up.advanced(Instant::now(), Position::behind_node(head.number, newest)) {
            tracing::info!("catching up with the source of unsafe blocks: {progress}");
        }
        let blocks = self.source.blocks(head.number + 1, WINDOW.min(newest - head.number)).await?;
        if blocks.first().is_some_and(|first| first.header.parent_hash != head.hash) {
            self.step_back(&head).await?;
            return Ok(Progress::Advanced);
        }
        let progress = if blocks.is_empty() { Progress::Waiting } else { Progress::Advanced };
        for block in blocks {
            head = self.import(head, block).await?;
        }
        Ok(progress)
    }

    async fn import(&self, parent: L2BlockRef, block: Block) -> Result<L2BlockRef, NodeError> {
        let chain = self.chain.clone();
        crate::blocking(move || {
            chain.import(&parent, &block).map_err(|error| match error {
                WriteError::Invalid(reason) => NodeError::UnsafeBlock { number: parent.number + 1, reason },
                // Derivation moved the chain meanwhile: look again.
                WriteError::StaleParent { parent } => NodeError::Unwound(parent),
                WriteError::Node(error) => error,
            })
        })
        .await
    }

    /// The other node is on another branch, and its is longer: ours goes, down to the newest block of both, but never a safe one.
    async fn step_back(&self, head: &L2BlockRef) -> Result<(), NodeError> {
        let safe = self.chain.heads()?.safe.number;
        for number in (safe..head.number).rev() {
            let theirs = self.source.blocks(number, 1).await?.pop().map(|block| block.header.hash_slow());
            if theirs.is_some() && theirs == self.chain.db().hash(number)? {
                let chain = self.chain.clone();
                tracing::warn!(
                    from = head.number,
                    to = number,
                    "the source of unsafe blocks went over to another branch"
                );
                return crate::blocking(move || chain.unwind_unsafe(number)).await;
            }
        }
        Err(NodeError::UnsafeBlock { number: safe, reason: "L1 prescribes another block there".to_owned() })
    }

    /// Runs until the node stops; an error returned is critical.
    pub(crate) async fn run(mut self, interval: Duration, stop: &CancellationToken) -> Result<(), NodeError> {
        let mut backoff = Backoff::new();
        loop {
            let wait = match self.step().await {
                Ok(progress) => {
                    if !backoff.is_first() {
                        tracing::info!("unsafe blocks are followed again");
                    }
                    backoff.succeeded();
                    if progress == Progress::Advanced { Duration::ZERO } else { interval }
                }
                Err(error) if error.severity() == Severity::Critical => return Err(error),
                Err(error) => {
                    if backoff.is_first() {
                        tracing::warn!(%error, "no unsafe blocks: going on with those that L1 holds, and trying again");
                    }
                    backoff.failed()
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
