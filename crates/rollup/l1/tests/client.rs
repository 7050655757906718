//! Reading L1, on a real anvil.

mod support;

use std::{sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, hex};
use op_alloy_consensus::{TxDeposit, UserDepositSource};
use openledger_batch::{CONFIG_UPDATE_TOPIC, ConfigUpdate, TRANSACTION_DEPOSITED_TOPIC, encode_opaque_data};
use openledger_derivation::Severity;
use openledger_l1::{L1Client, L1ClientConfig, L1Error};
use serde_json::json;
use support::*;

/// Emits a log with 4 topics: `topics ‖ data` is the calldata.
const LOG4: &[u8] = &hex!("6080360360805f376060356040356020355f35608036035fa400");
/// Emits a log with 3 topics.
const LOG3: &[u8] = &hex!("6060360360605f376040356020355f35606036035fa300");
const SENDER: Address = Address::repeat_byte(0x51);

fn client(url: &str) -> L1Client {
    let config = L1ClientConfig { timeout: Duration::from_secs(2), ..Default::default() };
    L1Client::new(url, Arc::new(rollup()), config).unwrap()
}

fn abi_encode(content: &[u8]) -> Vec<u8> {
    let mut out = U256::from(32).to_be_bytes_vec();
    out.extend(U256::from(content.len()).to_be_bytes::<32>());
    out.extend(content);
    out.resize(out.len().next_multiple_of(32), 0);
    out
}

fn deposit_call(version: u8, mint: u64) -> Bytes {
    let opaque = encode_opaque_data(U256::from(mint), U256::from(2), 100_000, false, &[0xda, 0x7a]);
    let recipient = Address::repeat_byte(0x52);
    let topics =
        [TRANSACTION_DEPOSITED_TOPIC, SENDER.into_word(), recipient.into_word(), B256::with_last_byte(version)];
    [topics.concat(), abi_encode(&opaque)].concat().into()
}

fn update_call(kind: u8, value: u64) -> Bytes {
    let topics = [CONFIG_UPDATE_TOPIC, B256::ZERO, B256::with_last_byte(kind)];
    [topics.concat(), abi_encode(&U256::from(value).to_be_bytes::<32>())].concat().into()
}

async fn scene() -> Anvil {
    let anvil = Anvil::start(&["--no-mining"]);
    anvil.rpc("anvil_setCode", json!([PORTAL, Bytes::from_static(LOG4)])).await;
    anvil.rpc("anvil_setCode", json!([SYSTEM_CONFIG, Bytes::from_static(LOG3)])).await;
    anvil
}

#[tokio::test]
async fn a_block_is_verified_and_what_concerns_the_rollup_taken_out() {
    let anvil = scene().await;
    let gas = "0x30d40";
    let payload = Bytes::from_static(&[0, 1, 2, 3]);
    // All kinds of transactions, in one block. Gas prices decide the order.
    let price = |gwei: u64| U256::from(gwei * 1_000_000_000);
    anvil.send(0, json!({"to": PORTAL, "data": deposit_call(0, 7), "gas": gas, "gasPrice": price(50)})).await;
    anvil.send(1, json!({"to": INBOX, "data": payload, "gas": gas, "maxFeePerGas": price(40), "maxPriorityFeePerGas": price(40)})).await;
    anvil.send(2, json!({"to": SYSTEM_CONFIG, "data": update_call(6, 99), "gas": gas, "gasPrice": price(30), "accessList": []})).await;
    // The same events from elsewhere, and a call that fails, mean nothing.
    anvil.rpc("anvil_setCode", json!([SENDER, Bytes::from_static(LOG4)])).await;
    anvil.send(3, json!({"to": SENDER, "data": deposit_call(0, 8), "gas": gas, "gasPrice": price(20)})).await;
    anvil.send(4, json!({"to": PORTAL, "data": deposit_call(0, 9), "gas": "0x6270", "gasPrice": price(15)})).await;
    anvil.send(5, json!({"to": PORTAL, "data": deposit_call(0, 10), "gas": gas, "gasPrice": price(10)})).await;
    anvil.mine(1).await;

    let client = client(&anvil.url());
    client.check_chain().await.unwrap();
    let input = client.input(1).await.unwrap().unwrap();
    let head = client.head().await.unwrap();
    assert_eq!((input.info.block, head.number), (head, 1));
    let accounts: Vec<Address> = serde_json::from_value(anvil.rpc("eth_accounts", json!([])).await).unwrap();
    assert_eq!(input.inbox.len(), 1);
    assert_eq!((input.inbox[0].sender, &input.inbox[0].payload), (accounts[1], &payload));
    let receipt = anvil.rpc("eth_getTransactionReceipt", json!([input.inbox[0].hash])).await;
    assert_eq!(receipt["blockNumber"], "0x1");
    let deposit = |mint, index| TxDeposit {
        source_hash: UserDepositSource::new(head.hash, index).source_hash(),
        from: SENDER,
        to: TxKind::Call(Address::repeat_byte(0x52)),
        mint,
        value: U256::from(2),
        gas_limit: 100_000,
        is_system_transaction: false,
        input: Bytes::from_static(&[0xda, 0x7a]),
    };
    // Logs are counted over the block: the deposits' are the first and the fourth.
    assert_eq!(input.deposits, [deposit(7, 0), deposit(10, 3)]);
    assert_eq!(input.config_updates, [ConfigUpdate::MinBaseFee(99)]);

    let block = anvil.rpc("eth_getBlockByNumber", json!(["0x1", false])).await;
    let quantity = |field: &str| block[field].as_str().map(|text| text.parse::<U256>().unwrap()).unwrap();
    assert_eq!(U256::from(input.info.base_fee), quantity("baseFeePerGas"));
    assert_eq!(input.info.blob_base_fee, 1);
    assert_eq!(json!(input.info.prev_randao), block["mixHash"]);
    assert_eq!(json!(input.info.parent_beacon_block_root), block["parentBeaconBlockRoot"]);

    assert_eq!(client.input(2).await.unwrap(), None);
    assert_eq!(client.block(2).await.unwrap(), None);
    let (safe, finalized) = client.settled().await.unwrap();
    assert!(finalized.number <= safe.number && safe.number <= head.number);
}

