use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256};
use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{BlockEnv, CfgEnv, TxEnv, result::ExecutionResult},
    database::{CacheDB, EmptyDB},
    primitives::{TxKind, hardfork::SpecId},
    state::AccountInfo,
};

/// A contract as its constructor leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constructed {
    /// Its code, immutables filled in.
    pub code: Bytes,
    /// Its storage.
    pub storage: BTreeMap<B256, B256>,
}

/// Runs `creation_code` at `address`, as if a transaction had created the contract there.
///
/// A predeploy's address is not one that a creation could get. So the creation code is put there as if it were the
/// contract's code, and called: constructors read their arguments from the end of their own code, and return the
/// contract's. What differs is that the contract has code while it is being constructed.
pub fn construct(chain_id: u64, address: Address, creation_code: Bytes) -> Result<Constructed, String> {
    let mut database = CacheDB::new(EmptyDB::default());
    database.insert_account_info(address, AccountInfo::from_bytecode(Bytecode::new_legacy(creation_code)));
    let mut config = CfgEnv::new_with_spec(SpecId::PRAGUE);
    config.chain_id = chain_id;
    let mut evm = Context::mainnet().with_db(database).with_cfg(config).with_block(BlockEnv::default()).build_mainnet();
    let call =
        TxEnv { kind: TxKind::Call(address), chain_id: Some(chain_id), gas_limit: 100_000_000, ..TxEnv::default() };
    let outcome = evm.transact(call).map_err(|error| error.to_string())?;
    let code = match outcome.result {
        ExecutionResult::Success { output, .. } => output.into_data(),
        ExecutionResult::Revert { output, .. } => return Err(format!("reverted with {output}")),
        ExecutionResult::Halt { reason, .. } => return Err(format!("halted: {reason:?}")),
    };
    let storage = outcome
        .state
        .get(&address)
        .into_iter()
        .flat_map(|account| &account.storage)
        .filter(|(_, slot)| slot.present_value != U256::ZERO)
        .map(|(slot, value)| (B256::from(*slot), B256::from(value.present_value)))
        .collect();
    Ok(Constructed { code, storage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::hex;

    #[test]
    fn a_constructor_sees_its_arguments_its_address_and_the_chain() {
        // Stores its last 32 bytes at 1, its address at 2 and the chain id at 3; returns one byte of code, STOP.
        let creation = hex!("60206020380360003960005160015530600255466003556001601ff3");
        let address = Address::repeat_byte(0x42);
        let code: Bytes = [&creation[..], B256::with_last_byte(9).as_slice()].concat().into();
        let made = construct(20300, address, code).unwrap();
        assert_eq!(made.code, Bytes::from_static(&[9]));
        let slot = |n: u8| made.storage.get(&B256::with_last_byte(n)).copied();
        assert_eq!(slot(1), Some(B256::with_last_byte(9)));
        assert_eq!(slot(2), Some(address.into_word()));
        assert_eq!(slot(3), Some(B256::from(U256::from(20300))));
    }

    #[test]
    fn a_failing_constructor_is_an_error() {
        let error = construct(1, Address::repeat_byte(1), Bytes::from_static(&hex!("5f5ffd"))).unwrap_err();
        assert!(error.contains("reverted"), "{error}");
        assert!(construct(1, Address::repeat_byte(1), Bytes::from_static(&hex!("fe"))).unwrap_err().contains("halted"));
    }
}
