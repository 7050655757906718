//! A batch of receipts to settle.

use crate::{FeeSchedule, SettleError, Usage};
use alloc::{collections::BTreeMap, vec::Vec};
use alloy_primitives::Address;

/// The influence of something that an account contributed on one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Position in the batch's table of accounts.
    pub account: u16,
    /// Influence; only its ratio to the others matters, and only if it is positive.
    pub influence: i64,
}

/// What settlement needs to know of one receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Tokens consumed.
    pub usage: Usage,
    /// Price and shares.
    pub schedule: FeeSchedule,
    /// Influences, in any order; those of one account are summed.
    pub entries: Vec<Entry>,
}

/// Receipts and the accounts that their entries refer to. A value of this type holds to every bound of the
/// specification except that of the fee, which [`Batch::split`] checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    accounts: Vec<Address>,
    charges: Vec<Charge>,
}

impl Batch {
    /// Checks and takes the parts; `accounts` must be strictly ascending.
    pub fn new(accounts: Vec<Address>, charges: Vec<Charge>) -> Result<Self, SettleError> {
        if charges.is_empty() || charges.len() > usize::from(u16::MAX) {
            return Err(SettleError::NoReceipts);
        }
        check_accounts(&accounts)?;
        for charge in &charges {
            check_charge(charge, accounts.len())?;
        }
        Ok(Self { accounts, charges })
    }

    /// For the decoder, which has made the checks while reading.
    pub(crate) fn from_checked(accounts: Vec<Address>, charges: Vec<Charge>) -> Self {
        Self { accounts, charges }
    }

    /// The accounts, strictly ascending.
    pub fn accounts(&self) -> &[Address] {
        &self.accounts
    }

    /// The receipts, at least one.
    pub fn charges(&self) -> &[Charge] {
        &self.charges
    }

    /// Number of entries of all receipts.
    pub fn entry_count(&self) -> usize {
        self.charges.iter().map(|charge| charge.entries.len()).sum()
    }
}

pub(crate) fn check_accounts(accounts: &[Address]) -> Result<(), SettleError> {
    let ascending = accounts.windows(2).all(|pair| pair[0] < pair[1]);
    let zero = accounts.first().is_some_and(|account| account.is_zero());
    if ascending && !zero && accounts.len() <= usize::from(u16::MAX) { Ok(()) } else { Err(SettleError::Accounts) }
}

pub(crate) fn check_charge(charge: &Charge, accounts: usize) -> Result<(), SettleError> {
    charge.schedule.validate()?;
    let inside = charge.entries.iter().all(|entry| usize::from(entry.account) < accounts);
    if inside && charge.entries.len() <= usize::from(u16::MAX) { Ok(()) } else { Err(SettleError::AccountIndex) }
}

/// Who influenced an answer, by how much; an account may come several times.
type Influences = Vec<(Address, i64)>;

/// Builds a [`Batch`] from receipts that name their contributors by address.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    receipts: Vec<(Usage, FeeSchedule, Influences)>,
}

impl BatchBuilder {
    /// Adds a receipt with the influences of its contributors.
    pub fn receipt(mut self, usage: Usage, schedule: FeeSchedule, influences: Vec<(Address, i64)>) -> Self {
        self.receipts.push((usage, schedule, influences));
        self
    }

    /// Makes the table of accounts and the batch.
    pub fn build(self) -> Result<Batch, SettleError> {
        let contributors = self.receipts.iter().flat_map(|(_, _, influences)| influences);
        let mut index: BTreeMap<Address, u16> = contributors.map(|(address, _)| (*address, 0)).collect();
        if index.len() > usize::from(u16::MAX) {
            return Err(SettleError::Accounts);
        }
        for (position, slot) in index.values_mut().enumerate() {
            *slot = position as u16;
        }
        let charges = self.receipts.into_iter().map(|(usage, schedule, influences)| {
            let entries =
                influences.iter().map(|(address, influence)| Entry { account: index[address], influence: *influence });
            Charge { usage, schedule, entries: entries.collect() }
        });
        let charges = charges.collect();
        Batch::new(index.into_keys().collect(), charges)
    }
}
