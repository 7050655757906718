//! Batches for an L1 that makes no blocks: as many are on their way as `--max-pending-tx` says, and the others follow when it does.

use alloy::{
    eips::Encodable2718 as _,
    network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _},
    primitives::{hex, keccak256},
    providers::{Provider as _, ProviderBuilder},
    rpc::types::TransactionRequest,
};
use openledger_devnet::{Account, until};
use openledger_e2e::{Failure, Node, Rollup, Rpc, Runner, ensure};
use serde_json::json;
use std::{process::ExitCode, time::Duration};

/// Transactions, each of which nearly fills a batch transaction: their data does not compress.
const TRANSACTIONS: u64 = 8;
const DATA: u64 = 100_000;
/// What the flag says. The default is another.
const MAX_PENDING: usize = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let mut runner = Runner::default();
    let name = "batches_on_their_way_are_as_many_as_the_operator_allows";
    runner.scenario(name, Duration::from_secs(240), batches_wait()).await;
    runner.finish()
}

async fn batches_wait() -> Result<(), Failure> {
    let rollup = Rollup::deploy().await?;
    let node = rollup.sequencer("sequencer")?.with(&["--max-pending-tx", &MAX_PENDING.to_string()]);
    let _process = node.start().await?;
    let l1 = rollup.l1();
    l1.call("evm_setIntervalMining", json!([0])).await?;
    let last = send(&node).await?;

    until("batches in the L1's pool", 60, "see the log", async || {
        (pending(&l1).await.ok()? == MAX_PENDING).then_some(())
    })
    .await?;
    until("the others to be in line", 60, "see the log", async || {
        let backlog = node.metric("openledger_batcher_backlog_bytes").await?;
        (backlog > ((TRANSACTIONS - 1) * DATA) as f64).then_some(())
    })
    .await?;
    // Long enough for the batcher and for who sends its transactions to take several turns.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let waiting = pending(&l1).await?;
    ensure(waiting == MAX_PENDING, format!("{waiting} batches are on their way, {MAX_PENDING} are allowed"))?;

    l1.call("evm_setIntervalMining", json!([1])).await?;
    until("all of them to be safe", 90, "see the log", async || {
        let receipt = node.rpc.call("eth_getTransactionReceipt", json!([last])).await.ok()?;
        let block = receipt["blockNumber"].as_str()?.trim_start_matches("0x");
        (node.block("safe").await?.0 >= u64::from_str_radix(block, 16).ok()?).then_some(())
    })
    .await?;
    Ok(())
}

/// Sends the transactions and returns the hash of the last.
async fn send(node: &Node) -> Result<serde_json::Value, Failure> {
    let wallet = EthereumWallet::from(Account::role("alice").signer());
    let provider = ProviderBuilder::new().connect_http(format!("http://127.0.0.1:{}", node.port).parse()?);
    let chain = provider.get_chain_id().await?;
    let mut last = serde_json::Value::Null;
    for nonce in 0..TRANSACTIONS {
        let data: Vec<u8> = (0..DATA.div_ceil(32))
            .flat_map(|word| keccak256([nonce.to_be_bytes(), word.to_be_bytes()].concat()).0)
            .collect();
        let transaction = TransactionRequest::default()
            .with_to(Account::role("dave").address)
            .with_input(data)
            .with_nonce(nonce)
            .with_gas_limit(5_000_000)
            .with_chain_id(chain)
            .with_max_fee_per_gas(2_000_000_000)
            .with_max_priority_fee_per_gas(1);
        let raw = transaction.build(&wallet).await?.encoded_2718();
        last = node.rpc.call("eth_sendRawTransaction", json!([hex::encode_prefixed(raw)])).await?;
    }
    Ok(last)
}

/// Transactions in the L1's pool that the next block can hold.
async fn pending(l1: &Rpc) -> Result<usize, Failure> {
    let status = l1.call("txpool_status", json!([])).await?;
    let count = status["pending"].as_str().ok_or("txpool_status has no pending")?;
    Ok(usize::from_str_radix(count.trim_start_matches("0x"), 16)?)
}
