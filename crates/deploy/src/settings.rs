use alloy::primitives::{Address, U256, address};
use openledger_primitives::SystemConfig;
use serde::{Deserialize, Serialize};

use crate::args::ChainArgs;

/// Everything that the L2's genesis and its contracts on L1 are made from. Kept beside a deployment, so that one made
/// with other settings is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainSettings {
    /// The rollup's parameters.
    pub chain: ChainParameters,
    /// Who may do what.
    pub roles: Roles,
    /// Accounts that start with OPEN on both layers, ascending.
    pub funded: Vec<Address>,
    /// What each of them starts with on each layer, in wei.
    pub fund_amount: U256,
}

/// The rollup's parameters; see [`ChainArgs`] for their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct ChainParameters {
    pub l2_chain_id: u64,
    pub block_time: u64,
    pub gas_limit: u64,
    pub eip1559_denominator: u32,
    pub eip1559_elasticity: u32,
    pub min_base_fee: u64,
    #[serde(default)]
    pub da_footprint_gas_scalar: u16,
    pub sequencing_window: u64,
    pub submission_interval: u64,
    pub withdrawal_delay: u64,
}

/// Who may do what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Changes parameters on both layers, collects L2 fees.
    pub owner: Address,
    /// Posts batches.
    pub batcher: Address,
    /// Proposes output roots.
    pub proposer: Address,
    /// Settle inferences from the start.
    pub operators: Vec<Address>,
}

impl From<ChainArgs> for ChainParameters {
    fn from(args: ChainArgs) -> Self {
        let ChainArgs {
            l2_chain_id,
            block_time,
            gas_limit,
            eip1559_denominator,
            eip1559_elasticity,
            min_base_fee,
            da_footprint_gas_scalar,
            sequencing_window,
            submission_interval,
            withdrawal_delay,
        } = args;
        Self {
            l2_chain_id,
            block_time,
            gas_limit,
            eip1559_denominator,
            eip1559_elasticity,
            min_base_fee,
            da_footprint_gas_scalar,
            sequencing_window,
            submission_interval,
            withdrawal_delay,
        }
    }
}

impl ChainSettings {
    /// OPEN that exists on L2 at genesis, and is therefore locked on L1, in wei. `None` when it does not fit.
    pub fn genesis_supply(&self) -> Option<U256> {
        self.fund_amount.checked_mul(U256::from(self.funded.len()))
    }

    /// The address on L1 that batches are sent to: `0xff00…` followed by the chain id in decimal digits, as is usual.
    pub fn batch_inbox(&self) -> Address {
        let mut inbox = address!("ff00000000000000000000000000000000000000");
        let mut rest = self.chain.l2_chain_id;
        for byte in inbox.0.iter_mut().skip(1).rev() {
            *byte = (rest % 10) as u8 | (((rest / 10) % 10) as u8) << 4;
            rest /= 100;
        }
        inbox
    }

    /// The parameters in force at genesis: those that the `SystemConfig` contract is deployed with.
    pub fn system_config(&self) -> SystemConfig {
        SystemConfig {
            batcher_address: self.roles.batcher,
            gas_limit: self.chain.gas_limit,
            min_base_fee: self.chain.min_base_fee,
            da_footprint_gas_scalar: self.chain.da_footprint_gas_scalar,
            ..SystemConfig::default()
        }
        .with_scalars(0, 0)
        .with_operator_fee(0, 0)
        .with_eip_1559(self.chain.eip1559_denominator, self.chain.eip1559_elasticity)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn settings() -> ChainSettings {
        ChainSettings {
            chain: ChainParameters {
                l2_chain_id: 20300,
                block_time: 1,
                gas_limit: 60_000_000,
                eip1559_denominator: 250,
                eip1559_elasticity: 6,
                min_base_fee: 1_000_000_000,
                da_footprint_gas_scalar: 0,
                sequencing_window: 3600,
                submission_interval: 30,
                withdrawal_delay: 60,
            },
            roles: Roles {
                owner: Address::repeat_byte(1),
                batcher: Address::repeat_byte(2),
                proposer: Address::repeat_byte(3),
                operators: vec![Address::repeat_byte(4)],
            },
            funded: vec![Address::repeat_byte(5), Address::repeat_byte(6)],
            fund_amount: U256::from(7),
        }
    }

    #[test]
    fn the_inbox_shows_the_chain_id() {
        assert_eq!(settings().batch_inbox(), address!("ff00000000000000000000000000000000020300"));
        let mut other = settings();
        other.chain.l2_chain_id = u64::MAX;
        assert_eq!(other.batch_inbox(), address!("ff00000000000000000018446744073709551615"));
    }

    #[test]
    fn the_supply_is_what_the_accounts_get() {
        assert_eq!(settings().genesis_supply(), Some(U256::from(14)));
        let mut other = settings();
        other.fund_amount = U256::MAX;
        assert_eq!(other.genesis_supply(), None);
    }
}
