use crate::BuildLimits;
use alloy_consensus::{Sealed, Transaction as _, transaction::Recovered};
use alloy_primitives::B256;
use openledger_primitives::{BlockAttributes, ChainSpec, Header};
use openledger_stf::{
    BlockExecutor, ExecutedBlock, ExecutionError, StateCommitter, StateReader, TransactionError, decode_transaction,
};
use openledger_txpool::{Pool, PoolTransaction};

/// Gas of the smallest transaction: with less left there is no use in looking on.
const LEAST_GAS: u64 = 21_000;

/// A block, and what was learned about the pool on the way.
#[derive(Clone, Debug)]
pub struct BuiltBlock {
    /// The block.
    pub block: ExecutedBlock,
    /// Pool transactions in the block, in order.
    pub included: Vec<B256>,
    /// Pool transactions that can never be included as they are: remove them.
    pub invalid: Vec<B256>,
    /// Why no more were taken.
    pub stop: Stop,
}

/// Why a block holds no more transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The attributes exclude the pool.
    NoPool,
    /// The pool has no more.
    Exhausted,
    /// Gas, data or number is used up.
    Full,
    /// The caller asked for it.
    Asked,
}

/// Builds the block that `attributes` ask for on top of `parent`, filled from `pool`.
///
/// `should_stop` is asked before each pool transaction; a driver answers by its clock.
pub fn build_block(
    state: &(impl StateReader + StateCommitter),
    spec: &ChainSpec,
    parent: &Sealed<Header>,
    attributes: &BlockAttributes,
    pool: &Pool,
    limits: &BuildLimits,
    should_stop: impl FnMut() -> bool,
) -> Result<BuiltBlock, ExecutionError> {
    let mut executor = BlockExecutor::begin(state, spec, parent, attributes)?;
    for bytes in &attributes.transactions {
        executor.execute(decode_transaction(bytes)?)?;
    }
    let mut taken = Taken::default();
    let stop =
        if attributes.no_tx_pool { Stop::NoPool } else { taken.fill(&mut executor, pool, limits, should_stop)? };
    let block = executor.finish(state)?;
    Ok(BuiltBlock { block, included: taken.included, invalid: taken.invalid, stop })
}

/// What was taken from the pool so far.
#[derive(Default)]
struct Taken {
    included: Vec<B256>,
    invalid: Vec<B256>,
    gas: u64,
    data_bytes: usize,
}

impl Taken {
    fn fill<R: StateReader>(
        &mut self,
        executor: &mut BlockExecutor<R>,
        pool: &Pool,
        limits: &BuildLimits,
        mut should_stop: impl FnMut() -> bool,
    ) -> Result<Stop, ExecutionError> {
        let mut best = pool.best(executor.base_fee());
        loop {
            if self.gas_left(executor, limits) < LEAST_GAS || self.included.len() >= limits.transactions {
                return Ok(Stop::Full);
            }
            if should_stop() {
                return Ok(Stop::Asked);
            }
            let Some(candidate) = best.next() else {
                // Nothing is left; some may have had no room.
                return Ok(Stop::Exhausted);
            };
            // What follows in the sender's order cannot be executed without this one.
            if !self.has_room(executor, limits, &candidate) || !self.try_include(executor, &candidate)? {
                best.skip_sender();
            }
        }
    }

    /// Whether the sender's next transaction can be looked at.
    fn try_include<R: StateReader>(
        &mut self,
        executor: &mut BlockExecutor<R>,
        candidate: &PoolTransaction,
    ) -> Result<bool, ExecutionError> {
        let transaction = Recovered::new_unchecked(candidate.transaction().clone(), candidate.sender());
        match executor.execute(transaction) {
            Ok(outcome) => {
                self.included.push(candidate.hash());
                self.gas += outcome.gas_used;
                self.data_bytes += candidate.raw().len();
                Ok(true)
            }
            Err(ExecutionError::Transaction { hash, error }) => {
                tracing::debug!(%hash, %error, "a pool transaction is left out of the block");
                let stale = error.is_nonce_too_low();
                if !waits(&error) {
                    self.invalid.push(hash);
                }
                Ok(stale)
            }
            Err(fatal) => Err(fatal),
        }
    }

    fn has_room<R: StateReader>(
        &self,
        executor: &BlockExecutor<R>,
        limits: &BuildLimits,
        candidate: &PoolTransaction,
    ) -> bool {
        candidate.transaction().gas_limit() <= self.gas_left(executor, limits)
            && self.data_bytes + candidate.raw().len() <= limits.data_bytes
    }

    fn gas_left<R: StateReader>(&self, executor: &BlockExecutor<R>, limits: &BuildLimits) -> u64 {
        executor.gas_left().min(limits.gas.saturating_sub(self.gas))
    }
}

/// Whether a refused transaction may be valid in a later block: it had no room, or another must come first.
fn waits(error: &TransactionError) -> bool {
    error.is_out_of_room() || error.is_nonce_too_high()
}
