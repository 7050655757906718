//! Changing the chain: building, executing, committing, unwinding, moving heads. A change is durable before it is announced.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, U256, address};
use openledger_builder::{BuildLimits, fill_block};
use openledger_primitives::{Block, BlockAttributes, L2BlockRef};
use openledger_rpc::{BlockInfo, ChainEvent};
use openledger_stf::{
    BlockExecutor, ExecutedBlock, ExecutionError, StateCommitter as _, StateReader as _, attributes_of,
    decode_transaction,
};
use openledger_storage::{StateView, StorageError};
use rayon::prelude::*;

use super::Chain;
use crate::{NodeError, metrics::Metrics, phases::Phase};

/// Who receives the wei of the test hook.
const CORRUPTED_ACCOUNT: Address = address!("00000000000000000000000000000000c0441791");

/// Why a block was not added.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The chain moved on since the parent was read: look at the head and begin again.
    #[error("the parent {parent:?} is not the newest block any more")]
    StaleParent {
        /// The parent.
        parent: BlockNumHash,
    },
    /// The block breaks a rule. For a derived block, its deposits alone are tried instead.
    #[error("the block is invalid: {0}")]
    Invalid(String),
    /// The node itself failed; it says nothing about the block.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl From<StorageError> for WriteError {
    fn from(error: StorageError) -> Self {
        Self::Node(error.into())
    }
}

impl Chain {
    /// Builds a block on the newest one from the attributes and, where they allow it, from the pool.
    pub fn build(&self, parent: &L2BlockRef, attributes: &BlockAttributes) -> Result<L2BlockRef, WriteError> {
        let _writing = self.writer.lock();
        let (header, state) = self.on_top_of(parent)?;
        let begun = Instant::now();
        let deadline = begun + self.pace.time_to_execute(self.time_for(attributes));
        let limits = BuildLimits::with_backlog(self.backlog.load(Relaxed));
        let filled = self.metrics.phases.time(Phase::Execute, || {
            let mut executor = BlockExecutor::begin(&state, &self.spec, &header, attributes)?;
            let best = self.pool.read(|pool| pool.best(executor.base_fee()));
            let filled = fill_block(&mut executor, attributes, best, &limits, || Instant::now() >= deadline)?;
            Ok((executor, filled))
        });
        let (executor, filled) = filled.map_err(invalid_or_node)?;
        let executing = begun.elapsed();
        for hash in &filled.invalid {
            self.pool.remove(hash);
        }
        let executed = self.finish(executor, &state)?;
        let executed = self.maybe_corrupted(&state, executed)?;
        Metrics::count(&self.metrics.blocks_built);
        let block = self.commit(executed)?;
        self.pace.measured(executing, begun.elapsed() - executing);
        Ok(block)
    }

    /// What is left until the next block is due. A sequencer that is late takes half the time of a block, so that it catches up.
    fn time_for(&self, attributes: &BlockAttributes) -> Duration {
        let block_time = Duration::from_secs(self.config.block_time);
        let next = UNIX_EPOCH + Duration::from_secs(attributes.timestamp) + block_time;
        let left = next.duration_since(SystemTime::now()).unwrap_or_default();
        left.clamp(block_time / 2, block_time)
    }

    /// Executes derived attributes on the newest block and adds the result.
    pub fn execute(&self, parent: &L2BlockRef, attributes: &BlockAttributes) -> Result<L2BlockRef, WriteError> {
        let _writing = self.writer.lock();
        let executed = self.executed(parent, attributes)?;
        Metrics::count(&self.metrics.blocks_derived);
        self.commit(executed)
    }

