//! What an operator does. The port for that: who does not know the secret learns nothing, and who does turns sequencing and batches
//! off and on. And the signal to stop.

use alloy::{
    eips::Encodable2718 as _,
    network::{EthereumWallet, NetworkTransactionBuilder as _, TransactionBuilder as _},
    primitives::{U256, hex},
    providers::{Provider as _, ProviderBuilder},
    rpc::types::TransactionRequest,
};
use alloy_rpc_types_engine::{Claims, JwtSecret};
use openledger_devnet::{Account, until};
use openledger_e2e::{Failure, Node, Process, Rollup, Rpc, RpcFailure, Runner, ensure, openledger};
use openledger_testing::free_port;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    net::TcpStream,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::main]
async fn main() -> ExitCode {
    let mut runner = Runner::default();
    runner.scenario("an_operator_stops_and_starts_a_sequencer", Duration::from_secs(240), admin()).await;
    let name = "a_sequencer_that_is_told_to_stop_under_load_keeps_what_it_acknowledged";
    runner.scenario(name, Duration::from_secs(240), told_to_stop()).await;
    runner.finish()
}

/// A node and its operator.
struct Operated {
    node: Node,
    port: u16,
}

async fn admin() -> Result<(), Failure> {
    let rollup = Rollup::deploy().await?;
    let operated = |node: Node| -> Result<Operated, Failure> {
        let port = free_port();
        Ok(Operated { node: node.with(&["--admin-port", &port.to_string()]), port })
    };
    // Nothing is posted by itself.
    let sequencer = operated(rollup.sequencer("sequencer")?.with(&["--max-channel-duration", "100000"]))?;
    let mut process = sequencer.node.start().await?;
    strangers(&sequencer).await.map_err(|failure| failure.at("strangers"))?;
    sequencing(&sequencer).await.map_err(|failure| failure.at("sequencing"))?;
    flushing(&sequencer).await.map_err(|failure| failure.at("flushing"))?;
    logging(&sequencer).await.map_err(|failure| failure.at("logging"))?;
    stop(&mut process).await?;

    let sequencer = operated(rollup.sequencer("sequencer")?.with(&["--stopped"]))?;
    let _process = sequencer.node.start().await?;
    stopped(&sequencer).await.map_err(|failure| failure.at("stopped at the start"))?;
    batches(&sequencer).await.map_err(|failure| failure.at("batches"))?;

    let verifier = operated(rollup.verifier("verifier")?)?;
    let _verifying = verifier.node.start().await?;
    ensure(verifier.asks(&["sequencerActive"]).await? == "false", "a verifier makes blocks")?;
    let refused = verifier.is_refused(&["stopSequencer"]).await?;
    ensure(refused.contains("this node is no sequencer"), &refused)?;
    let info: Value = serde_json::from_str(&verifier.asks(&["nodeInfo"]).await?)?;
    ensure(info["role"] == "replica", &info)
}

/// Who has no token, an old one, or one of another secret.
async fn strangers(Operated { node, port }: &Operated) -> Result<(), Failure> {
    let file = node.datadir().join("jwt.hex");
    let mode = fs::metadata(&file)?.permissions().mode() & 0o777;
    ensure(mode == 0o600, format!("the secret has mode {mode:o}"))?;
    let secret = JwtSecret::from_file(&file)?;
    let signed = |secret: &JwtSecret, age: u64| {
        secret.encode(&Claims { iat: Claims::with_current_timestamp().iat - age, exp: None })
    };
    let (good, old) = (signed(&secret, 0)?, signed(&secret, 120)?);
    let other = signed(&JwtSecret::random(), 0)?;
    let http = reqwest::Client::new();
    let body = |method: &str| json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).to_string();
    let ask = async |token: Option<&str>, port: u16, method: &str| -> Result<(u16, String), Failure> {
        let request = http.post(format!("http://127.0.0.1:{port}")).header("content-type", "application/json");
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        let answer = request.body(body(method)).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    };
    for token in [None, Some(old.as_str()), Some(other.as_str()), Some("x"), Some(&"x".repeat(20_000))] {
        let (status, text) = ask(token, *port, "admin_stopSequencer").await?;
        ensure(status == 401 && !text.contains("jsonrpc"), format!("{token:?}: {status} {text}"))?;
    }
    ensure(
        http.get(format!("http://127.0.0.1:{port}/metrics")).send().await?.status() == 401,
        "metrics without a token",
    )?;
    let (status, text) = ask(Some(&good), *port, "admin_sequencerActive").await?;
    ensure(status == 200 && text.contains("true"), format!("{status} {text}"))?;
    // Either port has its own methods only.
    for (port, method) in [(*port, "eth_blockNumber"), (node.port, "admin_stopSequencer")] {
        let (_, text) = ask(Some(&good), port, method).await?;
        ensure(text.contains("-32601"), format!("{method}: {text}"))?;
    }
    let mut too_long = body("admin_setLogLevel");
    too_long.push_str(&" ".repeat(100_000));
    let request = http.post(format!("http://127.0.0.1:{port}")).bearer_auth(good).body(too_long);
    ensure(request.send().await?.status() == 413, "a body without bounds")
}

