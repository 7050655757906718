use crate::{
    DerivationError, DerivationEvent, DerivedAttributes, DerivedFrom, L1BlockInfo, L1Input, Start,
    attributes::build,
    check::{BatchDrop, Verdict, check},
    source::BatchSource,
};
use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use op_alloy_consensus::TxDeposit;
use openledger_batch::SingleBatch;
use openledger_primitives::{L1BlockRef, L2BlockRef, RollupConfig, SystemConfig};

/// What derivation waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The L1 block at this height: [`Derivation::push_l1`] it when it exists.
    NeedL1(u64),
    /// Execute these attributes, then call [`Derivation::advance`] with the block or [`Derivation::invalidate`].
    Attributes(Box<DerivedAttributes>),
}

/// An L1 block that can be, or follows, the origin of the next L2 block.
#[derive(Clone, Debug)]
pub(crate) struct Epoch {
    info: L1BlockInfo,
    deposits: Vec<TxDeposit>,
    /// The configuration after this block's updates.
    system: SystemConfig,
}

impl Epoch {
    pub(crate) const fn block(&self) -> &L1BlockRef {
        &self.info.block
    }
}

/// Derives the L2 from L1. Fed with L1 blocks in order, it says block by block what to execute.
#[derive(Clone, Debug)]
pub struct Derivation {
    config: Arc<RollupConfig>,
    safe_head: L2BlockRef,
    /// The L1 block to be read first.
    start: BlockNumHash,
    /// Batches of L1 blocks up to this height are part of the safe head's history already.
    processed_through: u64,
    /// The L1 block that is being read.
    origin: Option<L1BlockRef>,
    /// The configuration after that block's updates.
    system: SystemConfig,
    source: BatchSource,
    /// From the current epoch (usually the safe head's origin) to `origin`.
    epochs: VecDeque<Epoch>,
    pending: Option<DerivedAttributes>,
    events: Vec<DerivationEvent>,
}

impl Derivation {
    /// Begins at a starting point (see [`find_start`](crate::find_start)).
    pub fn new(config: Arc<RollupConfig>, start: Start) -> Self {
        Self {
            source: BatchSource::new(config.channel_lifetime()),
            safe_head: start.safe_head,
            processed_through: start.processed_through.max(start.safe_head.l1_origin.number),
            start: start.l1,
            origin: None,
            system: start.system_config,
            epochs: VecDeque::new(),
            pending: None,
            events: Vec::new(),
            config,
        }
    }

    /// The last block that was derived and executed.
    pub const fn safe_head(&self) -> &L2BlockRef {
        &self.safe_head
    }

    /// The L1 block that is being read; `None` before the first one.
    pub const fn origin(&self) -> Option<&L1BlockRef> {
        self.origin.as_ref()
    }

    /// The configuration after the last L1 block that was read.
    pub const fn system_config(&self) -> &SystemConfig {
        &self.system
    }

    /// Height of the L1 block that has to be read next.
    pub fn next_l1(&self) -> u64 {
        self.origin.map_or(self.start.number, |origin| origin.number + 1)
    }

    /// What happened since the last call.
    pub fn take_events(&mut self) -> Vec<DerivationEvent> {
        core::mem::take(&mut self.events)
    }

    /// Takes in the next L1 block. To be called after [`Step::NeedL1`].
    pub fn push_l1(&mut self, input: L1Input) -> Result<(), DerivationError> {
        let L1Input { info, inbox, deposits, config_updates } = input;
        let block = info.block;
        let expected = self.next_l1();
        if block.number != expected {
            return Err(DerivationError::UnexpectedL1Height { expected, found: block.number });
        }
        match self.origin {
            Some(origin) if block.parent_hash != origin.hash => {
                return Err(DerivationError::L1Reorg {
                    expected: origin.hash,
                    parent: block.parent_hash,
                    found: block.id(),
                });
            }
            None if block.hash != self.start.hash => {
                return Err(DerivationError::L1BlockReplaced { expected: self.start, found: block.hash });
            }
            _ => {}
        }
        let l1_origin = self.safe_head.l1_origin;
        if block.number == l1_origin.number && block.hash != l1_origin.hash {
            return Err(DerivationError::L1BlockReplaced { expected: l1_origin, found: block.hash });
        }
        // The configuration at the start includes the updates of that block.
        if self.origin.is_some() {
            config_updates.iter().for_each(|update| update.apply(&mut self.system));
        }
        self.origin = Some(block);
        self.source.push(inbox, self.system.batcher_address);
        if block.number >= l1_origin.number {
            self.epochs.push_back(Epoch { info, deposits, system: self.system });
        }
        Ok(())
    }

    /// Goes on until L1 or an execution is needed. Attributes are repeated until they are answered.
    pub fn step(&mut self) -> Step {
        if self.pending.is_none() {
            self.pending = self.derive();
        }
        match &self.pending {
            Some(pending) => Step::Attributes(Box::new(pending.clone())),
            None => Step::NeedL1(self.next_l1()),
        }
    }