#[tokio::test]
async fn every_block_of_anvil_from_genesis_on_can_be_verified() {
    for hardfork in ["prague", "cancun", "osaka"] {
        let anvil = Anvil::start(&["--hardfork", hardfork]);
        anvil.mine(3).await;
        anvil.send_mined(0, json!({"to": INBOX, "data": "0x00"})).await;
        let client = client(&anvil.url());
        for number in 0..=4 {
            let input = client.input(number).await.unwrap().unwrap();
            assert_eq!(input.info.block.number, number, "{hardfork}");
            assert_eq!(input.inbox.len(), usize::from(number == 4));
        }
    }
}

#[tokio::test]
async fn a_lying_node_is_not_believed() {
    let anvil = scene().await;
    anvil.send(0, json!({"to": PORTAL, "data": deposit_call(0, 7), "gas": "0x30d40"})).await;
    anvil.send(1, json!({"to": INBOX, "data": "0x00112233", "gas": "0x30d40"})).await;
    anvil.mine(1).await;
    let proxy = Proxy::start(anvil.port()).await;
    let inconsistent = async |from: &str, to: &str| {
        proxy.set(Mode::Tamper(from.into(), to.into()));
        match client(&proxy.url()).input(1).await {
            Err(error @ L1Error::Inconsistent { what, .. }) => {
                assert_eq!(error.severity(), Severity::Temporary);
                what
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(inconsistent("00112233", "00112234").await, "transactions root");
    assert_eq!(inconsistent("\"gasLimit\":\"0x1", "\"gasLimit\":\"0x2").await, "header hash");
    // A log's data begins with the offset of its content; that of the call's does not follow `"data":"0x` in the block.
    proxy.set(Mode::Pass);
    client(&proxy.url()).input(1).await.unwrap().unwrap();
    let what = inconsistent(
        &format!("\"data\":\"0x{}", hex::encode(&abi_encode(&[0; 75])[..64])),
        &format!("\"data\":\"0x{}", hex::encode(&abi_encode(&[0; 74])[..64])),
    )
    .await;
    assert_eq!(what, "receipts root");
}

#[tokio::test]
async fn a_malformed_deposit_of_our_portal_stops_the_node() {
    let anvil = scene().await;
    anvil.send(0, json!({"to": PORTAL, "data": deposit_call(1, 7), "gas": "0x30d40"})).await;
    anvil.mine(1).await;
    let error = client(&anvil.url()).input(1).await.unwrap_err();
    assert!(matches!(error, L1Error::MalformedLog { contract: PORTAL, .. }));
    assert_eq!(error.severity(), Severity::Critical);
}

#[tokio::test]
async fn a_reorganised_block_has_vanished() {
    let anvil = Anvil::start(&[]);
    anvil.mine(2).await;
    let client = client(&anvil.url());
    let old = client.block(2).await.unwrap().unwrap();
    // The block is taken back and another one mined in its place.
    anvil.rpc("anvil_rollback", json!([1])).await;
    anvil.send_mined(0, json!({"to": INBOX, "data": "0x00"})).await;
    let new = client.block(2).await.unwrap().unwrap();
    assert_ne!(old.hash, new.hash);
    let error = client.input_by_hash(old.hash).await.unwrap_err();
    assert_eq!(error, L1Error::Vanished(old.hash));
    assert_eq!(error.severity(), Severity::Reset);
}

#[tokio::test]
async fn an_absent_l1_is_temporary_and_the_wrong_one_is_not() {
    let anvil = Anvil::start(&[]);
    let proxy = Proxy::start(anvil.port()).await;
    let through = client(&proxy.url());
    proxy.set(Mode::Down);
    let error = through.head().await.unwrap_err();
    assert!(matches!(error, L1Error::Unreachable { .. }), "{error}");
    assert_eq!(error.severity(), Severity::Temporary);
    assert!(!error.to_string().contains(&proxy.url()), "{error}");
    proxy.set(Mode::Hang);
    assert_eq!(through.head().await, Err(L1Error::Timeout { method: "eth_getBlockByNumber", seconds: 2 }));
    proxy.set(Mode::Pass);
    through.head().await.unwrap();

    let mut other = rollup();
    other.l1_chain_id = 5;
    let wrong = L1Client::new(&anvil.url(), Arc::new(other), Default::default()).unwrap();
    assert_eq!(wrong.check_chain().await, Err(L1Error::WrongChain { expected: 5, found: CHAIN_ID }));
    assert!(matches!(L1Client::new("nowhere", Arc::new(rollup()), Default::default()), Err(L1Error::InvalidUrl(_))));
}
