//! The transaction manager, on a real anvil.

mod support;

use std::time::Duration;

use alloy::{
    providers::Provider as _,
    rpc::types::{BlockNumberOrTag, TransactionReceipt},
    signers::local::PrivateKeySigner,
};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use openledger_l1::{Confirmed, GasLimit, TxError, TxManager, TxManagerConfig, TxRequest};
use serde_json::json;
use support::*;

fn config() -> TxManagerConfig {
    TxManagerConfig {
        poll_interval: Duration::from_millis(50),
        resubmit_after: Duration::from_millis(400),
        request_timeout: Duration::from_secs(2),
        ..TxManagerConfig::new(CHAIN_ID, Duration::from_secs(2))
    }
}

fn request(tag: u8) -> TxRequest {
    TxRequest { to: INBOX, data: vec![0, tag].into(), ..Default::default() }
}

fn manager(url: &str, key: &PrivateKeySigner) -> TxManager {
    TxManager::spawn(url, key.clone(), config()).unwrap()
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it takes no longer than this")
}

async fn wait_for(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain for {what}");
}

/// The tags of the transactions to the inbox on L1, in order.
async fn on_l1(anvil: &Anvil) -> Vec<u8> {
    let head = anvil.provider.get_block_number().await.unwrap();
    let mut tags = Vec::new();
    for number in 1..=head {
        let block = anvil.rpc("eth_getBlockByNumber", json!([U256::from(number), true])).await;
        for transaction in block["transactions"].as_array().unwrap() {
            if transaction["to"] == json!(INBOX) {
                tags.push(*hex::decode(transaction["input"].as_str().unwrap()).unwrap().last().unwrap());
            }
        }
    }
    tags
}

async fn pooled(anvil: &Anvil) -> usize {
    let status = anvil.rpc("txpool_status", json!([])).await;
    let count = |field: &str| usize::from_str_radix(&status[field].as_str().unwrap()[2..], 16).unwrap();
    count("pending") + count("queued")
}

#[tokio::test]
async fn transactions_keep_their_order_and_are_accounted_for() {
    let anvil = Anvil::start(&["--block-time", "1"]);
    let key = funded_key(&anvil).await;
    let manager = manager(&anvil.url(), &key);
    let submitted: Vec<_> = (0..12).map(|tag| manager.submit(request(tag))).collect();
    let mut outcomes: Vec<Confirmed> = Vec::new();
    for outcome in submitted {
        outcomes.push(within(outcome).await.unwrap());
    }
    assert_eq!(on_l1(&anvil).await, (0..12).collect::<Vec<_>>());
    assert!(outcomes.windows(2).all(|pair| pair[0].block.number <= pair[1].block.number));
    let receipt: TransactionReceipt = anvil.provider.get_transaction_receipt(outcomes[5].hash).await.unwrap().unwrap();
    assert_eq!(receipt.block_hash, Some(outcomes[5].block.hash));
    assert_eq!(outcomes[5].cost, receipt.effective_gas_price * u128::from(receipt.gas_used));
    let balance = anvil.provider.get_balance(key.address()).await.unwrap();
    let spent: u128 = outcomes.iter().map(|outcome| outcome.cost).sum();
    assert_eq!(U256::from(10).pow(U256::from(20)) - balance, U256::from(spent));
    assert_eq!(manager.status().confirmed, 12);
    assert!(manager.status().balance.is_some());
}

#[tokio::test]
async fn a_transaction_that_waits_is_replaced_at_a_higher_price() {
    let anvil = Anvil::start(&["--no-mining"]);
    let key = funded_key(&anvil).await;
    let manager = manager(&anvil.url(), &key);
    let first = manager.submit(request(1));
    let second = manager.submit(request(2));
    wait_for("a higher price", async || manager.status().resubmitted >= 4).await;
    assert_eq!(pooled(&anvil).await, 2, "versions replace each other");
    anvil.mine(1).await;
    let [first, second] = [within(first).await.unwrap(), within(second).await.unwrap()];
    assert_eq!(on_l1(&anvil).await, [1, 2]);
    assert_eq!(anvil.nonce(key.address()).await, 2);
    let included = anvil.provider.get_transaction_by_hash(first.hash).await.unwrap().unwrap();
    assert_eq!(included.block_hash, Some(first.block.hash));
    assert_ne!(first.hash, second.hash);
}

