//! Proposes output roots of safe blocks on L1.

use std::{future::Future, sync::Arc, time::Duration};

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_derivation::Severity;
use openledger_l1::TxError;
use openledger_primitives::output_root;
use tokio_util::sync::CancellationToken;

use crate::{
    Chain, NodeError,
    l1::{L1Error, L1Status},
    metrics::Metrics,
    retry::Backoff,
};

/// An output root on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Output {
    /// Claimed root.
    pub(crate) root: B256,
    /// The L2 block that it is of.
    pub(crate) l2_block: u64,
}

/// The oracle contract on L1, which takes the output roots of every so many blocks in order.
pub(crate) trait OutputOracle: Send + Sync + 'static {
    /// The L2 block whose output is due next.
    fn next_block(&self) -> impl Future<Output = Result<u64, L1Error>> + Send;
    /// Proposes an output that counts only where `l1_block` is canonical; resolves when L1 has included it.
    fn propose(&self, output: Output, l1_block: BlockNumHash) -> impl Future<Output = Result<u64, TxError>> + Send;
    /// How many outputs there are, and those from position `first` on, in order; not necessarily all of them.
    fn outputs(&self, first: u64) -> impl Future<Output = Result<(u64, Vec<Output>), L1Error>> + Send;
}

impl Chain {
    /// The output root of a canonical block.
    pub fn output_root(&self, number: u64) -> Result<Option<B256>, NodeError> {
        let header = self.db().header(number)?;
        Ok(header.map(|header| {
            // Since Isthmus the withdrawals root is the storage root of the message passer.
            output_root(header.state_root, header.withdrawals_root.unwrap_or_default(), header.hash())
        }))
    }
}

/// The proposer's task.
pub(crate) struct Proposer<O> {
    chain: Arc<Chain>,
    oracle: Arc<O>,
    status: Arc<L1Status>,
}

impl<O: OutputOracle> Proposer<O> {
    /// A proposer of what `chain` holds.
    pub(crate) const fn new(chain: Arc<Chain>, oracle: Arc<O>, status: Arc<L1Status>) -> Self {
        Self { chain, oracle, status }
    }

    /// Proposes the output that is due, if its block is safe. Says whether it did.
    pub(crate) async fn tick(&self) -> Result<bool, NodeError> {
        let due = self.oracle.next_block().await?;
        if due > self.chain.heads()?.safe.number {
            return Ok(false);
        }
        let Some(root) = self.chain.output_root(due)? else { return Ok(false) };
        // A block below the head: the contract looks up its hash, and a gas estimate runs on the head itself.
        let l1_block = self.oracle.propose(Output { root, l2_block: due }, self.status.heads().safe.id()).await?;
        Metrics::count(&self.chain.metrics().outputs_proposed);
        tracing::info!(l2_block = due, %root, l1_block, "proposed an output root");
        Ok(true)
    }

    /// Runs until the node stops; an error returned is critical.
    pub(crate) async fn run(self, interval: Duration, stop: &CancellationToken) -> Result<(), NodeError> {
        let mut backoff = Backoff::new();
        loop {
            let proposed = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                proposed = self.tick() => proposed,
            };
            let wait = match proposed {
                Ok(proposed) => {
                    backoff.succeeded();
                    if proposed { Duration::ZERO } else { interval }
                }
                Err(error) if error.severity() == Severity::Critical => return Err(error),
                Err(error) => {
                    if backoff.is_first() {
                        tracing::warn!(%error, "no output was proposed: trying again");
                    }
                    backoff.failed()
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
