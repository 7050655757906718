//! Forgets old states in the background.

use std::{sync::Arc, time::Duration};

use openledger_storage::Retention;
use tokio_util::sync::CancellationToken;

use crate::{Chain, NodeError};

/// Time between two batches while there is more to forget: a block that waited for one is not kept waiting by the next.
const BETWEEN_BATCHES: Duration = Duration::from_millis(50);
/// Time until the next look once everything is forgotten.
const IDLE: Duration = Duration::from_secs(10);

/// The pruner's task.
pub(crate) struct Pruner {
    chain: Arc<Chain>,
    keep: Retention,
}

impl Pruner {
    /// A pruner of `chain`.
    pub(crate) const fn new(chain: Arc<Chain>, keep: Retention) -> Self {
        Self { chain, keep }
    }

    /// Forgets one batch. Says whether there may be more.
    pub(crate) async fn tick(&self) -> Result<bool, NodeError> {
        let (chain, keep) = (self.chain.clone(), self.keep);
        let forgotten = crate::blocking(move || Ok(chain.db().prune_history(&keep)?)).await?;
        if forgotten > 0 {
            tracing::debug!(forgotten, oldest = self.chain.db().oldest_state(), "pruned old states");
        }
        Ok(forgotten > 0)
    }

    /// Runs until the node stops; an error returned is critical.
    pub(crate) async fn run(self, stop: &CancellationToken) -> Result<(), NodeError> {
        loop {
            let wait = if self.tick().await? { BETWEEN_BATCHES } else { IDLE };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}
