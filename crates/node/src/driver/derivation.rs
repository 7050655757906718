//! Drives derivation: L1 blocks in, safe blocks out. The same driver moves the safe head of a sequencer and is the whole chain of
//! a verifier.

use std::{sync::Arc, time::Instant};

use alloy_eips::BlockNumHash;
use openledger_derivation::{Derivation, DerivationEvent, DerivedAttributes, DerivedFrom, Severity, Step, mismatch};
use openledger_primitives::L2BlockRef;
use openledger_rpc::{Fault, FaultKind};
use tokio::{sync::Notify, time::Duration};
use tokio_util::sync::CancellationToken;

use super::{
    progress::{CatchUp, Position},
    reset,
};
use crate::{
    Chain, NodeError, WriteError,
    l1::{L1Source, L1Status},
    metrics::Metrics,
    records::Derived,
    retry::Backoff,
};

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something: step again at once.
    Advanced,
    /// All of L1 is read: wait for its next block.
    Waiting,
}

/// The driver.
pub(crate) struct DerivationDriver<L> {
    chain: Arc<Chain>,
    l1: Arc<L>,
    status: Arc<L1Status>,
    /// Set once a starting point was found.
    derivation: Option<Derivation>,
    catch_up: CatchUp,
}

impl<L: L1Source> DerivationDriver<L> {
    /// A driver that finds its starting point with the first step.
    pub(crate) fn new(chain: Arc<Chain>, l1: Arc<L>, status: Arc<L1Status>) -> Self {
        Self { chain, l1, status, derivation: None, catch_up: CatchUp::default() }
    }

    /// Begins again at a block whose L1 origin is canonical, and takes off the chain what builds on L1 blocks that are not.
    pub(crate) async fn reset(&mut self) -> Result<(), NodeError> {
        Metrics::count(&self.chain.metrics().resets);
        self.derivation = None;
        let start = reset::find(&self.chain, &*self.l1).await?;
        tracing::info!(safe_head = start.safe_head.number, l1_block = start.l1.number, "derivation begins");
        self.derivation = Some(Derivation::new(self.chain.config().clone(), start));
        Ok(())
    }

    /// Does one thing: reads an L1 block, or turns attributes into a safe block.
    pub(crate) async fn step(&mut self) -> Result<Progress, NodeError> {
        if self.derivation.is_none() {
            self.reset().await?;
            return Ok(Progress::Advanced);
        }
        let Some(derivation) = &mut self.derivation else { return Ok(Progress::Waiting) };
        let result = match derivation.step() {
            Step::NeedL1(number) => self.read_l1(number).await,
            Step::Attributes(derived) => self.apply(Arc::from(derived)).await,
        };
        self.report_events().await?;
        result
    }

    async fn read_l1(&mut self, number: u64) -> Result<Progress, NodeError> {
        let Some(derivation) = &mut self.derivation else { return Ok(Progress::Waiting) };
        // Asked for the next block, derivation is done with the one before.
        if let Some(origin) = derivation.origin() {
            self.status.set_derived(*origin);
        }
        let Some(input) = self.l1.input(number).await? else {
            // Nothing new, or less than before: is the last block that was read still there?
            if let Some(origin) = derivation.origin().copied()
                && let Some(found) = self.gone(origin.id()).await?
            {
                let expected = origin.id();
                return Err(openledger_derivation::DerivationError::L1BlockReplaced { expected, found }.into());
            }
            self.finalize().await?;
            self.status.set_synced();
            return Ok(Progress::Waiting);
        };
        derivation.push_l1(input)?;
        Ok(Progress::Advanced)
    }

    /// What stands in the place of an L1 block, if it is not that block: zero for nothing.
    async fn gone(&self, block: BlockNumHash) -> Result<Option<alloy_primitives::B256>, NodeError> {
        let found = self.l1.block(block.number).await?.map(|found| found.hash).unwrap_or_default();
        Ok((found != block.hash).then_some(found))
    }

    async fn apply(&mut self, derived: Arc<DerivedAttributes>) -> Result<Progress, NodeError> {
        let chain = self.chain.clone();
        let outcome = crate::blocking(move || safe_block(&chain, &derived)).await?;
        let Some(derivation) = &mut self.derivation else { return Ok(Progress::Waiting) };
        match outcome {
            Some(block) => derivation.advance(block)?,
            None => derivation.invalidate()?,
        }
        Ok(Progress::Advanced)
    }

    /// Tells the operator what derivation saw; faults are kept for ever.
    async fn report_events(&mut self) -> Result<(), NodeError> {
        let Some(derivation) = &mut self.derivation else { return Ok(()) };
        for event in derivation.take_events() {
            if let DerivationEvent::ParentMismatch { block, batch_parent, l1_block, l1_transaction } = event {
                let fault = Fault {
                    kind: FaultKind::ParentMismatch,
                    block_number: block.number,
                    derived: block.hash,
                    claimed: batch_parent,
                    l1_block: l1_block.id(),
                };
                tracing::info!(%l1_transaction, "the L1 transaction that contradicts the derived chain");
                let chain = self.chain.clone();
                crate::blocking(move || chain.report(&fault)).await?;
            } else {
                log(&event);
            }
        }
        Ok(())
    }

