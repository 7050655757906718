use crate::BuildLimits;
use alloy_consensus::{Transaction as _, transaction::Recovered};
use alloy_primitives::B256;
use openledger_primitives::BlockAttributes;
use openledger_stf::{BlockExecutor, ExecutionError, StateReader, TransactionError, decode_transaction};
use openledger_txpool::{Best, PoolTransaction};

/// Gas of the smallest transaction: with less left there is no use in looking on.
const LEAST_GAS: u64 = 21_000;

/// What was taken from the pool, and what was learned about it on the way.
#[derive(Clone, Debug)]
pub struct Filled {
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

/// Executes the transactions that `attributes` force, and then those of the pool, until no more fit. The caller has begun the
/// block with the same attributes, and finishes it.
///
/// `should_stop` is asked before each pool transaction; a driver answers by its clock.
pub fn fill_block<R: StateReader>(
    executor: &mut BlockExecutor<R>,
    attributes: &BlockAttributes,
    pool: Best,
    limits: &BuildLimits,
    should_stop: impl FnMut() -> bool,
) -> Result<Filled, ExecutionError> {
    for bytes in &attributes.transactions {
        executor.execute(decode_transaction(bytes)?)?;
    }
    let mut taken = Taken::default();
    let stop = if attributes.no_tx_pool { Stop::NoPool } else { taken.fill(executor, pool, limits, should_stop)? };
    Ok(Filled { included: taken.included, invalid: taken.invalid, stop })
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
        mut best: Best,
        limits: &BuildLimits,
        mut should_stop: impl FnMut() -> bool,
    ) -> Result<Stop, ExecutionError> {
        let most = usize::try_from(self.gas_left(executor, limits) / LEAST_GAS).unwrap_or(usize::MAX);
        let most = most.min(limits.transactions).min(best.size_hint().1.unwrap_or(most));
        executor.reserve(most);
        self.included.reserve(most);
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
