//! Amounts of OPEN for people.

use alloy::primitives::{U256, utils::format_ether};

/// Wei in one OPEN.
const WEI: u64 = 1_000_000_000_000_000_000;

/// So many whole OPEN in wei.
pub(crate) const fn open(amount: u64) -> U256 {
    // 64 bits times 60 bits: 128 bits hold it.
    let wei = amount as u128 * WEI as u128;
    U256::from_limbs([wei as u64, (wei >> 64) as u64, 0, 0])
}

/// An amount in OPEN with all 18 decimals, so that columns of it can be added up by hand.
pub(crate) fn exact(wei: U256) -> String {
    format_ether(wei)
}

/// An amount in whole OPEN.
pub(crate) fn whole(wei: U256) -> U256 {
    wei / U256::from(WEI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        assert_eq!(open(1_000_000_000), U256::from(10u8).pow(U256::from(27)));
        assert_eq!(exact(open(2) + U256::from(1)), "2.000000000000000001");
        assert_eq!(whole(open(5) + U256::from(1)), U256::from(5));
    }
}