/// While it is stopped no blocks are made, and transactions wait.
async fn sequencing(operated: &Operated) -> Result<(), Failure> {
    let node = &operated.node;
    let head = operated.asks(&["stopSequencer"]).await?;
    ensure(
        node.block("latest").await.is_some_and(|(_, hash)| hash == head),
        format!("{head} is not the newest block"),
    )?;
    let again = operated.is_refused(&["stopSequencer"]).await?;
    ensure(again.contains("stopped already"), &again)?;

    let url = format!("http://127.0.0.1:{}", node.port);
    let provider = ProviderBuilder::new().wallet(Account::role("alice").signer()).connect_http(url.parse()?);
    let transfer = TransactionRequest::default().with_to(Account::role("dave").address).with_value(U256::from(1));
    let sent = provider.send_transaction(transfer).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure(node.block("latest").await.is_some_and(|(_, hash)| hash == head), "a block was made while it was stopped")?;
    ensure(node.metric("openledger_pool_pending").await == Some(1.0), "the transaction does not wait")?;
    ensure(node.metric("openledger_sequencer_active").await == Some(0.0), "the metric says that it is active")?;

    let wrong = operated.is_refused(&["startSequencer", &format!("{:#066x}", 1)]).await?;
    ensure(wrong.contains("does not match") && wrong.contains(&head), &wrong)?;
    ensure(operated.asks(&["sequencerActive"]).await? == "false", "a wrong hash started it")?;
    operated.asks(&["startSequencer", &head]).await?;
    let receipt = sent.with_timeout(Some(Duration::from_secs(30))).get_receipt().await?;
    ensure(receipt.status(), "the transfer failed")?;
    let again = operated.is_refused(&["startSequencer", &head]).await?;
    ensure(again.contains("runs already"), &again)?;
    let info: Value = serde_json::from_str(&operated.asks(&["nodeInfo"]).await?)?;
    ensure(info["role"] == "sequencer" && info["protocols"]["eth"]["network"].is_u64(), &info)?;
    ensure(operated.asks(&["peers"]).await? == "[]", "it has peers")
}

/// Blocks come to L1 when the operator says so, and not before.
async fn flushing(operated: &Operated) -> Result<(), Failure> {
    let node = &operated.node;
    ensure(node.metric("openledger_batches_posted_total").await == Some(0.0), "a batch was posted by itself")?;
    operated.asks(&["flushBatcher"]).await?;
    until("the blocks to become safe", 60, "see the batcher's log", async || {
        node.block("safe").await.filter(|(number, _)| *number > 0)
    })
    .await?;
    Ok(())
}

/// More is logged, at once; a slip changes nothing.
async fn logging(operated: &Operated) -> Result<(), Failure> {
    let debugs = || operated.node.log().contains("DEBUG");
    ensure(!debugs(), "it logged too much from the start")?;
    let slip = operated.is_refused(&["setLogLevel", "debgu"]).await?;
    ensure(slip.contains("`debgu` is not a level"), &slip)?;
    operated.asks(&["setLogLevel", "info,openledger_node=debug"]).await?;
    until("a line of level debug", 30, "see the log", async || debugs().then_some(())).await?;
    Ok(())
}

/// A sequencer that was started with `--stopped` waits for its operator.
async fn stopped(operated: &Operated) -> Result<(), Failure> {
    let before = operated.node.block("latest").await.ok_or("no answer")?;
    ensure(operated.asks(&["sequencerActive"]).await? == "false", "it makes blocks")?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure(operated.node.block("latest").await.as_ref() == Some(&before), "it made a block")?;
    operated.asks(&["startSequencer", &before.1]).await?;
    until("blocks", 30, "see the log", async || {
        operated.node.block("latest").await.filter(|(number, _)| *number > before.0 + 2)
    })
    .await?;
    Ok(())
}

/// While the batcher is stopped, blocks are made and none becomes safe.
async fn batches(operated: &Operated) -> Result<(), Failure> {
    let node = &operated.node;
    operated.asks(&["stopBatcher"]).await?;
    let refused = operated.is_refused(&["flushBatcher"]).await?;
    ensure(refused.contains("the batcher is stopped"), &refused)?;
    let (stopped_at, _) = node.block("latest").await.ok_or("no answer")?;
    // Three times as long as a batch waits for.
    let later = until("more blocks", 60, "see the log", async || {
        node.block("latest").await.filter(|(number, _)| *number > stopped_at + 6)
    })
    .await?;
    let (safe, _) = node.block("safe").await.ok_or("no answer")?;
    ensure(safe <= stopped_at, format!("block {safe} became safe, the batcher was stopped at {stopped_at}"))?;
    operated.asks(&["startBatcher"]).await?;
    until("the blocks to become safe", 60, "see the batcher's log", async || {
        node.block("safe").await.filter(|(number, _)| *number >= later.0)
    })
    .await?;
    Ok(())
}

