//! The fee of one receipt and its parts.

use crate::SettleError;
use alloy_primitives::U256;

/// Parts per 10,000 that make a whole.
pub const BPS: u16 = 10_000;

/// Rates are given for this many tokens.
const TOKENS_PER_RATE: u64 = 1000;

/// What the operator of the platform takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Platform {
    /// An amount in wei for each receipt (kind 0).
    Flat(u128),
    /// Parts per 10,000 of the usage (kind 1).
    Share(u16),
}

impl Platform {
    /// Reads kind and value as they stand in a batch or in the model registry.
    pub fn from_parts(kind: u8, value: u128) -> Result<Self, SettleError> {
        match kind {
            0 => Ok(Self::Flat(value)),
            1 if value <= u128::from(BPS) => Ok(Self::Share(value as u16)),
            _ => Err(SettleError::Platform),
        }
    }

    /// Kind and value.
    pub const fn to_parts(self) -> (u8, u128) {
        match self {
            Self::Flat(amount) => (0, amount),
            Self::Share(share) => (1, share as u128),
        }
    }
}

/// What a model costs and who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FeeSchedule {
    /// Wei for 1000 tokens of the prompt.
    pub rate_in: u128,
    /// Wei for 1000 tokens of the answer.
    pub rate_out: u128,
    /// The platform's part, on top of the usage.
    pub platform: Platform,
    /// β: the model owner's share of the usage, parts per 10,000.
    pub model_bps: u16,
    /// γ: the stakers' share.
    pub stakers_bps: u16,
    /// δ: the contributors' share.
    pub contributors_bps: u16,
}

impl FeeSchedule {
    /// β + γ + δ = 10,000, and a platform share is at most the whole.
    pub fn validate(&self) -> Result<(), SettleError> {
        let sum = u32::from(self.model_bps) + u32::from(self.stakers_bps) + u32::from(self.contributors_bps);
        if sum != u32::from(BPS) {
            return Err(SettleError::Shares);
        }
        match self.platform {
            Platform::Share(share) if share > BPS => Err(SettleError::Platform),
            _ => Ok(()),
        }
    }
}

/// What was consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Tokens of the prompt.
    pub tokens_in: u32,
    /// Tokens of the answer.
    pub tokens_out: u32,
}

/// A fee and where it goes, in wei: `fee = model + stakers + contributors + platform + dust`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What the payer pays.
    pub fee: U256,
    /// The model owner's part.
    pub model: U256,
    /// The stakers' part.
    pub stakers: U256,
    /// Sum of the contributors' rewards.
    pub contributors: U256,
    /// The platform's part.
    pub platform: U256,
    /// What rounding leaves, and the contributors' pool where nobody qualifies. It goes to the treasury.
    pub dust: U256,
}

impl Parts {
    /// In the order of the output of `SETTLE`.
    pub const fn words(&self) -> [U256; 6] {
        [self.fee, self.model, self.stakers, self.contributors, self.platform, self.dust]
    }

    /// Adds each part. Sums of 65,535 fees of 128 bits stay far below 256.
    pub(crate) fn accumulate(&mut self, other: &Self) {
        self.fee += other.fee;
        self.model += other.model;
        self.stakers += other.stakers;
        self.contributors += other.contributors;
        self.platform += other.platform;
        self.dust += other.dust;
    }
}

/// The fee for `usage`, before anyone's influence is known: the contributors' pool stands in `contributors` and only what
/// rounds away in `dust`. [`crate::Batch::split`] divides the pool.
pub fn split_usage(usage: &Usage, schedule: &FeeSchedule) -> Result<Parts, SettleError> {
    schedule.validate()?;
    let net = token_cost(usage.tokens_in, schedule.rate_in) + token_cost(usage.tokens_out, schedule.rate_out);
    let platform = match schedule.platform {
        Platform::Flat(amount) => U256::from(amount),
        Platform::Share(share) => portion(net, share),
    };
    let fee = net + platform;
    if fee > U256::from(u128::MAX) {
        return Err(SettleError::FeeOverflow);
    }
    let model = portion(net, schedule.model_bps);
    let stakers = portion(net, schedule.stakers_bps);
    let contributors = portion(net, schedule.contributors_bps);
    Ok(Parts { fee, model, stakers, contributors, platform, dust: net - model - stakers - contributors })
}