    /// Executes a block that another node made, and adds it if it comes out as it claims to be.
    pub fn import(&self, parent: &L2BlockRef, block: &Block) -> Result<L2BlockRef, WriteError> {
        let invalid = |reason: &str| WriteError::Invalid(reason.to_owned());
        let claimed = block.header.hash_slow();
        // What it says about L1 is not checked here, only that the rest of the node can read it.
        let reference = openledger_batch::l2_block_ref(&self.config, claimed, block)
            .map_err(|error| WriteError::Invalid(error.to_string()))?;
        if reference.timestamp != parent.timestamp + self.config.block_time {
            return Err(invalid("its time is not one block time after its parent's"));
        }
        let attributes = attributes_of(block).map_err(|error| WriteError::Invalid(error.to_string()))?;
        let _writing = self.writer.lock();
        let executed = self.executed(parent, &attributes)?;
        if executed.hash != claimed {
            let hash = executed.hash;
            return Err(WriteError::Invalid(format!("it claims the hash {claimed}, executing it gives {hash}")));
        }
        Metrics::count(&self.metrics.blocks_followed);
        self.commit(executed)
    }

    fn executed(&self, parent: &L2BlockRef, attributes: &BlockAttributes) -> Result<ExecutedBlock, WriteError> {
        let (header, state) = self.on_top_of(parent)?;
        // Signatures are recovered on all cores; what is wrong with one counts when its turn comes.
        let recover = |bytes| self.metrics.phases.time(Phase::Recover, || decode_transaction(bytes));
        let transactions: Vec<_> = attributes.transactions.par_iter().map(|bytes| recover(bytes)).collect();
        let executor = self.metrics.phases.time(Phase::Execute, || {
            let mut executor = BlockExecutor::begin(&state, &self.spec, &header, attributes)?;
            for transaction in transactions {
                executor.execute(transaction?)?;
            }
            Ok(executor)
        });
        self.finish(executor.map_err(invalid_or_node)?, &state)
    }

    fn finish(&self, executor: BlockExecutor<&StateView>, state: &StateView) -> Result<ExecutedBlock, WriteError> {
        self.metrics.phases.time(Phase::Root, || executor.finish(state)).map_err(invalid_or_node)
    }

    /// Takes off the blocks above `target`; their transactions wait again.
    pub fn unwind(&self, target: u64) -> Result<(), NodeError> {
        let _writing = self.writer.lock();
        self.take_off(target)
    }

    /// The same, unless one of them became safe meanwhile.
    pub(crate) fn unwind_unsafe(&self, target: u64) -> Result<(), NodeError> {
        let _writing = self.writer.lock();
        let safe = self.db.heads()?.safe;
        if target < safe.number { Err(NodeError::Unwound(safe)) } else { self.take_off(target) }
    }

    fn take_off(&self, target: u64) -> Result<(), NodeError> {
        let heads = self.db.heads()?;
        if target >= heads.unsafe_head.number {
            return Ok(());
        }
        let mut removed = Vec::new();
        for number in (target + 1..=heads.unsafe_head.number).rev() {
            removed.extend(self.block(number)?.map(ChainEvent::Removed));
        }
        if target < heads.finalized.number {
            // L1 itself took back what it had finalized, as a development L1 does that is started from an older state.
            tracing::error!(
                target,
                finalized = heads.finalized.number,
                "L1 took back finalized blocks: following it, as L1 is the only authority"
            );
            let hash = self.db.hash(target)?.ok_or_else(|| StorageError::UnknownBlock(target.to_string()))?;
            self.db.set_safe(BlockNumHash::new(target, hash))?;
            self.db.set_finalized(BlockNumHash::new(target, hash))?;
        }
        self.db.unwind_to(target)?;
        self.blocks.unwind_to(target);
        self.metrics.blocks_unwound.fetch_add(removed.len() as u64, Relaxed);
        tracing::warn!(target, removed = removed.len(), "blocks left the canonical chain");
        if let Some(head) = self.db.block(target)? {
            self.pool_on_unwind(&head.into_block(), &removed)?;
        }
        for event in removed {
            let _ = self.events.send(event);
        }
        Ok(())
    }

