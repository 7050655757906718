//! A replica in front of users: it has the newest blocks, forwards, outlives the sequencer, and its database passes the check.

use alloy::{
    network::TransactionBuilder as _,
    primitives::U256,
    providers::{Provider as _, ProviderBuilder},
    rpc::types::TransactionRequest,
};
use openledger_devnet::{Account, until};
use openledger_e2e::{Failure, Node, Rollup, Runner, ensure, openledger};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{process::ExitCode, time::Duration};

#[tokio::main]
async fn main() -> ExitCode {
    let mut runner = Runner::default();
    runner.scenario("a_replica_follows_forwards_and_outlives_the_sequencer", Duration::from_secs(240), replica()).await;
    runner.finish()
}

async fn replica() -> Result<(), Failure> {
    let rollup = Rollup::deploy().await?;
    let sequencer = rollup.sequencer("sequencer")?;
    let mut sequencing = sequencer.start().await?;
    let node = rollup.replica("node", &sequencer)?;
    let mut following = node.start().await?;
    until("blocks that L1 does not hold yet", 60, "see the node's log", async || {
        let (latest, safe) = (number(&node, "latest").await?, number(&node, "safe").await?);
        (latest > 3 && latest > safe).then_some(())
    })
    .await?;

    // A wallet that knows the replica only.
    let provider = ProviderBuilder::new().wallet(Account::role("alice").signer()).connect_http(url(&node).parse()?);
    let transfer = TransactionRequest::default().with_to(Account::role("dave").address).with_value(U256::from(1));
    let sent = provider.send_transaction(transfer.clone()).await?;
    let receipt = sent.with_timeout(Some(Duration::from_secs(30))).get_receipt().await?;
    ensure(receipt.status(), "the transfer failed")?;
    let block = receipt.block_number.ok_or("the receipt names no block")?;
    same_block(&node, &sequencer, block).await?;
    let ready = reqwest::get(format!("{}/ready", url(&node))).await?;
    ensure(ready.status() == 200, format!("the node is not ready: {}", ready.text().await?))?;

    sequencing.kill()?;
    let refused = provider.send_transaction(transfer).await.err().ok_or("a transaction went to nobody")?;
    ensure(refused.to_string().contains("-32002"), format!("the error is {refused}"))?;
    let before = number(&node, "latest").await.ok_or("the node does not answer without the sequencer")?;
    sequencing = sequencer.start().await?;
    until("the node to follow again", 60, "see its log", async || {
        (number(&node, "latest").await? > before + 1).then_some(())
    })
    .await?;
    same_block(&node, &sequencer, before + 1).await?;
    until("L1 to confirm the transfer", 60, "see the batcher's log", async || {
        (number(&node, "safe").await? >= block).then_some(())
    })
    .await?;
    let faults = node.rpc.call("openledger_faults", json!([])).await?;
    ensure(faults == json!([]), format!("the node found {faults}"))?;
    sequencing.runs()?;

    // Somebody who comes late is told how far it is.
    until("an L1 that takes a while to read", 60, "see the L1's log", async || {
        (node.metric("openledger_l1_head").await? > 15.0).then_some(())
    })
    .await?;
    let late = rollup.verifier("late")?;
    let mut reading = late.start().await?;
    until("the verifier to catch up", 60, "see its log", async || {
        late.log().contains("caught up with L1: ").then_some(())
    })
    .await?;
    let log = late.log();
    let said = log.lines().find(|line| line.contains("catching up with L1: derived L2 block ")).unwrap_or_default();
    ensure(said.contains(" of about ") && said.contains("L1 block "), format!("it said nothing on its way:\n{log}"))?;
    let (safe, _) = late.block("safe").await.ok_or("the verifier does not answer")?;
    ensure(safe >= block, format!("it had caught up at block {safe}, and {block} is safe"))?;
    reading.kill()?;

    // So is whoever takes the blocks from another node.
    let behind = rollup.replica("behind", &sequencer)?;
    let mut taking = behind.start().await?;
    until("the node to take the blocks that there are", 60, "see its log", async || {
        behind.log().contains("caught up with the source of unsafe blocks: L2 block ").then_some(())
    })
    .await?;
    let log = behind.log();
    let on_its_way = log.contains("catching up with the source of unsafe blocks: executed L2 block ");
    ensure(on_its_way, format!("it said nothing on its way:\n{log}"))?;
    taking.kill()?;

    let check = || openledger().args(["db", "check", "--datadir"]).arg(node.datadir()).output();
    let held = check()?;
    let reason = String::from_utf8_lossy(&held.stderr);
    ensure(!held.status.success() && reason.contains("in use by another process"), &reason)?;
    kill_process(Pid::from_raw(following.id().cast_signed()).ok_or("no process id")?, Signal::TERM)?;
    let status = following.ends(Duration::from_secs(30)).await?;
    ensure(status.success(), format!("the node stopped with {status}:\n{}", following.tail()))?;
    let checked = check()?;
    let said = String::from_utf8_lossy(&checked.stdout);
    let complaint = String::from_utf8_lossy(&checked.stderr);
    ensure(checked.status.success() && said.contains("state root"), format!("{said}{complaint}"))
}

/// Number of the block with a tag.
async fn number(node: &Node, tag: &str) -> Option<u64> {
    let block = node.rpc.call("eth_getBlockByNumber", json!([tag, false])).await.ok()?;
    u64::from_str_radix(block["number"].as_str()?.trim_start_matches("0x"), 16).ok()
}

async fn same_block(one: &Node, other: &Node, number: u64) -> Result<(), Failure> {
    let ask = async |node: &Node| -> Result<Value, Failure> {
        Ok(node.rpc.call("eth_getBlockByNumber", json!([format!("{number:#x}"), true])).await?)
    };
    let (ours, theirs) = (ask(one).await?, ask(other).await?);
    ensure(!ours.is_null() && ours == theirs, format!("block {number} is {ours} here and {theirs} there"))
}

fn url(node: &Node) -> String {
    format!("http://127.0.0.1:{}", node.port)
}
