//! Deployments to a real anvil.

mod common;

use std::path::Path;

use alloy::{
    network::EthereumWallet,
    primitives::{Address, Bytes, TxKind, U256},
    providers::{DynProvider, Provider as _, ProviderBuilder},
    rpc::types::Filter,
    signers::local::PrivateKeySigner,
    sol,
};
use alloy_genesis::Genesis;
use common::{BATCHER, DEPLOYER_KEY, PAYER, PAYER_KEY, PROPOSER, args};
use openledger_batch::{CONFIG_UPDATE_TOPIC, ConfigUpdate, decode_deposit};
use openledger_deploy::{DeployError, run};
use openledger_primitives::{RollupConfig, SystemConfig};
use openledger_stf::genesis;
use openledger_testing::Anvil;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

sol! {
    #[sol(rpc)]
    contract Token {
        function balanceOf(address account) external view returns (uint256);
        function approve(address spender, uint256 value) external returns (bool);
    }
    #[sol(rpc)]
    contract Portal {
        function depositERC20Transaction(address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data) external;
        function balance() external view returns (uint256);
        function systemConfig() external view returns (address);
        function gasPayingToken() external view returns (address);
    }
    #[sol(rpc)]
    contract Config {
        function batcherHash() external view returns (bytes32);
        function gasLimit() external view returns (uint64);
        function scalar() external view returns (uint256);
        function minBaseFee() external view returns (uint64);
        function eip1559Denominator() external view returns (uint32);
        function batchInbox() external view returns (address);
        function owner() external view returns (address);
        function setBatcherHash(bytes32 value) external;
        function setGasConfigEcotone(uint32 basefeeScalar, uint32 blobbasefeeScalar) external;
        function setOperatorFeeScalars(uint32 scalar, uint64 constantFee) external;
        function setDAFootprintGasScalar(uint16 value) external;
    }
    #[sol(rpc)]
    contract Oracle {
        function proposer() external view returns (address);
        function startingTimestamp() external view returns (uint256);
        function nextBlockNumber() external view returns (uint256);
    }
    #[sol(rpc)]
    contract Multicall {
        function getBlockNumber() external view returns (uint256);
    }
}

const DEPLOYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

fn read<T: DeserializeOwned>(out: &Path, name: &str) -> T {
    serde_json::from_slice(&std::fs::read(out.join(name)).unwrap()).unwrap()
}

fn provider(anvil: &Anvil) -> DynProvider {
    ProviderBuilder::new().connect_http(anvil.url().parse().unwrap()).erased()
}

fn address(book: &Value, layer: &str, name: &str) -> Address {
    book[layer][name].as_str().unwrap().parse().unwrap()
}

