//! `eth_config` (EIP-7910): the rules that hold now.

use std::collections::BTreeMap;

use alloy_eips::{
    eip2124::ForkHash,
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip4788::BEACON_ROOTS_ADDRESS,
    eip7840::BlobParams,
    eip7910::{EthConfig, EthForkConfig, SystemContract},
};
use alloy_evm::precompiles::Precompile as _;
use alloy_primitives::{Address, B256};
use openledger_evm::{OpSpecId, precompiles};
use openledger_primitives::addresses;

/// The configuration of the chain `chain_id` with this genesis. All its forks are active from there on, so there is one
/// configuration, whose fork id is made of the genesis hash alone (EIP-2124, EIP-6122), and none is to come.
pub(crate) fn config(chain_id: u64, genesis: B256) -> EthConfig {
    let current = EthForkConfig {
        activation_time: 0,
        // There are no blobs here; contracts see the price that Prague's fraction gives.
        blob_schedule: BlobParams { target_blob_count: 0, max_blob_count: 0, ..BlobParams::prague() },
        chain_id,
        fork_id: ForkHash::from(genesis).0.into(),
        precompiles: precompile_addresses(),
        // Those that a block calls before its first transaction of a user. Requests (EIP-7685) do not exist here.
        system_contracts: BTreeMap::from([
            (SystemContract::BeaconRoots, BEACON_ROOTS_ADDRESS),
            (SystemContract::HistoryStorage, HISTORY_STORAGE_ADDRESS),
            (SystemContract::Other("L1_BLOCK".to_owned()), addresses::L1_BLOCK),
        ]),
    };
    EthConfig { current, next: None, last: None }
}

/// The precompiles by the names of EIP-7910, `SETTLE` among them.
fn precompile_addresses() -> BTreeMap<String, Address> {
    let precompiles = precompiles(OpSpecId::JOVIAN);
    let named = |address: &Address| {
        precompiles.get(address).map(|precompile| (precompile.precompile_id().name().to_owned(), *address))
    };
    precompiles.addresses().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_precompile_has_a_name_of_its_own() {
        assert_eq!(precompile_addresses().len(), precompiles(OpSpecId::JOVIAN).addresses().count());
    }
}
