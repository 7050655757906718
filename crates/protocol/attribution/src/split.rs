//! A batch divided into parts and rewards.

use crate::{Batch, Charge, Parts, SettleError, fee::split_usage};
use alloc::{collections::BTreeMap, vec, vec::Vec};
use alloy_primitives::{Address, U256};

/// What a batch pays to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Sums over the batch.
    pub totals: Parts,
    /// The parts of each receipt, in the batch's order.
    pub receipts: Vec<Parts>,
    /// The reward of each account over the batch; accounts without one are left out.
    pub rewards: BTreeMap<Address, U256>,
}

impl Batch {
    /// Divides each fee and adds up what each account receives.
    ///
    /// Fails with [`SettleError::FeeOverflow`] alone: everything else was checked when the batch was made.
    pub fn split(&self) -> Result<Split, SettleError> {
        let mut totals = Parts::default();
        let mut receipts = Vec::with_capacity(self.charges().len());
        let mut rewards = vec![U256::ZERO; self.accounts().len()];
        let mut weights = vec![0u128; self.accounts().len()];
        for charge in self.charges() {
            let parts = split_charge(charge, &mut weights, |account, reward| rewards[account] += reward)?;
            totals.accumulate(&parts);
            receipts.push(parts);
        }
        let paid = self.accounts().iter().copied().zip(rewards).filter(|(_, reward)| !reward.is_zero());
        Ok(Split { totals, receipts, rewards: paid.collect() })
    }
}

/// Divides the fee of one receipt. `weights` has one zero for each account of the table, and again when this returns.
fn split_charge(
    charge: &Charge,
    weights: &mut [u128],
    mut reward_account: impl FnMut(usize, U256),
) -> Result<Parts, SettleError> {
    let mut parts = split_usage(&charge.usage, &charge.schedule)?;
    let pool = core::mem::take(&mut parts.contributors);
    let mut total = 0u128;
    let mut qualified = Vec::new();
    for entry in charge.entries.iter().filter(|entry| entry.influence > 0) {
        let account = usize::from(entry.account);
        if weights[account] == 0 {
            qualified.push(account);
        }
        // At most 65,535 entries of 63 bits each: 79 bits.
        weights[account] += entry.influence as u128;
        total += entry.influence as u128;
    }
    for account in qualified {
        let weight = core::mem::take(&mut weights[account]);
        // 128 bits · 79 bits fit, and `total` is at least `weight`, which is not zero.
        let reward = pool * U256::from(weight) / U256::from(total);
        parts.contributors += reward;
        reward_account(account, reward);
    }
    parts.dust += pool - parts.contributors;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchBuilder, Entry, FeeSchedule, Platform, Usage, codec::strategies::batches};
    use proptest::prelude::*;

    const OPEN: u128 = 1_000_000_000_000_000_000;

    fn golden(influences: Vec<(Address, i64)>) -> Split {
        let schedule = FeeSchedule {
            rate_in: OPEN / 5,
            rate_out: OPEN * 2 / 5,
            platform: Platform::Flat(OPEN / 2),
            model_bps: 7000,
            stakers_bps: 1000,
            contributors_bps: 2000,
        };
        let usage = Usage { tokens_in: 800, tokens_out: 1200 };
        BatchBuilder::default().receipt(usage, schedule, influences).build().unwrap().split().unwrap()
    }

    #[test]
    fn golden_case() {
        let [a, b, c] = [1, 2, 3].map(Address::with_last_byte);
        // w = 0.25 for a, in two entries; a negative influence costs nobody anything.
        let split = golden(vec![(a, 100), (b, 750), (c, -5000), (a, 150)]);
        assert_eq!(
            split.rewards,
            BTreeMap::from([(a, U256::from(OPEN * 32 / 1000)), (b, U256::from(OPEN * 96 / 1000))])
        );
        assert_eq!(split.totals.contributors, U256::from(OPEN * 128 / 1000));
        assert_eq!(split.totals.dust, U256::ZERO);
        assert_eq!(split.receipts, vec![split.totals]);
    }

    #[test]
    fn without_positive_influence_the_pool_is_dust() {
        let account = Address::with_last_byte(1);
        for influences in [vec![], vec![(account, 0)], vec![(account, i64::MIN)]] {
            let split = golden(influences);
            assert_eq!(split.totals.contributors, U256::ZERO);
            assert_eq!(split.totals.dust, U256::from(OPEN * 128 / 1000));
            assert!(split.rewards.is_empty());
        }
    }

    #[test]
    fn the_largest_influences_do_not_overflow() {
        let entries = vec![Entry { account: 0, influence: i64::MAX }; usize::from(u16::MAX)];
        let schedule = FeeSchedule {
            rate_in: u128::MAX,
            rate_out: 0,
            platform: Platform::Flat(0),
            model_bps: 0,
            stakers_bps: 0,
            contributors_bps: 10_000,
        };
        let usage = Usage { tokens_in: 1000, tokens_out: 0 };
        let account = Address::with_last_byte(1);
        let batch = Batch::new(vec![account], vec![Charge { usage, schedule, entries }]).unwrap();
        assert_eq!(batch.split().unwrap().rewards[&account], U256::from(u128::MAX));
    }

    proptest! {
        #[test]
        fn every_wei_is_accounted_for(batch in batches()) {
            let Ok(split) = batch.split() else { return Ok(()) };
            let sum = |p: &Parts| p.model + p.stakers + p.contributors + p.platform + p.dust;
            let mut total = Parts::default();
            for parts in &split.receipts {
                prop_assert_eq!(parts.fee, sum(parts));
                total.accumulate(parts);
            }
            prop_assert_eq!(total, split.totals);
            let rewards: U256 = split.rewards.values().copied().fold(U256::ZERO, |a, b| a + b);
            prop_assert_eq!(rewards, split.totals.contributors);
        }

        #[test]
        fn order_does_not_matter(batch in batches(), turn in 0usize..8) {
            let Ok(split) = batch.split() else { return Ok(()) };
            let mut charges = batch.charges().to_vec();
            for charge in &mut charges {
                charge.entries.reverse();
                let by = turn % charge.entries.len().max(1);
                charge.entries.rotate_left(by);
            }
            charges.reverse();
            let turned = Batch::new(batch.accounts().to_vec(), charges).unwrap().split().unwrap();
            prop_assert_eq!(turned.totals, split.totals);
            prop_assert_eq!(turned.rewards, split.rewards);
        }

        // reward = floor(pool · w / W), so 0 <= pool · w - reward · W < W: less than one wei from the exact value.
        #[test]
        fn rewards_are_within_one_wei_of_exact(batch in batches()) {
            for charge in batch.charges() {
                let Ok(whole) = split_usage(&charge.usage, &charge.schedule) else { continue };
                let alone = Batch::new(batch.accounts().to_vec(), vec![charge.clone()]).unwrap().split().unwrap();
                let positive = |account: Option<usize>| -> U256 {
                    let entries = charge.entries.iter().filter(|e| account.is_none_or(|a| a == usize::from(e.account)));
                    entries.map(|e| U256::from(e.influence.max(0) as u64)).fold(U256::ZERO, |a, b| a + b)
                };
                let total = positive(None);
                for (position, account) in batch.accounts().iter().enumerate() {
                    let exact = whole.contributors * positive(Some(position));
                    let reward = alone.rewards.get(account).copied().unwrap_or_default() * total;
                    prop_assert!(exact >= reward);
                    prop_assert!(exact - reward < total.max(U256::from(1)));
                }
            }
        }
    }
}
