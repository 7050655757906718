use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy_genesis::{ChainConfig, Genesis, GenesisAccount};
use serde_json::json;

use crate::{Artifacts, ChainSettings, DeployError, predeploys};

/// The base fee of the genesis block, in wei, unless its floor is above: what Ethereum started with.
const INITIAL_BASE_FEE: u64 = 1_000_000_000;

/// The accounts of the genesis state.
#[derive(Debug, Default)]
pub(crate) struct GenesisAccounts(BTreeMap<Address, GenesisAccount>);

impl GenesisAccounts {
    /// Adds a contract. Its nonce is 1, as EIP-161 has it for created contracts.
    pub(crate) fn contract(&mut self, address: Address, code: Bytes, storage: BTreeMap<B256, B256>) {
        let account = self.0.entry(address).or_default();
        account.nonce = Some(1);
        account.code = Some(code);
        account.storage = Some(storage).filter(|storage| !storage.is_empty());
    }

    /// Adds to a balance, in wei.
    fn fund(&mut self, address: Address, amount: U256) {
        self.0.entry(address).or_default().balance += amount;
    }
}

/// The L2's genesis: predeploys, and the funded accounts' OPEN. `timestamp` is that of the L1 block it starts from.
pub fn build_genesis(settings: &ChainSettings, artifacts: &Artifacts, timestamp: u64) -> Result<Genesis, DeployError> {
    let mut accounts = GenesisAccounts::default();
    predeploys::install(&mut accounts, settings, artifacts)?;
    for address in &settings.funded {
        accounts.fund(*address, settings.fund_amount);
    }
    Ok(Genesis {
        config: chain_config(settings),
        timestamp,
        extra_data: extra_data(settings),
        gas_limit: settings.chain.gas_limit,
        base_fee_per_gas: Some(settings.chain.min_base_fee.max(INITIAL_BASE_FEE).into()),
        alloc: accounts.0,
        ..Genesis::default()
    })
}

/// Jovian's form: version, denominator, elasticity, minimum base fee. The base fee of the first block follows from it.
fn extra_data(settings: &ChainSettings) -> Bytes {
    let mut data = vec![1];
    data.extend(settings.chain.eip1559_denominator.to_be_bytes());
    data.extend(settings.chain.eip1559_elasticity.to_be_bytes());
    data.extend(settings.chain.min_base_fee.to_be_bytes());
    data.into()
}

/// Every fork up to Jovian at genesis, in the words that op-geth and op-reth read.
fn chain_config(settings: &ChainSettings) -> ChainConfig {
    let at_block = [
        "homesteadBlock",
        "eip150Block",
        "eip155Block",
        "eip158Block",
        "byzantiumBlock",
        "constantinopleBlock",
        "petersburgBlock",
        "istanbulBlock",
        "muirGlacierBlock",
        "berlinBlock",
        "londonBlock",
        "arrowGlacierBlock",
        "grayGlacierBlock",
        "mergeNetsplitBlock",
        "bedrockBlock",
    ];
    let at_time = [
        "shanghaiTime",
        "cancunTime",
        "pragueTime",
        "regolithTime",
        "canyonTime",
        "ecotoneTime",
        "fjordTime",
        "graniteTime",
        "holoceneTime",
        "isthmusTime",
        "jovianTime",
    ];
    let mut config = json!({
        "chainId": settings.chain.l2_chain_id,
        "daoForkSupport": false,
        "terminalTotalDifficulty": 0,
        "terminalTotalDifficultyPassed": true,
        "optimism": {
            "eip1559Elasticity": settings.chain.eip1559_elasticity,
            "eip1559Denominator": settings.chain.eip1559_denominator,
            "eip1559DenominatorCanyon": settings.chain.eip1559_denominator,
        },
    });
    for fork in at_block.into_iter().chain(at_time) {
        config[fork] = json!(0);
    }
    serde_json::from_value(config).expect("fields of a chain configuration")
}
