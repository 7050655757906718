//! Compares the output roots on L1 with our own.

use std::{sync::Arc, time::Duration};

use openledger_derivation::Severity;
use openledger_rpc::{Fault, FaultKind};
use tokio_util::sync::CancellationToken;

use super::proposer::OutputOracle;
use crate::{Chain, NodeError, l1::L1Status, retry::Backoff};

/// The verifier's task that reads the oracle contract.
pub(crate) struct OutputChecker<O> {
    chain: Arc<Chain>,
    oracle: Arc<O>,
    status: Arc<L1Status>,
    /// Position of the first output that was not compared yet.
    next: u64,
}

impl<O: OutputOracle> OutputChecker<O> {
    /// A checker that begins with the first output.
    pub(crate) const fn new(chain: Arc<Chain>, oracle: Arc<O>, status: Arc<L1Status>) -> Self {
        Self { chain, oracle, status, next: 0 }
    }

    /// Compares the outputs whose blocks are derived. Returns how many were compared.
    pub(crate) async fn tick(&mut self) -> Result<usize, NodeError> {
        let mut compared = 0;
        let (total, outputs) = self.oracle.outputs(self.next).await?;
        if total < self.next {
            // L1 took some back: what replaces them is compared from the beginning.
            self.next = 0;
            return Ok(0);
        }
        for output in outputs {
            // A block that is not derived yet says nothing about the claim: it is looked at again later.
            if output.l2_block > self.chain.heads()?.safe.number {
                break;
            }
            let Some(derived) = self.chain.output_root(output.l2_block)? else { break };
            if derived != output.root {
                let chain = self.chain.clone();
                let fault = Fault {
                    kind: FaultKind::OutputMismatch,
                    block_number: output.l2_block,
                    derived,
                    claimed: output.root,
                    l1_block: self.status.heads().head.id(),
                };
                crate::blocking(move || chain.report(&fault)).await?;
            }
            self.next += 1;
            compared += 1;
        }
        Ok(compared)
    }

    /// Runs until the node stops; an error returned is critical.
    pub(crate) async fn run(mut self, interval: Duration, stop: &CancellationToken) -> Result<(), NodeError> {
        let mut backoff = Backoff::new();
        loop {
            let wait = match self.tick().await {
                Ok(_) => {
                    backoff.succeeded();
                    interval
                }
                Err(error) if error.severity() == Severity::Critical => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "the output checker waits");
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
