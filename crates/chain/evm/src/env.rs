use alloy_evm::{EvmEnv, eth::NextEvmEnvAttributes};
use alloy_op_evm::{evm_env_for_op_block, evm_env_for_op_next_block};
use op_revm::OpSpecId;
use openledger_primitives::{BlockAttributes, ChainSpec, Header};

/// The environment in which the block of `header` was executed.
pub fn block_env(spec: &ChainSpec, header: &Header) -> EvmEnv<OpSpecId> {
    evm_env_for_op_block(header, spec, spec.chain_id)
}

/// The environment of the block that `attributes` ask for on top of `parent`.
pub fn next_block_env(
    spec: &ChainSpec,
    parent: &Header,
    attributes: &BlockAttributes,
    base_fee_per_gas: u64,
) -> EvmEnv<OpSpecId> {
    let next = NextEvmEnvAttributes {
        timestamp: attributes.timestamp,
        suggested_fee_recipient: attributes.fee_recipient,
        prev_randao: attributes.prev_randao,
        gas_limit: attributes.gas_limit,
        slot_number: None,
    };
    evm_env_for_op_next_block(parent, next, base_fee_per_gas, spec, spec.chain_id)
}
