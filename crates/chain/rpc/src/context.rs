//! What every namespace shares: the node, the limits, and how block ids are resolved.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256};

use crate::{BlockInfo, ChainApi, Limits, RpcError};

/// Handle to the node that each namespace holds.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) chain: Arc<dyn ChainApi>,
    pub(crate) limits: Limits,
    /// Traces that run now.
    pub(crate) traces: Arc<AtomicUsize>,
}

/// One of the traces that may run at the same time. Dropping it gives the place free.
pub(crate) struct TracePlace(Arc<AtomicUsize>);

impl Drop for TracePlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When a call has to be done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    started: Instant,
    time: Duration,
}

impl Deadline {
    /// Whether there is no time left.
    pub(crate) fn is_over(&self) -> bool {
        self.started.elapsed() > self.time
    }

    /// Fails if there is no time left, with `advice` on what to ask instead.
    pub(crate) fn check(&self, advice: &str) -> Result<(), RpcError> {
        if !self.is_over() {
            return Ok(());
        }
        let milliseconds = self.time.as_millis();
        Err(RpcError::LimitExceeded(format!("this takes longer than {milliseconds} ms: {advice}")))
    }
}

impl Context {
    /// The deadline of a call that begins now.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline { started: Instant::now(), time: self.limits.max_call_time }
    }

    /// Takes a place among the traces that may run at the same time: each holds a lot of memory.
    pub(crate) fn begin_trace(&self) -> Result<TracePlace, RpcError> {
        let running = self.traces.fetch_add(1, Ordering::Relaxed);
        let place = TracePlace(self.traces.clone());
        if running >= self.limits.max_traces {
            return Err(RpcError::LimitExceeded(format!(
                "{running} traces run already, no more do at the same time: try again in a moment"
            )));
        }
        Ok(place)
    }

    /// The nonce of an account's next transaction: after those in blocks, and after those that wait without a gap.
    pub(crate) fn next_nonce(&self, address: Address) -> Result<u64, RpcError> {
        // What leaves the pool is in the state by then. In the other order, transactions of a block that is made between the two
        // reads would be seen by neither.
        let pooled = self.chain.pooled_nonce(address).unwrap_or_default();
        let state = self.chain.state_of(self.chain.heads().latest.number, &address)?;
        Ok(state.account(&address)?.map_or(0, |account| account.nonce).max(pooled))
    }

    /// The canonical number that `id` means, whether or not that block exists. Without an id, the newest block.
    ///
    /// `pending` is the newest block: transactions that wait are visible through the pool's methods and through the nonce.
    pub(crate) fn number(&self, id: Option<BlockId>) -> Result<Option<u64>, RpcError> {
        match id.unwrap_or_default() {
            BlockId::Number(tag) => Ok(Some(self.tag(tag))),
            BlockId::Hash(hash) => self.chain.block_number(hash.block_hash),
        }
    }

    /// The number behind a tag.
    pub(crate) fn tag(&self, tag: BlockNumberOrTag) -> u64 {
        match tag {
            BlockNumberOrTag::Number(number) => number,
            BlockNumberOrTag::Earliest => 0,
            BlockNumberOrTag::Latest | BlockNumberOrTag::Pending => self.chain.heads().latest.number,
            BlockNumberOrTag::Safe => self.chain.heads().safe.number,
            BlockNumberOrTag::Finalized => self.chain.heads().finalized.number,
        }
    }

    /// The number of an existing block, or the error that names what was asked.
    pub(crate) fn existing(&self, id: Option<BlockId>) -> Result<u64, RpcError> {
        match self.number(id)? {
            Some(number) if number <= self.chain.heads().latest.number => Ok(number),
            _ => Err(RpcError::BlockNotFound(describe(id.unwrap_or_default()))),
        }
    }

    /// The block, if it exists.
    pub(crate) fn block(&self, id: BlockId) -> Result<Option<Arc<BlockInfo>>, RpcError> {
        match self.number(Some(id))? {
            Some(number) => self.chain.block(number),
            None => Ok(None),
        }
    }

    /// A canonical transaction: its block and its index there.
    pub(crate) fn located(&self, hash: B256) -> Result<Option<(Arc<BlockInfo>, usize)>, RpcError> {
        let Some(location) = self.chain.transaction_location(hash)? else { return Ok(None) };
        let Some(block) = self.chain.block(location.block_number)? else { return Ok(None) };
        let index = location.index as usize;
        // Between the two reads a reorganisation may have put another block there.
        let unchanged = block.block.body.transactions.get(index).is_some_and(|tx| tx.tx_hash() == hash);
        Ok(unchanged.then_some((block, index)))
    }
}

/// The id as a user wrote it.
fn describe(id: BlockId) -> String {
    match id {
        BlockId::Number(BlockNumberOrTag::Number(number)) => number.to_string(),
        BlockId::Number(tag) => tag.to_string(),
        BlockId::Hash(hash) => hash.block_hash.to_string(),
    }
}
