/// The price of an EIP-1559 transaction, in wei per gas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fees {
    pub(crate) max_fee: u128,
    pub(crate) tip: u128,
}

impl Fees {
    /// Room for the base fee to double, as wallets do.
    pub(crate) const fn suggested(base_fee: u128, tip: u128) -> Self {
        Self { max_fee: base_fee.saturating_mul(2).saturating_add(tip), tip }
    }

    /// A price that replaces `self` in every pool: both parts rise by at least a tenth, and at least to what the market asks now.
    pub(crate) fn bumped(self, market: Self) -> Self {
        let raise = |fee: u128| fee.saturating_add(fee.div_ceil(10).max(1));
        let tip = raise(self.tip).max(market.tip);
        Self { max_fee: raise(self.max_fee).max(market.max_fee).max(tip), tip }
    }

    /// Keeps within what the operator is ready to pay.
    pub(crate) fn capped(self, cap: u128) -> Self {
        let max_fee = self.max_fee.min(cap);
        Self { max_fee, tip: self.tip.min(max_fee) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bump_follows_the_market() {
        let fees = Fees::suggested(100, 10);
        assert_eq!(fees, Fees { max_fee: 210, tip: 10 });
        assert_eq!(fees.bumped(fees), Fees { max_fee: 231, tip: 11 });
        assert_eq!(fees.bumped(Fees::suggested(1000, 5)), Fees { max_fee: 2005, tip: 11 });
        assert_eq!(fees.capped(5), Fees { max_fee: 5, tip: 5 });
    }

    proptest! {
        #[test]
        fn a_bump_is_a_tenth_and_valid(max_fee in 0u128..1 << 100, tip in 0u128..1 << 100, base in 0u128..1 << 100) {
            let fees = Fees { max_fee: max_fee.max(tip), tip };
            let bumped = fees.bumped(Fees::suggested(base, 1));
            prop_assert!(bumped.max_fee * 10 >= fees.max_fee * 11 && bumped.max_fee > fees.max_fee);
            prop_assert!(bumped.tip * 10 >= fees.tip * 11 && bumped.tip > fees.tip);
            prop_assert!(bumped.max_fee >= bumped.tip);
        }
    }
}
