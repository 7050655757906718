use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, U256};

use crate::{Origin, PoolError, PoolTransaction, RollupFees};

/// What kind of code an account has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccountCode {
    /// None: an ordinary account.
    #[default]
    None,
    /// A delegation (EIP-7702): still an ordinary account, but code of others can spend its balance.
    Delegation,
    /// A contract, which cannot send transactions.
    Contract,
}

/// An account as the pool sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccountState {
    /// The next nonce.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Kind of code.
    pub code: AccountCode,
}

/// Where the pool reads accounts: the state after the newest block.
pub trait AccountReader {
    /// The account, all zero where there is none. An error's text ends up in [`PoolError::State`].
    fn account(&self, address: &Address) -> Result<AccountState, String>;
}

impl<F: Fn(&Address) -> Result<AccountState, String>> AccountReader for F {
    fn account(&self, address: &Address) -> Result<AccountState, String> {
        self(address)
    }
}

/// A transaction in the pool.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) transaction: Arc<PoolTransaction>,
    /// Order of arrival.
    pub(crate) arrival: u64,
    pub(crate) origin: Origin,
    /// Tip at the base fee when it came: by this it is evicted.
    pub(crate) tip: Option<u128>,
}

/// One sender's transactions by nonce. The first `ready` of them are pending: their nonces follow the account's without a
/// gap, and the balance covers them all.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    pub(crate) state: AccountState,
    /// Time of the block at which it last sent something, or had something included.
    pub(crate) active: u64,
    pub(crate) entries: BTreeMap<u64, Entry>,
    ready: usize,
    ready_cost: U256,
    fees: RollupFees,
}

impl Sender {
    pub(crate) fn new(state: AccountState, fees: RollupFees) -> Self {
        Self { state, fees, ..Self::default() }
    }

    /// The most that a transaction can take from the account.
    fn cost(&self, transaction: &PoolTransaction) -> U256 {
        transaction.cost().saturating_add(self.fees.of(transaction))
    }

    /// How many transactions wait for a gap to close or for funds.
    pub(crate) fn waiting(&self) -> usize {
        self.entries.len() - self.ready
    }

    /// How many transactions are pending.
    pub(crate) const fn ready(&self) -> usize {
        self.ready
    }

    /// The nonce after the last pending transaction.
    pub(crate) const fn next_nonce(&self) -> u64 {
        self.state.nonce + self.ready as u64
    }

    pub(crate) const fn is_ready(&self, nonce: u64) -> bool {
        nonce >= self.state.nonce && nonce < self.next_nonce()
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().take(self.ready)
    }

    pub(crate) fn queued(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().skip(self.ready)
    }

    /// Checks a transaction against the account and what waits already. `delegating` says whether a transaction in the pool
    /// delegates the account.
    pub(crate) fn check(&self, transaction: &PoolTransaction, delegating: bool) -> Result<(), PoolError> {
        let AccountState { nonce: next, balance, code } = self.state;
        let (nonce, cost) = (transaction.nonce(), self.cost(transaction));
        if code == AccountCode::Contract {
            return Err(PoolError::SenderIsContract(transaction.sender()));
        }
        if nonce < next {
            return Err(PoolError::NonceTooLow { next, nonce });
        }
        if cost > balance {
            return Err(PoolError::InsufficientFunds { balance, cost });
        }
        // Whoever runs the delegation's code can spend the balance that later transactions count on.
        if (delegating || code == AccountCode::Delegation) && !self.is_ready(nonce) {
            if self.ready > 0 {
                return Err(PoolError::DelegatedInFlight);
            }
            if nonce != next {
                return Err(PoolError::DelegatedGap);
            }
        }
        let replaced = self.entries.get(&nonce).filter(|_| self.is_ready(nonce));
        let freed = replaced.map_or(U256::ZERO, |entry| self.cost(&entry.transaction));
        let queued = self.ready_cost - freed;
        if queued.saturating_add(cost) > balance {
            return Err(PoolError::Overdraft { balance, queued, cost });
        }
        Ok(())
    }

    /// Puts an entry in its place and returns the one that was there.
    pub(crate) fn insert(&mut self, entry: Entry) -> Option<Entry> {
        let nonce = entry.transaction.nonce();
        let replaced = self.entries.insert(nonce, entry);
        if replaced.is_some() && nonce < self.next_nonce() {
            self.recount();
        } else {
            self.extend();
        }
        replaced
    }

    /// Takes one entry out. Those after it wait for its nonce from now on.
    pub(crate) fn remove(&mut self, nonce: u64) -> Option<Entry> {
        let removed = self.entries.remove(&nonce)?;
        self.recount();
        Some(removed)
    }

    /// Takes out what waits for a gap to close or for funds.
    pub(crate) fn drop_waiting(&mut self) -> Vec<Entry> {
        self.entries.split_off(&self.next_nonce()).into_values().collect()
    }

    /// Takes over a new state of the account and returns what it made obsolete.
    pub(crate) fn advance(&mut self, state: AccountState) -> Vec<Entry> {
        self.state = state;
        let kept = self.entries.split_off(&state.nonce);
        let dropped = std::mem::replace(&mut self.entries, kept);
        self.recount();
        dropped.into_values().collect()
    }

    /// Takes over new fees: fewer or more transactions may be affordable.
    pub(crate) fn set_fees(&mut self, fees: RollupFees) {
        self.fees = fees;
        self.recount();
    }

    /// Counts the pending run from its beginning.
    fn recount(&mut self) {
        (self.ready, self.ready_cost) = (0, U256::ZERO);
        self.extend();
    }

    /// Makes the pending run longer by what now follows it.
    fn extend(&mut self) {
        for (nonce, entry) in self.entries.range(self.next_nonce()..) {
            let cost = self.ready_cost.saturating_add(self.cost(&entry.transaction));
            if *nonce != self.state.nonce + self.ready as u64 || cost > self.state.balance {
                break;
            }
            self.ready += 1;
            self.ready_cost = cost;
        }
    }
}