#[tokio::test]
async fn a_jump_of_the_base_fee_is_followed() {
    let anvil = Anvil::start(&["--no-mining"]);
    let key = funded_key(&anvil).await;
    let manager = manager(&anvil.url(), &key);
    let outcome = manager.submit(request(1));
    wait_for("the transaction", async || pooled(&anvil).await == 1).await;
    anvil.rpc("anvil_setNextBlockBaseFeePerGas", json!([U256::from(50_000_000_000u64)])).await;
    anvil.mine(1).await;
    let resubmitted = manager.status().resubmitted;
    wait_for("a higher price", async || manager.status().resubmitted > resubmitted).await;
    anvil.mine(1).await;
    within(outcome).await.unwrap();
    assert_eq!(on_l1(&anvil).await, [1]);
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_while_l1_is_away() {
    let anvil = Anvil::start(&["--block-time", "1"]);
    let key = funded_key(&anvil).await;
    let proxy = Proxy::start(anvil.port()).await;
    let manager = manager(&proxy.url(), &key);
    within(manager.send(request(0))).await.unwrap();
    proxy.set(Mode::Down);
    let first = manager.submit(request(1));
    wait_for("its absence to be noticed", async || !manager.status().reachable).await;
    let second = manager.submit(request(2));
    // L1 takes transactions, but nobody learns of it.
    proxy.set(Mode::LoseAnswers);
    tokio::time::sleep(Duration::from_millis(600)).await;
    proxy.set(Mode::Pass);
    within(first).await.unwrap();
    within(second).await.unwrap();
    let third = manager.submit(request(3));
    tokio::time::sleep(Duration::from_millis(120)).await;
    proxy.set(Mode::Hang);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    proxy.set(Mode::Pass);
    within(third).await.unwrap();
    assert_eq!(on_l1(&anvil).await, [0, 1, 2, 3]);
    assert_eq!(anvil.nonce(key.address()).await, 4);
}

#[tokio::test]
async fn after_a_rollback_of_l1_everything_stands_there_once() {
    let anvil = Anvil::start(&[]);
    let key = funded_key(&anvil).await;
    let manager = manager(&anvil.url(), &key);
    within(manager.send(request(0))).await.unwrap();
    let snapshot = anvil.rpc("evm_snapshot", json!([])).await;
    for tag in 1..4 {
        within(manager.send(request(tag))).await.unwrap();
    }
    assert_eq!(anvil.nonce(key.address()).await, 4);
    anvil.rpc("evm_revert", json!([snapshot])).await;
    assert_eq!(anvil.nonce(key.address()).await, 1);
    // With the next transaction the lost ones come back, byte by byte.
    within(manager.send(request(4))).await.unwrap();
    assert_eq!(on_l1(&anvil).await, [0, 1, 2, 3, 4]);
    assert_eq!(anvil.nonce(key.address()).await, 5);
}

#[tokio::test]
async fn an_l1_that_begins_anew_gets_new_nonces() {
    let anvil = Anvil::start(&[]);
    let key = funded_key(&anvil).await;
    let proxy = Proxy::start(anvil.port()).await;
    let manager = manager(&proxy.url(), &key);
    within(manager.send(request(0))).await.unwrap();
    // The account has no history any more and no money for what is remembered.
    anvil.rpc("anvil_reset", json!([])).await;
    assert_eq!(anvil.nonce(key.address()).await, 0);
    let outcome = manager.submit(request(1));
    tokio::time::sleep(Duration::from_millis(300)).await;
    anvil.fund(key.address(), U256::from(10).pow(U256::from(20))).await;
    within(outcome).await.unwrap();
    assert_eq!(on_l1(&anvil).await.last(), Some(&1));
}

#[tokio::test]
async fn a_new_process_waits_for_what_the_old_one_left_behind() {
    let anvil = Anvil::start(&["--no-mining"]);
    let key = funded_key(&anvil).await;
    let old = manager(&anvil.url(), &key);
    let abandoned = old.submit(request(1));
    wait_for("the transaction", async || pooled(&anvil).await == 1).await;
    drop((old, abandoned));
    let new = manager(&anvil.url(), &key);
    let outcome = new.submit(request(2));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(pooled(&anvil).await, 1);
    anvil.mine(1).await;
    wait_for("the second transaction", async || pooled(&anvil).await == 1).await;
    anvil.mine(1).await;
    within(outcome).await.unwrap();
    assert_eq!(on_l1(&anvil).await, [1, 2]);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let anvil = Anvil::start(&[]);
    let key = funded_key(&anvil).await;
    let manager = manager(&anvil.url(), &key);
    // revert(0, 0)
    let reverting = Address::repeat_byte(0xee);
    anvil.rpc("anvil_setCode", json!([reverting, Bytes::from_static(&hex!("5f5ffd"))])).await;
    let call = TxRequest { to: reverting, ..Default::default() };
    assert!(matches!(within(manager.send(call.clone())).await, Err(TxError::WouldRevert(_))));
    assert_eq!(anvil.nonce(key.address()).await, 0);
    let forced = TxRequest { gas_limit: GasLimit::Fixed(100_000), ..call };
    assert!(matches!(within(manager.send(forced)).await, Err(TxError::Reverted { .. })));
    let impossible = TxRequest { gas_limit: GasLimit::Fixed(20_000), ..request(0) };
    assert!(matches!(within(manager.send(impossible)).await, Err(TxError::Rejected(_))));
    within(manager.send(request(1))).await.unwrap();
    assert_eq!(anvil.nonce(key.address()).await, 2);
}

#[tokio::test]
async fn the_gas_of_data_is_known_and_estimated_only_if_l1_disagrees() {
    let anvil = Anvil::start(&[]);
    let key = funded_key(&anvil).await;
    let proxy = Proxy::start(anvil.port()).await;
    let manager = manager(&proxy.url(), &key);
    let asked = |method: &str| proxy.methods.lock().iter().filter(|asked| *asked == method).count();
    let data = |tag: u8| {
        let bytes = [vec![0; 500], vec![7; 3000], vec![tag]].concat();
        TxRequest { to: INBOX, data: bytes.into(), gas_limit: GasLimit::Calldata, ..Default::default() }
    };
    // EIP-7623: ten gas for a zero, forty for any other byte.
    let expected = 21_000 + 10 * 500 + 40 * 3001;
    let confirmed = within(manager.send(data(1))).await.unwrap();
    assert_eq!((confirmed.gas_used, asked("eth_estimateGas")), (expected, 0));
    let sent = anvil.rpc("eth_getTransactionByHash", json!([confirmed.hash])).await;
    assert_eq!(sent["gas"], json!(U256::from(expected * 6 / 5)));

    proxy.set(Mode::RefuseOnce("eth_sendRawTransaction", "intrinsic gas too low"));
    let confirmed = within(manager.send(data(2))).await.unwrap();
    assert_eq!((confirmed.gas_used, asked("eth_estimateGas")), (expected, 1));
    assert_eq!(on_l1(&anvil).await, [1, 2]);
    assert_eq!(anvil.nonce(key.address()).await, 2);
}

#[tokio::test]
async fn a_foreign_transaction_with_our_nonce_is_reported() {
    let anvil = Anvil::start(&["--no-mining"]);
    let key = funded_key(&anvil).await;
    let manager = manager(&anvil.url(), &key);
    let outcome = manager.submit(request(1));
    wait_for("the transaction", async || pooled(&anvil).await == 1).await;
    anvil.rpc("anvil_setNonce", json!([key.address(), "0x1"])).await;
    assert_eq!(within(outcome).await, Err(TxError::NonceTaken { account: key.address(), nonce: 0 }));
    let next = manager.submit(request(2));
    wait_for("the next transaction", async || manager.status().pending == 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    anvil.mine(1).await;
    within(next).await.unwrap();
}

#[tokio::test]
async fn an_account_without_money_waits_for_it() {
    let anvil = Anvil::start(&[]);
    let key = PrivateKeySigner::random();
    let manager = manager(&anvil.url(), &key);
    let outcome = manager.submit(TxRequest { gas_limit: GasLimit::Fixed(30_000), ..request(1) });
    wait_for("the balance", async || manager.status().balance == Some(U256::ZERO)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(manager.status().pending, 1);
    anvil.fund(key.address(), U256::from(10).pow(U256::from(18))).await;
    within(outcome).await.unwrap();
}

#[tokio::test]
async fn confirmations_are_waited_for() {
    let anvil = Anvil::start(&[]);
    let key = funded_key(&anvil).await;
    let deep = TxManagerConfig { confirmations: 3, ..config() };
    let manager = TxManager::spawn(&anvil.url(), key, deep).unwrap();
    let mut outcome = manager.submit(request(1));
    wait_for("inclusion", async || on_l1(&anvil).await == [1]).await;
    anvil.mine(1).await;
    assert!(tokio::time::timeout(Duration::from_millis(400), &mut outcome).await.is_err());
    anvil.mine(1).await;
    let confirmed = within(outcome).await.unwrap();
    let head = anvil.provider.get_block_by_number(BlockNumberOrTag::Latest).await.unwrap().unwrap();
    assert_eq!(head.header.number, confirmed.block.number + 2);
    assert_ne!(confirmed.block.hash, B256::ZERO);
}