/// SIGTERM while transactions arrive: the node ends well, leaves no lock, and has every transaction that it acknowledged. A second
/// one while it still waits for somebody ends it at once.
async fn told_to_stop() -> Result<(), Failure> {
    let rollup = Rollup::deploy().await?;
    let node = rollup.sequencer("sequencer")?;
    let mut process = node.start().await?;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let sending = tokio::spawn(send(node.rpc.clone(), node.port, acknowledged.clone()));
    let count = || acknowledged.lock().map_or(0, |hashes| hashes.len());
    until("transactions to be acknowledged", 30, "see the log", async || (count() > 100).then_some(())).await?;
    stop(&mut process).await?;
    sending.await??;
    node.check_database().await?;

    let mut process = node.start().await?;
    let hashes = acknowledged.lock().map_err(|error| error.to_string())?.clone();
    for hash in &hashes {
        let found = node.rpc.call("eth_getTransactionByHash", json!([hash])).await?;
        ensure(found["hash"] == *hash, format!("{hash} was acknowledged and is gone"))?;
    }
    until("all to be included", 60, "see the log", async || {
        let last = node.rpc.call("eth_getTransactionReceipt", json!([hashes.last()])).await.ok()?;
        (last["status"] == "0x1").then_some(())
    })
    .await?;

    // A client that does not finish its request is waited for.
    let mut slow = TcpStream::connect(("127.0.0.1", node.port))?;
    slow.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")?;
    // Its request has been read when one that came later is answered.
    node.rpc.once("eth_chainId", json!([])).await?;
    let lines = node.log().matches("told to stop (SIGTERM)").count();
    terminate(&process)?;
    until("the node to begin to stop", 10, "see its log", async || {
        (node.log().matches("told to stop (SIGTERM)").count() > lines).then_some(())
    })
    .await?;
    terminate(&process)?;
    let status = process.ends(Duration::from_secs(30)).await?;
    ensure(status.signal() == Some(Signal::KILL.as_raw()), format!("it ended with {status}:\n{}", process.tail()))?;
    node.check_database().await
}

/// Sends transfers one after the other until nobody answers, and notes which were acknowledged.
async fn send(rpc: Rpc, port: u16, acknowledged: Arc<Mutex<Vec<Value>>>) -> Result<(), Failure> {
    let url = format!("http://127.0.0.1:{port}");
    let wallet = EthereumWallet::from(Account::role("alice").signer());
    let provider = ProviderBuilder::new().connect_http(url.parse()?);
    let chain = provider.get_chain_id().await?;
    for nonce in 0.. {
        let transfer = TransactionRequest::default()
            .with_to(Account::role("dave").address)
            .with_value(U256::from(1))
            .with_nonce(nonce)
            .with_gas_limit(21_000)
            .with_chain_id(chain)
            .with_max_fee_per_gas(2_000_000_000)
            .with_max_priority_fee_per_gas(1);
        let raw = transfer.build(&wallet).await?.encoded_2718();
        match rpc.call("eth_sendRawTransaction", json!([hex::encode_prefixed(raw)])).await {
            Ok(hash) => acknowledged.lock().map_err(|error| error.to_string())?.push(hash),
            Err(RpcFailure::Connection(_)) => break,
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(())
}

fn terminate(process: &Process) -> Result<(), Failure> {
    Ok(kill_process(Pid::from_raw(process.id().cast_signed()).ok_or("no process id")?, Signal::TERM)?)
}

async fn stop(process: &mut Process) -> Result<(), Failure> {
    terminate(process)?;
    let status = process.ends(Duration::from_secs(30)).await?;
    ensure(status.success(), format!("it stopped with {status}:\n{}", process.tail()))
}

impl Operated {
    /// What `openledger admin` prints, if it succeeds.
    async fn asks(&self, words: &[&str]) -> Result<String, Failure> {
        self.run(words).await?.map_err(|error| format!("{words:?}: {error}").into())
    }

    /// What `openledger admin` complains about.
    async fn is_refused(&self, words: &[&str]) -> Result<String, Failure> {
        self.run(words).await?.err().ok_or_else(|| format!("{words:?} was not refused").into())
    }

    async fn run(&self, words: &[&str]) -> Result<Result<String, String>, Failure> {
        let mut command = openledger();
        command
            .args(["admin", "--admin-port", &self.port.to_string(), "--datadir"])
            .arg(self.node.datadir())
            .args(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Ok(if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) })
    }
}
