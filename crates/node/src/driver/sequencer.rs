//! Produces blocks on the clock.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use openledger_batch::L1Info;
use openledger_derivation::{
    L1Input, L1View, OriginChoice, OriginError, Severity, next_epoch_attributes, same_epoch_attributes, select_origin,
};
use openledger_primitives::{BlockAttributes, L2BlockRef};
use openledger_rpc::BlockInfo;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    Chain, NodeError, WriteError,
    control::Switch,
    l1::{L1Error, L1Source, L1Status},
    retry::Backoff,
};

/// A block must not wait for an L1 that is slow: production goes on with the old origin.
const L1_PATIENCE: Duration = Duration::from_millis(400);

/// Why no block was produced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProduceError {
    /// No L1 origin can be chosen.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The block was not added.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl ProduceError {
    fn severity(&self) -> Severity {
        match self {
            Self::Origin(error) => error.severity(),
            // The derivation driver unwound the chain: look at the new head.
            Self::Write(WriteError::StaleParent { .. }) => Severity::Temporary,
            // Our own attributes cannot be invalid: what is wrong here does not go away.
            Self::Write(WriteError::Invalid(_)) => Severity::Critical,
            Self::Write(WriteError::Node(error)) | Self::Node(error) => error.severity(),
        }
    }
}

/// The sequencer's task.
pub(crate) struct Sequencer<L> {
    chain: Arc<Chain>,
    l1: Arc<L>,
    status: Arc<L1Status>,
    confirmations: u64,
    switch: Arc<Switch>,
}

impl<L: L1Source> Sequencer<L> {
    /// A sequencer that lets `confirmations` L1 blocks stand on an origin, and makes blocks while it is switched on.
    pub(crate) const fn new(
        chain: Arc<Chain>,
        l1: Arc<L>,
        status: Arc<L1Status>,
        confirmations: u64,
        switch: Arc<Switch>,
    ) -> Self {
        Self { chain, l1, status, confirmations, switch }
    }

    /// Builds the next block.
    pub(crate) async fn produce(&self) -> Result<L2BlockRef, ProduceError> {
        let head = self.chain.head()?;
        let parent = self.chain.block(head.number)?.ok_or(NodeError::Unwound(head.id()))?;
        let attributes = self.attributes(&head, &parent).await?;
        let chain = self.chain.clone();
        let built = tokio::task::spawn_blocking(move || chain.build(&head, &attributes)).await;
        Ok(built.map_err(|error| NodeError::Task(error.to_string()))??)
    }

    async fn attributes(&self, head: &L2BlockRef, parent: &BlockInfo) -> Result<BlockAttributes, ProduceError> {
        let config = self.chain.config();
        let view = self.view(head).await;
        let timestamp = match L1Info::of_block(&parent.block) {
            Ok(info) => info.timestamp,
            Err(_) => config.genesis.l2_time,
        };
        if let OriginChoice::Advance(next) = select_origin(config, self.confirmations, head, timestamp, &view)? {
            match self.input(next.number).await {
                Ok(input) => {
                    return Ok(next_epoch_attributes(config, head, &parent.block, &input).map_err(NodeError::from)?);
                }
                Err(error) => tracing::debug!(%error, "the next L1 origin could not be read"),
            }
        }
        // The old origin, if the drift allows it without knowing the next one.
        let unknown = L1View { next: None, ..view };
        let keep = match view.next {
            Some(next) if next.timestamp > head.timestamp + config.block_time => &view,
            _ => &unknown,
        };
        let choice = select_origin(config, self.confirmations, head, timestamp, keep)?;
        let genesis = match head.number == config.genesis.l2.number {
            true => Some(self.input(head.l1_origin.number).await.map_err(NodeError::from)?.info),
            false => None,
        };
        let mut attributes =
            same_epoch_attributes(config, head, &parent.block, genesis.as_ref()).map_err(NodeError::from)?;
        attributes.no_tx_pool |= choice == OriginChoice::Keep { no_tx_pool: true };
        Ok(attributes)
    }

