use crate::{ChainSpec, SystemConfig};
use alloy_eips::{BlockNumHash, eip1559::BaseFeeParams};
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

/// How far a block's time may be ahead of its L1 origin's, in seconds: a constant since Fjord.
const FJORD_MAX_SEQUENCER_DRIFT: u64 = 1800;
/// How many L1 blocks a channel may stay open: a constant since Granite.
const GRANITE_CHANNEL_TIMEOUT: u64 = 50;

/// `rollup.json`: where the chain starts, how it is paced, and which contracts on L1 speak for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupConfig {
    /// Where the chain starts.
    pub genesis: RollupGenesis,
    /// Seconds between L2 blocks.
    pub block_time: u64,
    /// Drift before Fjord, in seconds; see [`Self::sequencer_drift`].
    pub max_sequencer_drift: u64,
    /// L1 blocks within which batches of an epoch must appear.
    pub seq_window_size: u64,
    /// Channel timeout before Granite, in L1 blocks; see [`Self::channel_lifetime`].
    pub channel_timeout: u64,
    /// Chain id of L1.
    pub l1_chain_id: u64,
    /// Chain id of the L2.
    pub l2_chain_id: u64,
    /// Activation timestamp of Regolith.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regolith_time: Option<u64>,
    /// Activation timestamp of Canyon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canyon_time: Option<u64>,
    /// Activation timestamp of Delta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_time: Option<u64>,
    /// Activation timestamp of Ecotone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecotone_time: Option<u64>,
    /// Activation timestamp of Fjord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fjord_time: Option<u64>,
    /// Activation timestamp of Granite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granite_time: Option<u64>,
    /// Activation timestamp of Holocene.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holocene_time: Option<u64>,
    /// Activation timestamp of Isthmus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isthmus_time: Option<u64>,
    /// Activation timestamp of Jovian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jovian_time: Option<u64>,
    /// Where the batcher sends its transactions on L1.
    pub batch_inbox_address: Address,
    /// The `OptimismPortal` on L1, whose events are the deposits.
    pub deposit_contract_address: Address,
    /// The `SystemConfig` contract on L1.
    pub l1_system_config_address: Address,
    /// EIP-1559 constants.
    pub chain_op_config: ChainOpConfig,
    /// The `OutputOracle` contract on L1, where output roots are proposed. Other programs ignore this field.
    pub output_oracle_address: Address,
}

/// Where the chain starts on both layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupGenesis {
    /// The L1 block after which derivation begins.
    pub l1: BlockNumHash,
    /// The L2 genesis block.
    pub l2: BlockNumHash,
    /// Timestamp of the L2 genesis block.
    pub l2_time: u64,
    /// Parameters in force at genesis.
    pub system_config: SystemConfig,
}

/// EIP-1559 constants of the chain, used where L1 sets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainOpConfig {
    /// Gas limit over gas target.
    #[serde(rename = "eip1559Elasticity")]
    pub eip1559_elasticity: u64,
    /// Base fee change denominator before Canyon.
    #[serde(rename = "eip1559Denominator")]
    pub eip1559_denominator: u64,
    /// Base fee change denominator since Canyon, the one in force.
    #[serde(rename = "eip1559DenominatorCanyon")]
    pub eip1559_denominator_canyon: u64,
}

impl Default for ChainOpConfig {
    fn default() -> Self {
        Self { eip1559_elasticity: 6, eip1559_denominator: 50, eip1559_denominator_canyon: 250 }
    }
}

/// Why a rollup configuration cannot be used. All of them are mistakes in the file: correct it and start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The chain runs Jovian from its first block, so every activation time must be set and not lie after genesis.
    #[error(
        "{fork}_time must be set to at most the L2 genesis time ({genesis}): this node has no rules from before {fork}"
    )]
    ForkNotAtGenesis {
        /// The fork's name in the file.
        fork: &'static str,
        /// The L2 genesis time.
        genesis: u64,
    },
    /// A field that is divided by or counted in must not be zero.
    #[error("{0} must not be zero")]
    Zero(&'static str),
    /// Replay protection between the layers needs different chain ids.
    #[error("l1_chain_id and l2_chain_id are both {0}; they must differ")]
    SameChainId(u64),
}

impl RollupConfig {
    /// A chain with every fork from its first block on, a block each second, and 3600 L1 blocks for its batches to appear in. Its
    /// contracts on L1 are left to be named.
    pub fn new(genesis: RollupGenesis, l1_chain_id: u64, l2_chain_id: u64) -> Self {
        let from_genesis = Some(0);
        Self {
            genesis,
            block_time: 1,
            // Values from before the forks that made them constants; carried because the file has them.
            max_sequencer_drift: 600,
            channel_timeout: 300,
            seq_window_size: 3600,
            l1_chain_id,
            l2_chain_id,
            regolith_time: from_genesis,
            canyon_time: from_genesis,
            delta_time: from_genesis,
            ecotone_time: from_genesis,
            fjord_time: from_genesis,
            granite_time: from_genesis,
            holocene_time: from_genesis,
            isthmus_time: from_genesis,
            jovian_time: from_genesis,
            batch_inbox_address: Address::ZERO,
            deposit_contract_address: Address::ZERO,
            l1_system_config_address: Address::ZERO,
            chain_op_config: ChainOpConfig::default(),
            output_oracle_address: Address::ZERO,
        }
    }

