//! Posts the unsafe blocks to L1.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use alloy_primitives::{Bytes, U256};
use openledger_batcher::{Batcher, BatcherConfig, BatcherError, PayloadId, Rewind};
use openledger_derivation::Severity;
use openledger_l1::TxError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Chain, NodeError, control::BatcherControl, l1::L1Status, metrics::Metrics, retry::Backoff};

const GWEI: u128 = 1_000_000_000;

/// Sends batch transactions to the inbox on L1.
pub(crate) trait BatchPoster: Send + Sync + 'static {
    /// Puts calldata in line, in the order of the calls. The future waits until L1 includes it.
    fn post(&self, data: Bytes) -> impl Future<Output = Result<Posted, TxError>> + Send + 'static;
    /// What is known about the batcher's account on L1.
    fn account(&self) -> PosterAccount;
}

/// A batch transaction that L1 included.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Posted {
    /// Number of the L1 block.
    pub(crate) l1_block: u64,
    /// Gas that it used there.
    pub(crate) gas_used: u64,
    /// What it cost, in wei.
    pub(crate) cost: u128,
}

/// The account that pays for batches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PosterAccount {
    /// What it has on L1 to pay with, in wei, if that is known.
    pub(crate) balance: Option<U256>,
    /// Times that a transaction was offered again at a higher price.
    pub(crate) replaced: u64,
}

/// The batcher's task.
pub(crate) struct BatcherDriver<P> {
    chain: Arc<Chain>,
    status: Arc<L1Status>,
    poster: Arc<P>,
    batcher: Batcher,
    in_flight: JoinSet<(PayloadId, u64, Result<Posted, TxError>)>,
    window_warned: bool,
    control: Arc<BatcherControl>,
}

impl<P: BatchPoster> BatcherDriver<P> {
    /// Begins above the safe head: what L1 does not hold yet is posted.
    pub(crate) fn new(
        chain: Arc<Chain>,
        status: Arc<L1Status>,
        poster: Arc<P>,
        config: BatcherConfig,
        control: Arc<BatcherControl>,
    ) -> Result<Self, NodeError> {
        let safe = chain.heads()?.safe;
        let batcher = Batcher::new(config, chain.config(), safe, status.heads().head.number);
        Ok(Self { chain, status, poster, batcher, in_flight: JoinSet::new(), window_warned: false, control })
    }

    /// Takes in what happened on both layers and hands the next transactions to L1.
    pub(crate) async fn tick(&mut self) -> Result<(), NodeError> {
        while let Some(done) = self.in_flight.try_join_next() {
            self.answered(done.map_err(|error| NodeError::Task(error.to_string()))?);
        }
        let l1_head = self.status.heads().head.number;
        if l1_head == 0 {
            // L1 was not heard of yet.
            return Ok(());
        }
        log_rewind(self.batcher.on_l1_head(l1_head));
        // First how far L1 was read, then the safe head: it is then at least what that led to.
        let derived = self.status.derived().number;
        let safe = self.chain.safe_head()?;
        if derived > 0 {
            log_rewind(self.batcher.on_derived(derived, &safe));
        }
        if self.control.flush.swap(false, SeqCst) {
            self.batcher.flush();
        }
        // Held until the transactions are in line: who stops the batcher knows that no others follow.
        let control = self.control.clone();
        let turn = control.switch.turn().await;
        // Encoding and compressing blocks takes a processor for a while.
        let payloads = tokio::task::block_in_place(|| {
            self.add_blocks(safe.id())?;
            let payloads = std::iter::from_fn(|| turn.as_ref().and_then(|_| self.batcher.next_payload()));
            Ok::<_, NodeError>(payloads.collect::<Vec<_>>())
        })?;
        self.chain.set_backlog(self.batcher.backlog());
        self.watch_window();
        let (account, metrics) = (self.poster.account(), self.chain.metrics());
        metrics.batches_replaced.store(account.replaced, Relaxed);
        if let Some(balance) = account.balance {
            metrics.batcher_balance_gwei.store((balance / U256::from(GWEI)).saturating_to(), Relaxed);
        }
        for payload in payloads {
            tracing::info!(
                first_block = payload.first_block,
                last_block = payload.last_block,
                bytes = payload.data.len(),
                "posting a batch"
            );
            Metrics::count(&self.chain.metrics().batches_sent);
            let bytes = payload.data.len() as u64;
            let included = self.poster.post(payload.data);
            self.in_flight.spawn(async move { (payload.id, bytes, included.await) });
        }
        Ok(())
    }

    fn add_blocks(&mut self, safe: alloy_eips::BlockNumHash) -> Result<(), NodeError> {
        let head = self.chain.heads()?.unsafe_head.number;
        while self.batcher.next_block() <= head {
            let Some(info) = self.chain.block(self.batcher.next_block())? else { break };
            match self.batcher.add_block(info.hash, &info.block) {
                Ok(()) => {}
                Err(error @ BatcherError::Reorg { .. }) => {
                    tracing::warn!(%error, "the batcher begins again above the safe head");
                    self.batcher.reset(safe);
                    break;
                }
                Err(BatcherError::Decode { error, .. }) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn answered(&mut self, (id, bytes, result): (PayloadId, u64, Result<Posted, TxError>)) {
        let metrics = self.chain.metrics();
        match result {
            Ok(Posted { l1_block, gas_used, cost }) => {
                Metrics::count(&metrics.batches_posted);
                metrics.batcher_bytes.fetch_add(bytes, Relaxed);
                metrics.batcher_gas.fetch_add(gas_used, Relaxed);
                *metrics.batcher_spent_wei.lock() += cost;
                tracing::info!(l1_block, bytes, gas_used, cost_gwei = cost / GWEI, "L1 included a batch");
                self.batcher.confirmed(id, l1_block);
            }
            Err(error) => {
                Metrics::count(&metrics.batches_failed);
                tracing::warn!(%error, "a batch transaction failed");
                log_rewind(self.batcher.failed(id));
            }
        }
    }

    /// When the sequencing window of a posted block is over, derivation goes on without it and the chain is reorganised.
    fn watch_window(&mut self) {
        let total = self.chain.config().seq_window_size;
        let short = self.batcher.window_left().is_some_and(|left| left < total / 2);
        if short && !self.window_warned {
            tracing::error!(
                l1_blocks_left = self.batcher.window_left(),
                "half of the sequencing window is over and blocks are still not on L1: see that L1 answers and that the batcher has ether"
            );
        }
        self.window_warned = short;
    }

    /// Runs until the node stops; an error returned is critical.
    pub(crate) async fn run(mut self, interval: Duration, stop: &CancellationToken) -> Result<(), NodeError> {
        let mut backoff = Backoff::new();
        loop {
            let wait = match self.tick().await {
                Ok(()) => {
                    backoff.succeeded();
                    interval
                }
                Err(error) if error.severity() == Severity::Critical => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "the batcher waits");
                    backoff.failed()
                }
            };
            tokio::select! {
                // What is on its way goes on without us: after a restart the safe head says what arrived.
                () = stop.cancelled() => return Ok(()),
                () = self.control.told.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

fn log_rewind(rewind: Option<Rewind>) {
    if let Some(Rewind { first_block, reason }) = rewind {
        tracing::warn!(first_block, reason, "blocks are posted to L1 again");
    }
}