/// The largest fee that a request can cost: the prompt as it is and an answer of `max_tokens_out`.
pub fn max_fee(tokens_in: u32, max_tokens_out: u32, schedule: &FeeSchedule) -> Result<U256, SettleError> {
    Ok(split_usage(&Usage { tokens_in, tokens_out: max_tokens_out }, schedule)?.fee)
}

/// `ceil(tokens · rate / 1000)`: at most 2¹⁵⁰.
fn token_cost(tokens: u32, rate: u128) -> U256 {
    (U256::from(tokens) * U256::from(rate)).div_ceil(U256::from(TOKENS_PER_RATE))
}

/// `floor(amount · share / 10,000)`; amounts here are below 2¹⁵².
fn portion(amount: U256, share: u16) -> U256 {
    amount * U256::from(share) / U256::from(BPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: u128 = 1_000_000_000_000_000_000;

    fn schedule(platform: Platform) -> FeeSchedule {
        FeeSchedule {
            rate_in: OPEN / 5,
            rate_out: OPEN * 2 / 5,
            platform,
            model_bps: 7000,
            stakers_bps: 1000,
            contributors_bps: 2000,
        }
    }

    #[test]
    fn golden_case() {
        let usage = Usage { tokens_in: 800, tokens_out: 1200 };
        let parts = split_usage(&usage, &schedule(Platform::Flat(OPEN / 2))).unwrap();
        let milli = |n: u128| U256::from(n * OPEN / 1000);
        assert_eq!(parts.fee, milli(1140));
        assert_eq!(parts.fee - parts.platform, milli(640));
        assert_eq!(parts.model, milli(448));
        assert_eq!(parts.stakers, milli(64));
        assert_eq!(parts.contributors, milli(128));
        assert_eq!(parts.dust, U256::ZERO);
    }

    #[test]
    fn each_kind_of_token_is_rounded_up_on_its_own() {
        let tiny = FeeSchedule { rate_in: 1, rate_out: 1, ..schedule(Platform::Flat(0)) };
        let fee = |tokens_in, tokens_out| max_fee(tokens_in, tokens_out, &tiny).unwrap();
        assert_eq!(fee(1, 1), U256::from(2));
        assert_eq!(fee(1000, 1001), U256::from(3));
        assert_eq!(fee(0, 0), U256::ZERO);
    }

    #[test]
    fn platform_share_is_of_the_usage() {
        let usage = Usage { tokens_in: 1000, tokens_out: 0 };
        let parts = split_usage(&usage, &FeeSchedule { rate_in: 19_999, ..schedule(Platform::Share(1)) }).unwrap();
        assert_eq!(parts.platform, U256::from(1));
        assert_eq!(parts.fee, U256::from(20_000));
    }

    #[test]
    fn a_fee_of_128_bits_is_the_largest() {
        let usage = Usage { tokens_in: 1000, tokens_out: 0 };
        let exact = FeeSchedule { rate_in: u128::MAX - 1, ..schedule(Platform::Flat(1)) };
        assert_eq!(split_usage(&usage, &exact).unwrap().fee, U256::from(u128::MAX));
        let above = FeeSchedule { platform: Platform::Flat(2), ..exact };
        assert_eq!(split_usage(&usage, &above), Err(SettleError::FeeOverflow));
        let most = Usage { tokens_in: u32::MAX, tokens_out: u32::MAX };
        let dearest = FeeSchedule { rate_in: u128::MAX, rate_out: u128::MAX, platform: Platform::Share(BPS), ..exact };
        assert_eq!(split_usage(&most, &dearest), Err(SettleError::FeeOverflow));
    }

    #[test]
    fn shares_and_platform_are_checked() {
        let usage = Usage::default();
        let off = FeeSchedule { model_bps: 7001, ..schedule(Platform::Flat(0)) };
        assert_eq!(split_usage(&usage, &off), Err(SettleError::Shares));
        assert_eq!(split_usage(&usage, &schedule(Platform::Share(BPS + 1))), Err(SettleError::Platform));
        assert_eq!(Platform::from_parts(2, 0), Err(SettleError::Platform));
        assert_eq!(Platform::from_parts(1, 10_001), Err(SettleError::Platform));
        assert_eq!(Platform::from_parts(1, 10_000), Ok(Platform::Share(BPS)));
    }
}
