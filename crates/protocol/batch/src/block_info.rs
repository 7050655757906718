use crate::{DecodeError, L1Info};
use alloy_primitives::{B64, B256};
use op_alloy_consensus::OpTxEnvelope;
use openledger_primitives::{Block, L2BlockRef, RollupConfig, SystemConfig, addresses};

/// Version byte of the extra data since Jovian.
const JOVIAN_EXTRA_DATA_VERSION: u8 = 1;

impl L1Info {
    /// The L1 attributes that an L2 block carries in its first transaction. The genesis block has none.
    pub fn of_block(block: &Block) -> Result<Self, DecodeError> {
        match block.body.transactions.first() {
            Some(OpTxEnvelope::Deposit(deposit)) if deposit.from == addresses::L1_ATTRIBUTES_DEPOSITOR => {
                Self::decode(&deposit.input)
            }
            _ => Err(DecodeError::NoL1Info(block.header.number)),
        }
    }
}

/// The reference of an L2 block, with the L1 origin that its first transaction names.
pub fn l2_block_ref(config: &RollupConfig, hash: B256, block: &Block) -> Result<L2BlockRef, DecodeError> {
    let genesis = &config.genesis;
    let (l1_origin, sequence_number) = if block.header.number == genesis.l2.number {
        if hash != genesis.l2.hash {
            return Err(DecodeError::WrongGenesis { expected: genesis.l2.hash, found: hash });
        }
        (genesis.l1, 0)
    } else {
        let info = L1Info::of_block(block)?;
        (info.origin(), info.sequence_number)
    };
    Ok(L2BlockRef {
        hash,
        number: block.header.number,
        parent_hash: block.header.parent_hash,
        timestamp: block.header.timestamp,
        l1_origin,
        sequence_number,
    })
}

/// The configuration in force at an L2 block, that is, after the updates of its L1 origin: read back from the L1 attributes,
/// the gas limit and the extra data.
pub fn system_config_of(config: &RollupConfig, block: &Block) -> Result<SystemConfig, DecodeError> {
    let header = &block.header;
    if header.number == config.genesis.l2.number {
        return Ok(config.genesis.system_config);
    }
    let info = L1Info::of_block(block)?;
    let (eip_1559_params, min_base_fee) = match &header.extra_data[..] {
        [JOVIAN_EXTRA_DATA_VERSION, rest @ ..] if rest.len() == 16 => {
            (B64::from_slice(&rest[..8]), u64::from_be_bytes(rest[8..].try_into().expect("8 bytes")))
        }
        _ => return Err(DecodeError::InvalidExtraData(header.number)),
    };
    let system = SystemConfig {
        batcher_address: info.batcher_address,
        gas_limit: header.gas_limit,
        eip_1559_params,
        min_base_fee,
        da_footprint_gas_scalar: info.da_footprint_gas_scalar,
        ..Default::default()
    };
    Ok(system
        .with_scalars(info.base_fee_scalar, info.blob_base_fee_scalar)
        .with_operator_fee(info.operator_fee_scalar, info.operator_fee_constant))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use alloy_eips::BlockNumHash;
    use alloy_primitives::{Address, Bytes};
    use openledger_primitives::{Header, RollupGenesis};

    fn rollup() -> RollupConfig {
        let genesis = RollupGenesis {
            l1: BlockNumHash { number: 3, hash: B256::repeat_byte(3) },
            l2: BlockNumHash { number: 0, hash: B256::repeat_byte(2) },
            l2_time: 1000,
            system_config: SystemConfig { gas_limit: 30_000_000, ..Default::default() },
        };
        RollupConfig::new(genesis, 1, 2)
    }

    fn block(system: &SystemConfig) -> Block {
        let info = L1Info { number: 9, hash: B256::repeat_byte(9), sequence_number: 4, ..Default::default() };
        let mut block = Block::default();
        let mut extra_data = Vec::from([JOVIAN_EXTRA_DATA_VERSION]);
        extra_data.extend(system.eip_1559_params);
        extra_data.extend(system.min_base_fee.to_be_bytes());
        block.header =
            Header { number: 7, gas_limit: system.gas_limit, extra_data: extra_data.into(), ..Default::default() };
        block.body.transactions.push(OpTxEnvelope::from(info.with_config(system).to_deposit()));
        block
    }

    #[test]
    fn configuration_and_origin_are_read_back_from_a_block() {
        let system = SystemConfig {
            batcher_address: Address::repeat_byte(0xbb),
            gas_limit: 25_000_000,
            min_base_fee: 77,
            da_footprint_gas_scalar: 300,
            ..Default::default()
        };
        let system = system.with_scalars(1, 2).with_operator_fee(3, 4).with_eip_1559(250, 6);
        let mut block = block(&system);
        assert_eq!(system_config_of(&rollup(), &block).unwrap(), system);
        let reference = l2_block_ref(&rollup(), B256::repeat_byte(7), &block).unwrap();
        assert_eq!(reference.l1_origin, BlockNumHash { number: 9, hash: B256::repeat_byte(9) });
        assert_eq!((reference.number, reference.sequence_number), (7, 4));

        block.header.extra_data = Bytes::from_static(&[0; 9]);
        assert_eq!(system_config_of(&rollup(), &block), Err(DecodeError::InvalidExtraData(7)));
        block.body.transactions.clear();
        assert_eq!(l2_block_ref(&rollup(), B256::ZERO, &block), Err(DecodeError::NoL1Info(7)));
    }

    #[test]
    fn genesis_comes_from_the_rollup_configuration() {
        let rollup = rollup();
        let genesis = Block::default();
        assert_eq!(system_config_of(&rollup, &genesis).unwrap(), rollup.genesis.system_config);
        let reference = l2_block_ref(&rollup, rollup.genesis.l2.hash, &genesis).unwrap();
        assert_eq!((reference.l1_origin, reference.sequence_number), (rollup.genesis.l1, 0));
        assert!(matches!(l2_block_ref(&rollup, B256::ZERO, &genesis), Err(DecodeError::WrongGenesis { .. })));
    }
}
