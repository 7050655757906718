use alloy_eips::eip1559::BaseFeeParams;
use alloy_hardforks::{EthereumHardfork, EthereumHardforks, ForkCondition};
use alloy_op_hardforks::{OpHardfork, OpHardforks};
use alloy_primitives::U256;

/// Chain id of the development network.
pub const DEFAULT_CHAIN_ID: u64 = 20300;

/// The rules of one chain.
///
/// OpenLedger starts with Jovian (Prague's EVM), so no older rule is ever asked for. A later fork gets its own timestamp
/// here when it is adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainSpec {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Used where the attributes' EIP-1559 parameters are zero, and for genesis.
    pub base_fee_params: BaseFeeParams,
}

impl ChainSpec {
    /// The chain `chain_id` with the OP Stack's constants (denominator 250, elasticity 6).
    pub const fn new(chain_id: u64) -> Self {
        Self { chain_id, base_fee_params: BaseFeeParams::new(250, 6) }
    }
}

impl EthereumHardforks for ChainSpec {
    fn ethereum_fork_activation(&self, fork: EthereumHardfork) -> ForkCondition {
        use EthereumHardfork as F;
        match fork {
            F::Frontier
            | F::Homestead
            | F::Tangerine
            | F::SpuriousDragon
            | F::Byzantium
            | F::Constantinople
            | F::Petersburg
            | F::Istanbul
            | F::MuirGlacier
            | F::Berlin
            | F::London
            | F::ArrowGlacier
            | F::GrayGlacier => ForkCondition::ZERO_BLOCK,
            F::Paris => {
                ForkCondition::TTD { activation_block_number: 0, fork_block: Some(0), total_difficulty: U256::ZERO }
            }
            F::Shanghai | F::Cancun | F::Prague => ForkCondition::ZERO_TIMESTAMP,
            // The DAO fork was an event of mainnet; what comes after Prague is not adopted yet.
            _ => ForkCondition::Never,
        }
    }
}

impl OpHardforks for ChainSpec {
    fn op_fork_activation(&self, fork: OpHardfork) -> ForkCondition {
        use OpHardfork as F;
        match fork {
            F::Bedrock => ForkCondition::ZERO_BLOCK,
            F::Regolith | F::Canyon | F::Ecotone | F::Fjord | F::Granite | F::Holocene | F::Isthmus | F::Jovian => {
                ForkCondition::ZERO_TIMESTAMP
            }
            _ => ForkCondition::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jovian_and_prague_hold_from_genesis_and_nothing_later_does() {
        let spec = ChainSpec::new(DEFAULT_CHAIN_ID);
        assert!(spec.is_bedrock_active_at_block(0));
        assert!(spec.is_jovian_active_at_timestamp(0));
        assert!(spec.is_prague_active_at_timestamp(0));
        assert!(spec.is_paris_active_at_block(0));
        assert!(!spec.is_karst_active_at_timestamp(u64::MAX));
        assert!(!spec.is_interop_active_at_timestamp(u64::MAX));
        assert!(!spec.is_osaka_active_at_timestamp(u64::MAX));
        assert_eq!(spec.ethereum_fork_activation(EthereumHardfork::Dao), ForkCondition::Never);
    }
}
