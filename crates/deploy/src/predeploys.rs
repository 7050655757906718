use alloy::{
    primitives::{Address, Bytes, U256, address, bytes},
    sol_types::SolValue,
};
use alloy_eips::{eip2935, eip4788};
use openledger_primitives::addresses;

use crate::{Artifacts, ChainSettings, DeployError, constructor::construct, genesis::GenesisAccounts};

/// Fees gathered in a vault before anyone can have them paid out: 0.1 OPEN, far above what the call costs.
const MIN_VAULT_WITHDRAWAL: u128 = 100_000_000_000_000_000;

/// Where clients look for Multicall3.
pub(crate) const MULTICALL3: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");

/// The usual CREATE2 factory, through which tools deploy to addresses that are the same on every chain.
const CREATE2_FACTORY: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// The factory's whole program: CREATE2 with the first word of the calldata as the salt, the rest as the creation code
/// and the call's value; the created address as 20 bytes, or a bare revert.
const CREATE2_FACTORY_CODE: Bytes = bytes!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
);

/// A contract of ours that exists from the first block.
struct Predeploy {
    name: &'static str,
    address: Address,
    file: &'static str,
    arguments: Vec<u8>,
}

fn predeploys(settings: &ChainSettings) -> Vec<Predeploy> {
    let owner = settings.roles.owner;
    let vault = || (owner, U256::from(MIN_VAULT_WITHDRAWAL)).abi_encode_params();
    let ledger = (owner, settings.chain.withdrawal_delay, settings.roles.operators.clone()).abi_encode_params();
    [
        ("WrappedOpen", addresses::WRAPPED_OPEN, "WrappedOpen.sol", vec![]),
        ("GasPriceOracle", addresses::GAS_PRICE_ORACLE, "GasPriceOracle.sol", vec![]),
        ("L1Block", addresses::L1_BLOCK, "L1Block.sol", vec![]),
        ("L2ToL1MessagePasser", addresses::L2_TO_L1_MESSAGE_PASSER, "L2ToL1MessagePasser.sol", vec![]),
        ("SequencerFeeVault", addresses::SEQUENCER_FEE_VAULT, "FeeVault.sol", vault()),
        ("BaseFeeVault", addresses::BASE_FEE_VAULT, "FeeVault.sol", vault()),
        ("L1FeeVault", addresses::L1_FEE_VAULT, "FeeVault.sol", vault()),
        ("OperatorFeeVault", addresses::OPERATOR_FEE_VAULT, "FeeVault.sol", vault()),
        ("InferenceLedger", addresses::INFERENCE_LEDGER, "InferenceLedger.sol", ledger),
        ("ModelRegistry", addresses::MODEL_REGISTRY, "ModelRegistry.sol", vec![]),
        ("DatanetRegistry", addresses::DATANET_REGISTRY, "DatanetRegistry.sol", vec![]),
        ("Multicall3", MULTICALL3, "Multicall3.sol", vec![]),
    ]
    .into_iter()
    .map(|(name, address, file, arguments)| Predeploy { name, address, file, arguments })
    .collect()
}

/// Contracts that other standards define, as code.
fn standard_contracts() -> [(&'static str, Address, Bytes); 3] {
    [
        ("BeaconRoots", eip4788::BEACON_ROOTS_ADDRESS, eip4788::BEACON_ROOTS_CODE.clone()),
        ("HistoryStorage", eip2935::HISTORY_STORAGE_ADDRESS, eip2935::HISTORY_STORAGE_CODE.clone()),
        ("Create2Factory", CREATE2_FACTORY, CREATE2_FACTORY_CODE),
    ]
}

/// Name and address of everything that clients may want to find on L2, reserved addresses included.
pub(crate) fn l2_addresses(settings: &ChainSettings) -> Vec<(&'static str, Address)> {
    let mut all: Vec<_> = predeploys(settings).iter().map(|predeploy| (predeploy.name, predeploy.address)).collect();
    all.extend(standard_contracts().map(|(name, address, _)| (name, address)));
    all.extend([
        ("StakeManager", addresses::STAKE_MANAGER),
        ("Treasury", addresses::TREASURY),
        ("Settle", addresses::SETTLE),
    ]);
    all
}

/// Puts every predeploy into the genesis state.
pub(crate) fn install(
    accounts: &mut GenesisAccounts,
    settings: &ChainSettings,
    artifacts: &Artifacts,
) -> Result<(), DeployError> {
    for Predeploy { name, address, file, arguments } in predeploys(settings) {
        let creation_code = artifacts.creation_code(file, name, &arguments)?;
        let made = construct(settings.chain.l2_chain_id, address, creation_code)
            .map_err(|reason| DeployError::Constructor { contract: name, reason })?;
        accounts.contract(address, made.code, made.storage);
    }
    for (_, address, code) in standard_contracts() {
        accounts.contract(address, code, Default::default());
    }
    Ok(())
}