    /// What L1 says about the current origin and the one after it. What it does not say in time is not known.
    async fn view(&self, head: &L2BlockRef) -> L1View {
        let number = head.l1_origin.number;
        let asked = async { tokio::join!(self.l1.block(number), self.l1.block(number + 1)) };
        let Ok((current, next)) = tokio::time::timeout(L1_PATIENCE, asked).await else {
            return L1View::default();
        };
        let next = next.ok().flatten();
        // An origin above L1's head is one that L1 took back; its hash is then none at all.
        let current = current.ok().map(|block| block.map(|block| block.hash).unwrap_or_default());
        let newest = next.map_or(number, |next| next.number).max(self.status.heads().head.number);
        L1View { head: Some(newest), current, next }
    }

    async fn input(&self, number: u64) -> Result<L1Input, L1Error> {
        let input = tokio::time::timeout(L1_PATIENCE, self.l1.input(number)).await;
        let input =
            input.map_err(|_| L1Error::Timeout { method: "eth_getBlockReceipts", seconds: L1_PATIENCE.as_secs() })?;
        input?
            .ok_or_else(|| L1Error::Unreadable { method: "eth_getBlockByNumber", reason: format!("no block {number}") })
    }

    /// Produces a block at each of its times until the node stops; an error returned is critical. Times are absolute, so that
    /// the cadence does not drift, and a sequencer that is behind builds without pause until it has caught up.
    pub(crate) async fn run(self, reset_wanted: &Notify, stop: &CancellationToken) -> Result<(), NodeError> {
        self.wait_for_derivation(stop).await;
        let mut backoff = Backoff::new();
        let mut behind = false;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.switch.wait_until_on() => {}
            }
            let due = self.chain.head().map(|head| head.timestamp + self.chain.config().block_time);
            let wait = match due {
                Ok(due) => {
                    (UNIX_EPOCH + Duration::from_secs(due)).duration_since(SystemTime::now()).unwrap_or_default()
                }
                Err(error) if error.severity() == Severity::Critical => return Err(error),
                Err(_) => backoff.failed(),
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
            // It may have been switched off meanwhile. Who does that waits for this block, and knows the last one.
            let Some(turn) = self.switch.turn().await else { continue };
            let produced = self.produce().await;
            drop(turn);
            match produced {
                Ok(block) => {
                    backoff.succeeded();
                    behind = self.report(&block, behind);
                }
                Err(error) => {
                    let severity = error.severity();
                    if severity == Severity::Critical {
                        return Err(critical(error));
                    }
                    if backoff.is_first() {
                        tracing::warn!(%error, "no block was produced: trying again");
                    }
                    if severity == Severity::Reset {
                        reset_wanted.notify_one();
                    }
                    tokio::select! {
                        () = stop.cancelled() => return Ok(()),
                        () = tokio::time::sleep(backoff.failed()) => {}
                    }
                }
            }
        }
    }

    /// What L1 holds already must not be built again in another way: before the first block, derivation reads L1 to its end, unless
    /// L1 is away.
    async fn wait_for_derivation(&self, stop: &CancellationToken) {
        while !self.status.is_synced() && self.status.is_reachable() && !stop.is_cancelled() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn report(&self, block: &L2BlockRef, was_behind: bool) -> bool {
        let due = UNIX_EPOCH + Duration::from_secs(block.timestamp);
        let late = SystemTime::now().duration_since(due).unwrap_or_default();
        self.chain.metrics().block_delay_ms.store(late.as_millis() as u64, Relaxed);
        let behind = late > Duration::from_secs(3 * self.chain.config().block_time);
        if behind && !was_behind {
            tracing::warn!(number = block.number, late_s = late.as_secs(), "behind the clock: catching up");
        } else if was_behind && !behind {
            tracing::info!(number = block.number, "caught up with the clock");
        }
        tracing::debug!(number = block.number, hash = %block.hash, l1_origin = block.l1_origin.number, "produced a block");
        behind
    }
}

fn critical(error: ProduceError) -> NodeError {
    match error {
        ProduceError::Write(WriteError::Node(error)) | ProduceError::Node(error) => error,
        other => NodeError::Task(format!("the sequencer cannot produce blocks: {other}")),
    }
}