    /// The attributes were executed (or found to be a block that exists): it is the new safe head.
    pub fn advance(&mut self, head: L2BlockRef) -> Result<(), DerivationError> {
        let pending = self.pending.as_ref().ok_or(DerivationError::NothingPending)?;
        let follows = head.number == pending.parent.number + 1
            && head.parent_hash == pending.parent.hash
            && head.timestamp == pending.attributes.timestamp
            && head.l1_origin == pending.epoch
            && head.sequence_number == pending.sequence_number;
        if !follows {
            return Err(DerivationError::UnexpectedHead { parent: pending.parent.id(), found: head.id() });
        }
        self.pending = None;
        self.safe_head = head;
        while self.epochs.front().is_some_and(|epoch| epoch.block().number < head.l1_origin.number) {
            self.epochs.pop_front();
        }
        Ok(())
    }

    /// The attributes are not a valid block: [`Self::step`] gives its deposits alone next, and the rest of the channel is dropped
    /// (holocene/derivation.md, "Engine Queue").
    pub fn invalidate(&mut self) -> Result<(), DerivationError> {
        let pending = self.pending.take().ok_or(DerivationError::NothingPending)?;
        if pending.is_deposits_only() {
            let parent = pending.parent.id();
            self.pending = Some(pending);
            return Err(DerivationError::DepositsOnlyRejected(parent));
        }
        self.source.flush_channel();
        self.events.push(DerivationEvent::PayloadReplaced { parent: pending.parent, l1_block: pending.l1_block });
        self.pending = Some(pending.into_deposits_only());
        Ok(())
    }

    fn derive(&mut self) -> Option<DerivedAttributes> {
        let origin = self.origin?;
        if origin.number <= self.processed_through {
            // A channel that ends here can only hold what is already derived; one that goes on may hold the next batch.
            while self.source.next(&origin, &mut Vec::new()).is_some() {}
            return None;
        }
        while let Some((batch, l1_transaction)) = self.source.next(&origin, &mut self.events) {
            match check(&self.config, &batch, &self.safe_head, &self.epochs, &origin) {
                Verdict::Accept => {
                    let SingleBatch { epoch, transactions, .. } = batch;
                    let mut derived = self.attributes(epoch.number, origin, DerivedFrom::Batch { l1_transaction })?;
                    derived.attributes.transactions.extend(transactions);
                    return Some(derived);
                }
                Verdict::Past => {}
                Verdict::Drop(reason) => self.drop_batch(&batch, reason, origin, l1_transaction),
            }
        }
        self.derive_empty(origin)
    }

    fn drop_batch(&mut self, batch: &SingleBatch, reason: BatchDrop, l1_block: L1BlockRef, l1_transaction: B256) {
        self.source.flush_channel();
        let canonical = self.epochs.iter().any(|epoch| epoch.block().id() == batch.epoch);
        self.events.push(if reason == BatchDrop::ParentMismatch && canonical {
            let block = self.safe_head;
            DerivationEvent::ParentMismatch { block, batch_parent: batch.parent_hash, l1_block, l1_transaction }
        } else {
            DerivationEvent::BatchDropped { reason, timestamp: batch.timestamp, l1_block, l1_transaction }
        });
    }

    /// A block without batch, once the sequencing window of the epoch is over.
    fn derive_empty(&mut self, origin: L1BlockRef) -> Option<DerivedAttributes> {
        let next_timestamp = self.safe_head.timestamp + self.config.block_time;
        loop {
            let [epoch, next] = [self.epochs.front()?.block(), self.epochs.get(1)?.block()];
            if epoch.number.saturating_add(self.config.seq_window_size) > origin.number {
                return None;
            }
            // Each epoch gets at least one block, and blocks stay in it until the time of the next epoch.
            let is_first_of_epoch = epoch.number == self.safe_head.l1_origin.number + 1;
            if is_first_of_epoch || next_timestamp < next.timestamp {
                let number = epoch.number;
                self.events.push(DerivationEvent::WindowElapsed { parent: self.safe_head, l1_block: origin });
                return self.attributes(number, origin, DerivedFrom::WindowElapsed);
            }
            self.epochs.pop_front();
        }
    }

    /// Attributes on top of the safe head in an epoch that is known, without the batch's transactions.
    fn attributes(&self, epoch: u64, l1_block: L1BlockRef, from: DerivedFrom) -> Option<DerivedAttributes> {
        let parent = self.safe_head;
        let epoch = self.epochs.iter().find(|candidate| candidate.block().number == epoch)?;
        let is_new = epoch.block().number != parent.l1_origin.number;
        let (sequence_number, deposits) =
            if is_new { (0, &epoch.deposits[..]) } else { (parent.sequence_number + 1, &[][..]) };
        let attributes = build(&self.config, &parent, &epoch.info, sequence_number, &epoch.system, deposits);
        Some(DerivedAttributes { parent, epoch: epoch.block().id(), sequence_number, attributes, l1_block, from })
    }
}