    /// Blocks above `number` are not safe any more, because L1 took back what they were derived from. They stay in the chain until
    /// L1 prescribes others.
    pub fn take_back_safe(&self, number: u64) -> Result<(), NodeError> {
        let _writing = self.writer.lock();
        let heads = self.db.heads()?;
        if number >= heads.safe.number {
            return Ok(());
        }
        tracing::warn!(from = heads.safe.number, to = number, "L1 took back the batches of safe blocks");
        let hash = self.db.hash(number)?.ok_or_else(|| StorageError::UnknownBlock(number.to_string()))?;
        let id = BlockNumHash::new(number, hash);
        if number < heads.finalized.number {
            tracing::error!(finalized = heads.finalized.number, "L1 took back what it had finalized: following it");
            self.db.set_finalized(id)?;
        }
        Ok(self.db.set_safe(id)?)
    }

    /// The block is derived from L1: safe.
    pub fn mark_safe(&self, block: BlockNumHash) -> Result<(), NodeError> {
        let _writing = self.writer.lock();
        let safe = self.db.heads()?.safe;
        // After a restart derivation goes over blocks again that are known to be safe.
        let known = block.number <= safe.number && self.db.hash(safe.number)? == Some(safe.hash);
        if !known {
            self.db.set_safe(block)?;
        }
        Ok(())
    }

    /// The block is derived from finalized L1 blocks.
    pub fn mark_finalized(&self, block: BlockNumHash) -> Result<(), NodeError> {
        let _writing = self.writer.lock();
        Ok(self.db.set_finalized(block)?)
    }

    fn on_top_of(
        &self,
        parent: &L2BlockRef,
    ) -> Result<(openledger_primitives::Sealed<openledger_primitives::Header>, StateView), WriteError> {
        let head = self.db.head()?;
        if head != parent.id() {
            return Err(WriteError::StaleParent { parent: parent.id() });
        }
        let header = self.db.header(head.number)?.ok_or(NodeError::Unwound(head))?;
        Ok((header, self.db.building()?))
    }

    /// Writes the block, lets the pool follow, and only then announces it.
    fn commit(&self, executed: ExecutedBlock) -> Result<L2BlockRef, WriteError> {
        let phases = &self.metrics.phases;
        phases.time(Phase::Commit, || self.db.commit_block(&executed))?;
        let ExecutedBlock { block, hash, receipts, senders, changes, .. } = executed;
        self.metrics.transactions.fetch_add(block.body.transactions.len() as u64, Relaxed);
        self.metrics.gas_used.fetch_add(block.header.gas_used, Relaxed);
        let info = Arc::new(BlockInfo { hash, block, senders, receipts });
        self.blocks.add(info.clone());
        phases.time(Phase::Pool, || self.pool_on_block(&info.block, &changes))?;
        let reference = openledger_batch::l2_block_ref(&self.config, hash, &info.block).map_err(NodeError::from)?;
        // Nobody may be listening.
        let _ = self.events.send(ChainEvent::Added(info));
        Ok(reference)
    }

    /// Test hook: in the block asked for, one wei appears out of nowhere, and the header commits to that.
    fn maybe_corrupted(&self, state: &StateView, mut executed: ExecutedBlock) -> Result<ExecutedBlock, WriteError> {
        let header = &mut executed.block.header;
        if self.corrupt_state_at != Some(header.number) {
            return Ok(executed);
        }
        tracing::error!(number = header.number, "test hook: this block's state is made wrong on purpose");
        let before = state.account(&CORRUPTED_ACCOUNT).map_err(|error| NodeError::State(error.to_string()))?;
        let change = executed.changes.accounts.entry(CORRUPTED_ACCOUNT).or_default();
        let mut account = change.account.or(before).unwrap_or_default();
        account.balance += U256::from(1);
        change.account = Some(account);
        let roots = state.roots(&executed.changes).map_err(|error| NodeError::State(error.to_string()))?;
        header.state_root = roots.state_root;
        executed.hash = header.hash_slow();
        Ok(executed)
    }
}

/// A rule that was broken says something about the block; a state that could not be read does not.
fn invalid_or_node(error: ExecutionError) -> WriteError {
    match error {
        ExecutionError::State(error) => WriteError::Node(NodeError::State(error.to_string())),
        other => WriteError::Invalid(other.to_string()),
    }
}