async fn nonce(anvil: &Anvil) -> u64 {
    provider(anvil).get_transaction_count(DEPLOYER.parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn files_and_contracts_agree() {
    let anvil = Anvil::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("chain");
    run(args(&anvil.url(), &out, &["--fund-amount", "1000", "--owner", BATCHER])).await.unwrap();

    let rollup: RollupConfig = read(&out, "rollup.json");
    rollup.validate().unwrap();
    let genesis: Genesis = read(&out, "genesis.json");
    let book: Value = read(&out, "contracts.json");
    let l1 = provider(&anvil);

    let (block, _) = genesis::block_and_state(&genesis).unwrap();
    assert_eq!(rollup.genesis.l2.hash, block.header.hash_slow());
    assert_eq!(rollup.genesis.l2_time, genesis.timestamp);
    let origin = l1.get_block_by_number(rollup.genesis.l1.number.into()).await.unwrap().unwrap();
    assert_eq!((origin.header.hash, origin.header.timestamp), (rollup.genesis.l1.hash, rollup.genesis.l2_time));

    // Locked on L1: exactly what exists on L2.
    let token = address(&book, "l1", "OpenToken");
    let portal = Portal::new(rollup.deposit_contract_address, &l1);
    let supply: U256 = genesis.alloc.values().map(|account| account.balance).sum();
    let open = U256::from(10).pow(U256::from(18));
    assert_eq!(supply, U256::from(1000) * open);
    assert_eq!(portal.balance().call().await.unwrap(), supply);
    assert_eq!(portal.gasPayingToken().call().await.unwrap(), token);
    assert_eq!(portal.systemConfig().call().await.unwrap(), rollup.l1_system_config_address);
    let balance = async |of: &str| Token::new(token, &l1).balanceOf(of.parse().unwrap()).call().await.unwrap();
    assert_eq!(balance(PAYER).await, U256::from(1000) * open);
    assert_eq!(balance(DEPLOYER).await, U256::ZERO);
    assert_eq!(balance(BATCHER).await, U256::from(1_000_000_000u64 - 2000) * open);

    let config = Config::new(rollup.l1_system_config_address, &l1);
    let initial = &rollup.genesis.system_config;
    assert_eq!(config.batcherHash().call().await.unwrap(), initial.batcher_address.into_word());
    assert_eq!(config.gasLimit().call().await.unwrap(), initial.gas_limit);
    assert_eq!(config.scalar().call().await.unwrap(), U256::from_be_bytes(initial.scalar.0));
    assert_eq!(config.minBaseFee().call().await.unwrap(), initial.min_base_fee);
    assert_eq!(config.eip1559Denominator().call().await.unwrap(), 250);
    assert_eq!(config.batchInbox().call().await.unwrap(), rollup.batch_inbox_address);
    assert_eq!(config.owner().call().await.unwrap(), BATCHER.parse::<Address>().unwrap());

    let oracle = Oracle::new(rollup.output_oracle_address, &l1);
    assert_eq!(oracle.proposer().call().await.unwrap(), PROPOSER.parse::<Address>().unwrap());
    assert_eq!(oracle.startingTimestamp().call().await.unwrap(), U256::from(rollup.genesis.l2_time));
    assert_eq!(oracle.nextBlockNumber().call().await.unwrap(), U256::from(30));

    let multicall = Multicall::new(address(&book, "l1", "Multicall3"), &l1);
    assert_eq!(multicall.getBlockNumber().call().await.unwrap(), U256::from(l1.get_block_number().await.unwrap()));
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_an_interrupted_one_goes_on() {
    let anvil = Anvil::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("chain");
    run(args(&anvil.url(), &out, &[])).await.unwrap();
    let files = || ["genesis.json", "rollup.json", "contracts.json"].map(|name| std::fs::read(out.join(name)).unwrap());
    let (first, sent) = (files(), nonce(&anvil).await);
    run(args(&anvil.url(), &out, &[])).await.unwrap();
    assert_eq!((files(), nonce(&anvil).await), (first.clone(), sent));

    // As if it had been stopped before the output oracle.
    let mut progress: Value = read(&out, "deployments.json");
    progress["output_oracle"] = Value::Null;
    std::fs::write(out.join("deployments.json"), progress.to_string()).unwrap();
    std::fs::remove_file(out.join("genesis.json")).unwrap();
    std::fs::remove_file(out.join("rollup.json")).unwrap();
    run(args(&anvil.url(), &out, &[])).await.unwrap();
    assert_eq!(nonce(&anvil).await, sent + 1);
    assert_eq!(files()[0], first[0]);

    // Other settings would make another chain.
    let error = run(args(&anvil.url(), &out, &["--block-time", "2"])).await.unwrap_err();
    assert!(matches!(error, DeployError::OtherSettings { .. }), "{error}");

    // A new L1 gets new contracts and a new genesis.
    let () = provider(&anvil).raw_request("anvil_reset".into(), json!([])).await.unwrap();
    run(args(&anvil.url(), &out, &[])).await.unwrap();
    let (old, new): (RollupConfig, RollupConfig) =
        (serde_json::from_slice(&first[1]).unwrap(), read(&out, "rollup.json"));
    assert_ne!(old.genesis.l1, new.genesis.l1);
    assert!(!provider(&anvil).get_code_at(new.output_oracle_address).await.unwrap().is_empty());
}

#[tokio::test]
async fn mistakes_are_named_before_anything_is_spent() {
    let anvil = Anvil::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("chain");
    let failing = async |args| run(args).await.unwrap_err();

    let error = failing(args(&anvil.url(), &out, &["--l2-chain-id", "31337"])).await;
    assert!(matches!(error, DeployError::SameChainId(31337)), "{error}");

    let error = failing(args("http://127.0.0.1:1", &out, &[])).await;
    assert!(matches!(error, DeployError::L1Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("--l1-rpc"), "{error}");

    let error = failing(args("not a url", &out, &[])).await;
    assert!(matches!(error, DeployError::Url { .. }), "{error}");

    let error = failing(args(&anvil.url(), &out, &["--fund-amount", "500000001"])).await;
    assert!(matches!(error, DeployError::SupplyExceeded { accounts: 1 }), "{error}");

    let mut no_artifacts = args(&anvil.url(), &out, &[]);
    no_artifacts.artifacts = folder.path().into();
    let error = failing(no_artifacts).await;
    assert!(error.to_string().contains("make contracts"), "{error}");

    let poor = args(&anvil.url(), &out, &[]);
    std::fs::write(poor.deployer_key_file.as_ref().unwrap(), "11".repeat(32)).unwrap();
    let error = failing(poor).await;
    assert!(matches!(error, DeployError::Unfunded { .. }), "{error}");

    let keyless = args(&anvil.url(), &out, &[]);
    std::fs::write(keyless.deployer_key_file.as_ref().unwrap(), "not a key").unwrap();
    assert!(matches!(failing(keyless).await, DeployError::Key(_)));

    assert_eq!(nonce(&anvil).await, 0);
}

/// What the contracts emit is what derivation reads.
#[tokio::test]
async fn events_are_understood() {
    let anvil = Anvil::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("chain");
    run(args(&anvil.url(), &out, &[])).await.unwrap();
    let rollup: RollupConfig = read(&out, "rollup.json");
    let token = address(&read(&out, "contracts.json"), "l1", "OpenToken");
    let payer: PrivateKeySigner = PAYER_KEY.parse().unwrap();
    let wallet = |key: &str| EthereumWallet::from(key.parse::<PrivateKeySigner>().unwrap());
    let connect = |key| ProviderBuilder::new().wallet(wallet(key)).connect_http(anvil.url().parse().unwrap());

    let l1 = connect(PAYER_KEY);
    let portal = Portal::new(rollup.deposit_contract_address, &l1);
    let approval = Token::new(token, &l1).approve(*portal.address(), U256::MAX).send().await.unwrap();
    approval.get_receipt().await.unwrap();
    let to = Address::repeat_byte(7);
    let data = Bytes::from_static(&[1, 2, 3]);
    let deposit = portal.depositERC20Transaction(to, U256::from(9), U256::from(5), 100_000, false, data.clone());
    let receipt = deposit.send().await.unwrap().get_receipt().await.unwrap();
    let log = receipt.logs().iter().find(|log| log.address() == *portal.address()).unwrap();
    let (hash, index) = (log.block_hash.unwrap(), log.log_index.unwrap());
    let deposit = decode_deposit(hash, index, &log.inner).unwrap();
    assert_eq!((deposit.from, deposit.to), (payer.address(), TxKind::Call(to)));
    assert_eq!((deposit.mint, deposit.value, deposit.gas_limit), (9, U256::from(5), 100_000));
    assert_eq!(deposit.input, data);

    // The events since the contract's creation lead to the configuration that rollup.json starts from.
    let l1 = connect(DEPLOYER_KEY);
    let current = async || {
        let filter = Filter::new().address(rollup.l1_system_config_address).from_block(0);
        let mut config = SystemConfig::default();
        for log in l1.get_logs(&filter.event_signature(CONFIG_UPDATE_TOPIC)).await.unwrap() {
            ConfigUpdate::decode(&log.inner).unwrap().apply(&mut config);
        }
        config
    };
    assert_eq!(current().await, rollup.genesis.system_config);

    let contract = Config::new(rollup.l1_system_config_address, &l1);
    contract.setBatcherHash(to.into_word()).send().await.unwrap().get_receipt().await.unwrap();
    contract.setGasConfigEcotone(3, 4).send().await.unwrap().get_receipt().await.unwrap();
    contract.setOperatorFeeScalars(5, 6).send().await.unwrap().get_receipt().await.unwrap();
    contract.setDAFootprintGasScalar(7).send().await.unwrap().get_receipt().await.unwrap();
    let mut expected = rollup.genesis.system_config.with_scalars(3, 4).with_operator_fee(5, 6);
    expected.batcher_address = to;
    expected.da_footprint_gas_scalar = 7;
    assert_eq!(current().await, expected);
}
