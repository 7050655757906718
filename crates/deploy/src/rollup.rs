use alloy::primitives::{Address, B256};
use alloy_eips::BlockNumHash;
use openledger_primitives::{ChainOpConfig, RollupConfig, RollupGenesis};
use serde::{Deserialize, Serialize};

use crate::ChainSettings;

/// The contracts on L1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Contracts {
    /// OPEN.
    pub open_token: Address,
    /// The rollup's parameters.
    pub system_config: Address,
    /// Where OPEN is locked and deposits are made.
    pub optimism_portal: Address,
}

/// The L1 block that the L2 starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Origin {
    /// Its hash.
    pub hash: B256,
    /// Its number.
    pub number: u64,
    /// Its time in seconds, which the L2 genesis block takes over.
    pub timestamp: u64,
}

/// `rollup.json`.
pub fn rollup_config(
    settings: &ChainSettings,
    l1_chain_id: u64,
    contracts: &L1Contracts,
    output_oracle: Address,
    origin: &L1Origin,
    genesis_hash: B256,
) -> RollupConfig {
    let chain = &settings.chain;
    let genesis = RollupGenesis {
        l1: BlockNumHash { number: origin.number, hash: origin.hash },
        l2: BlockNumHash { number: 0, hash: genesis_hash },
        l2_time: origin.timestamp,
        system_config: settings.system_config(),
    };
    RollupConfig {
        block_time: chain.block_time,
        seq_window_size: chain.sequencing_window,
        batch_inbox_address: settings.batch_inbox(),
        deposit_contract_address: contracts.optimism_portal,
        l1_system_config_address: contracts.system_config,
        chain_op_config: ChainOpConfig {
            eip1559_elasticity: chain.eip1559_elasticity.into(),
            eip1559_denominator: chain.eip1559_denominator.into(),
            eip1559_denominator_canyon: chain.eip1559_denominator.into(),
        },
        output_oracle_address: output_oracle,
        ..RollupConfig::new(genesis, l1_chain_id, chain.l2_chain_id)
    }
}