    /// Moves the finalized head to the newest safe block that was derived from finalized L1 blocks.
    async fn finalize(&self) -> Result<(), NodeError> {
        let finalized_l1 = self.status.heads().finalized.number;
        let chain = self.chain.clone();
        crate::blocking(move || {
            let heads = chain.heads()?;
            let mut newest = None;
            for number in heads.finalized.number + 1..=heads.safe.number {
                match chain.records().derived(number)? {
                    Some(derived) if derived.l1_number <= finalized_l1 => {
                        newest = Some(BlockNumHash::new(number, derived.l2_hash));
                    }
                    _ => break,
                }
            }
            newest.map_or(Ok(()), |block| chain.mark_finalized(block))
        })
        .await
    }

    fn say_progress(&mut self) -> Result<(), NodeError> {
        let Some(origin) = self.derivation.as_ref().and_then(Derivation::origin) else { return Ok(()) };
        let l1_head = self.status.heads().head;
        let at = Position::in_l1(self.chain.config(), self.chain.heads()?.safe.number, origin.number, &l1_head);
        if let Some(progress) = self.catch_up.advanced(Instant::now(), at) {
            tracing::info!("catching up with L1: {progress}");
        }
        Ok(())
    }

    /// Runs until the node stops; an error returned is critical.
    pub(crate) async fn run(
        mut self,
        interval: Duration,
        reset_wanted: &Notify,
        stop: &CancellationToken,
    ) -> Result<(), NodeError> {
        let mut backoff = Backoff::new();
        loop {
            let wait = match self.step().await {
                Ok(Progress::Advanced) => {
                    self.say_progress()?;
                    backoff.succeeded();
                    Duration::ZERO
                }
                Ok(Progress::Waiting) => {
                    if let Some(progress) = self.catch_up.done(Instant::now(), self.chain.heads()?.safe.number) {
                        tracing::info!("caught up with L1: {progress}");
                    }
                    interval
                }
                Err(error) => match error.severity() {
                    Severity::Temporary => {
                        if backoff.is_first() {
                            tracing::warn!(%error, "derivation waits");
                        }
                        backoff.failed()
                    }
                    Severity::Reset => {
                        tracing::warn!(%error, "derivation starts over");
                        self.derivation = None;
                        Duration::ZERO
                    }
                    Severity::Critical => return Err(error),
                },
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                () = reset_wanted.notified() => self.derivation = None,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }
}

/// What an operator may want to know; nothing here needs an action.
fn log(event: &DerivationEvent) {
    match event {
        DerivationEvent::BatchDropped { reason, timestamp, l1_block, l1_transaction } => {
            tracing::warn!(?reason, timestamp, l1_block = l1_block.number, %l1_transaction, "a batch was dropped");
        }
        DerivationEvent::WindowElapsed { parent, l1_block } => tracing::warn!(
            number = parent.number + 1,
            l1_block = l1_block.number,
            "no batch came in time: the block is derived from deposits alone"
        ),
        DerivationEvent::PayloadReplaced { parent, l1_block } => tracing::warn!(
            number = parent.number + 1,
            l1_block = l1_block.number,
            "the batch's block is invalid: it is replaced by its deposits"
        ),
        other => tracing::warn!(event = ?other, "data of the batcher was dropped"),
    }
}

/// Makes the attributes the safe block on their parent: by finding that we have it, or by executing them. `None` if they are not
/// a valid block.
fn safe_block(chain: &Chain, derived: &DerivedAttributes) -> Result<Option<L2BlockRef>, NodeError> {
    let block = match existing(chain, derived)? {
        Some(block) => block,
        None => {
            chain.unwind(derived.parent.number)?;
            match chain.execute(&derived.parent, &derived.attributes) {
                Ok(block) => block,
                Err(WriteError::Invalid(reason)) => {
                    tracing::warn!(number = derived.parent.number + 1, reason, "a batch led to an invalid block");
                    return Ok(None);
                }
                // The chain moved under us: derivation begins again above what is there now.
                Err(WriteError::StaleParent { parent }) => return Err(NodeError::Unwound(parent)),
                Err(WriteError::Node(error)) => return Err(error),
            }
        }
    };
    let l1_transactions = match derived.from {
        DerivedFrom::Batch { l1_transaction } => vec![l1_transaction],
        DerivedFrom::WindowElapsed | DerivedFrom::Replaced => Vec::new(),
    };
    let origin = &derived.l1_block;
    let note = Derived { l2_hash: block.hash, l1_number: origin.number, l1_hash: origin.hash, l1_transactions };
    // The note first: a safe head without one could not be gone on from after a restart.
    chain.records().set_derived(block.number, &note)?;
    chain.mark_safe(block.id())?;
    Ok(Some(block))
}

/// The block that we have in the place of the derived one, if it is the same.
fn existing(chain: &Chain, derived: &DerivedAttributes) -> Result<Option<L2BlockRef>, NodeError> {
    let number = derived.parent.number + 1;
    let Some(info) = chain.block(number)? else { return Ok(None) };
    if let Some(field) = mismatch(chain.config(), derived, &info.block) {
        tracing::warn!(number, field, "the block differs from what L1 prescribes and is replaced");
        return Ok(None);
    }
    chain.block_ref(number)
}