    /// Checks what the types don't. Call it once after reading the file.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let forks = [
            ("regolith", self.regolith_time),
            ("canyon", self.canyon_time),
            ("delta", self.delta_time),
            ("ecotone", self.ecotone_time),
            ("fjord", self.fjord_time),
            ("granite", self.granite_time),
            ("holocene", self.holocene_time),
            ("isthmus", self.isthmus_time),
            ("jovian", self.jovian_time),
        ];
        let genesis = self.genesis.l2_time;
        if let Some((fork, _)) = forks.iter().find(|(_, time)| time.is_none_or(|time| time > genesis)) {
            return Err(ConfigError::ForkNotAtGenesis { fork, genesis });
        }
        let nonzero = [
            ("block_time", self.block_time),
            ("seq_window_size", self.seq_window_size),
            ("l2_chain_id", self.l2_chain_id),
            ("genesis.system_config.gasLimit", self.genesis.system_config.gas_limit),
            ("chain_op_config.eip1559Elasticity", self.chain_op_config.eip1559_elasticity),
            ("chain_op_config.eip1559DenominatorCanyon", self.chain_op_config.eip1559_denominator_canyon),
        ];
        if let Some((field, _)) = nonzero.iter().find(|(_, value)| *value == 0) {
            return Err(ConfigError::Zero(field));
        }
        if self.l1_chain_id == self.l2_chain_id {
            return Err(ConfigError::SameChainId(self.l1_chain_id));
        }
        Ok(())
    }

    /// The rules of the L2.
    pub const fn chain_spec(&self) -> ChainSpec {
        ChainSpec {
            chain_id: self.l2_chain_id,
            base_fee_params: BaseFeeParams::new(
                self.chain_op_config.eip1559_denominator_canyon as u128,
                self.chain_op_config.eip1559_elasticity as u128,
            ),
        }
    }

    /// How far a block's time may be ahead of its L1 origin's, in seconds.
    pub const fn sequencer_drift(&self) -> u64 {
        FJORD_MAX_SEQUENCER_DRIFT
    }

    /// How many L1 blocks after its first frame a channel must be complete.
    pub const fn channel_lifetime(&self) -> u64 {
        GRANITE_CHANNEL_TIMEOUT
    }

    /// Timestamp of the L2 block at height `number`.
    pub const fn timestamp_of(&self, number: u64) -> u64 {
        self.genesis.l2_time + (number - self.genesis.l2.number) * self.block_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::address;

    // The shape that op-node writes, with our additional last field.
    const FILE: &str = r#"{
      "genesis": {
        "l1": {"hash": "0x0101010101010101010101010101010101010101010101010101010101010101", "number": 3},
        "l2": {"hash": "0x0202020202020202020202020202020202020202020202020202020202020202", "number": 0},
        "l2_time": 1700000000,
        "system_config": {
          "batcherAddr": "0x0000000000000000000000000000000000000b0b",
          "overhead": "0x0000000000000000000000000000000000000000000000000000000000000000",
          "scalar": "0x0100000000000000000000000000000000000000000000000000000000000000",
          "gasLimit": 30000000, "eip1559Params": "0x000000fa00000006",
          "operatorFeeParams": "0x0000000000000000000000000000000000000000000000000000000000000000",
          "minBaseFee": 1000000, "daFootprintGasScalar": 0
        }
      },
      "block_time": 1, "max_sequencer_drift": 600, "seq_window_size": 3600, "channel_timeout": 300,
      "l1_chain_id": 31337, "l2_chain_id": 20300,
      "regolith_time": 0, "canyon_time": 0, "delta_time": 0, "ecotone_time": 0, "fjord_time": 0,
      "granite_time": 0, "holocene_time": 0, "isthmus_time": 0, "jovian_time": 0,
      "batch_inbox_address": "0xff00000000000000000000000000000000020300",
      "deposit_contract_address": "0x0000000000000000000000000000000000000001",
      "l1_system_config_address": "0x0000000000000000000000000000000000000002",
      "chain_op_config": {"eip1559Elasticity": 6, "eip1559Denominator": 50, "eip1559DenominatorCanyon": 250},
      "output_oracle_address": "0x0000000000000000000000000000000000000003"
    }"#;

    #[test]
    fn reads_and_writes_op_node_field_names() {
        let config: RollupConfig = serde_json::from_str(FILE).unwrap();
        config.validate().unwrap();
        assert_eq!(config.genesis.l1.number, 3);
        assert_eq!(config.genesis.system_config.min_base_fee, 1_000_000);
        assert_eq!(config.output_oracle_address, address!("0000000000000000000000000000000000000003"));
        assert_eq!(config.chain_spec().base_fee_params, BaseFeeParams::new(250, 6));
        assert_eq!(config.timestamp_of(5), 1_700_000_005);
        let written: serde_json::Value = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(FILE).unwrap());
    }

    #[test]
    fn mistakes_are_named() {
        let good: RollupConfig = serde_json::from_str(FILE).unwrap();
        let genesis = good.genesis.l2_time;
        let check = |change: fn(&mut RollupConfig), error| {
            let mut config = good.clone();
            change(&mut config);
            assert_eq!(config.validate(), Err(error));
        };
        check(|c| c.jovian_time = None, ConfigError::ForkNotAtGenesis { fork: "jovian", genesis });
        check(|c| c.fjord_time = Some(u64::MAX), ConfigError::ForkNotAtGenesis { fork: "fjord", genesis });
        check(|c| c.block_time = 0, ConfigError::Zero("block_time"));
        check(|c| c.l1_chain_id = c.l2_chain_id, ConfigError::SameChainId(20300));
    }
}
