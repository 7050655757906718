//! The JSON-RPC over real sockets, in front of a real chain.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use alloy_primitives::{B256, keccak256};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use openledger_rpc::{Limits, RpcServer};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::actors::{Actor, RECIPIENT, user};
use crate::{Chain, api::NodeApi, control::SequencerControl};

/// A node with blocks and transfers, and its RPC.
pub(super) struct Served {
    pub(super) actor: Actor,
    pub(super) url: String,
    pub(super) http: reqwest::Client,
    serving: Serving,
    // What the database writes as it is closed would make a new folder of one that is removed before.
    _datadir: tempfile::TempDir,
}

/// Dropping it ends the server, and waits until nothing that it was doing holds the chain.
struct Serving {
    server: Option<RpcServer>,
    chain: Weak<Chain>,
}

impl Serving {
    fn server(&self) -> &RpcServer {
        self.server.as_ref().expect("it is taken at the end")
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let server = self.server.take();
        let ended = async {
            // Its methods hold the chain, too.
            if let Some(server) = server {
                server.stop().await;
            }
            while self.chain.strong_count() > 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let ended = async { tokio::time::timeout(Duration::from_secs(10), ended).await };
        // A test that failed may hold a part of the node.
        let _ = tokio::task::block_in_place(|| Handle::current().block_on(ended));
    }
}

impl Served {
    pub(super) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(super) async fn start_with(limits: Limits) -> Self {
        let datadir = tempfile::tempdir().unwrap();
        let mut actor = Actor::open(datadir.path(), &Actor::new_l1(), None);
        actor.transfer(0);
        actor.transfer(1);
        actor.run(4).await;
        let api = NodeApi {
            chain: actor.chain.clone(),
            status: actor.status(),
            control: Some(SequencerControl::new(true)),
            forward: None,
            is_live: true,
        };
        let server = RpcServer::start("127.0.0.1:0".parse().unwrap(), Arc::new(api), limits).await.unwrap();
        let url = format!("http://{}", server.address());
        let serving = Serving { server: Some(server), chain: Arc::downgrade(&actor.chain) };
        Self { actor, url, http: reqwest::Client::new(), serving, _datadir: datadir }
    }

    /// Where it is served.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Names of the methods that are served.
    pub(super) fn methods(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.serving.server().methods()
    }

    /// Stops serving.
    pub(super) async fn stop(&self) {
        self.serving.server().clone().stop().await;
    }

    /// The JSON that comes for this body.
    pub(super) async fn post(&self, body: &str) -> Value {
        serde_json::from_str(&self.post_text(body).await).unwrap()
    }

    /// What comes for this body.
    pub(super) async fn post_text(&self, body: &str) -> String {
        let response = self.http.post(&self.url).header("content-type", "application/json").body(body.to_owned());
        response.send().await.unwrap().text().await.unwrap()
    }

    /// The same server over WebSocket.
    pub(super) fn ws_url(&self) -> String {
        format!("ws://{}", self.serving.server().address())
    }

    /// The text at a path, such as `/metrics`.
    pub(super) async fn get(&self, path: &str) -> String {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().text().await.unwrap()
    }

    /// The result of a call, which must not be an error.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Value {
        let answer =
            self.post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Code and message of a call that must fail.
    pub(super) async fn fail(&self, method: &str, params: Value) -> (i64, String, Value) {
        let answer =
            self.post(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).await;
        let error = answer.get("error").unwrap_or_else(|| panic!("{method} did not fail: {answer}"));
        (error["code"].as_i64().unwrap(), error["message"].as_str().unwrap().to_owned(), error["data"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_finds_what_it_asks_for() {
    let node = Served::start().await;
    assert_eq!(node.ask("eth_chainId", json!([])).await, "0x4f4c");
    assert_eq!(node.ask("net_version", json!([])).await, "20300");
    assert_eq!(node.ask("eth_syncing", json!([])).await, false);
    assert_eq!(node.ask("eth_accounts", json!([])).await, json!([]));
    assert_eq!(node.ask("eth_blockNumber", json!([])).await, "0x8");
    assert_eq!(node.ask("web3_sha3", json!(["0x"])).await, keccak256([]).to_string());

    for tag in ["latest", "pending", "safe", "finalized", "earliest", "0x3"] {
        let block = node.ask("eth_getBlockByNumber", json!([tag, false])).await;
        assert!(block["hash"].is_string(), "{tag}: {block}");
        assert!(block["baseFeePerGas"].is_string());
    }
    assert!(node.ask("eth_getBlockByNumber", json!(["0xffff", false])).await.is_null());

    // The transfers are in the first block, after the L1 attributes.
    let block = node.ask("eth_getBlockByNumber", json!(["0x1", true])).await;
    let transactions = block["transactions"].as_array().unwrap();
    assert_eq!(transactions.len(), 3);
    assert_eq!(transactions[0]["type"], "0x7e");
    assert!(transactions[0]["sourceHash"].is_string());
    assert_eq!(transactions[1]["from"].as_str().unwrap(), format!("{:#x}", user().address()));
    let by_hash = node.ask("eth_getBlockByHash", json!([block["hash"], true])).await;
    assert_eq!(by_hash, block);

    let receipts = node.ask("eth_getBlockReceipts", json!(["0x1"])).await;
    let receipt = node.ask("eth_getTransactionReceipt", json!([transactions[2]["hash"]])).await;
    assert_eq!(receipts[2], receipt);
    assert_eq!((receipt["gasUsed"].as_str(), receipt["status"].as_str()), (Some("0x5208"), Some("0x1")));
    assert_eq!((receipt["l1Fee"].as_str(), receipt["blockHash"].clone()), (Some("0x0"), block["hash"].clone()));
    assert_eq!(receipts[0]["depositReceiptVersion"], "0x1");
    assert!(receipts[0]["depositNonce"].is_string());
    assert_eq!(node.ask("eth_getTransactionByHash", json!([transactions[1]["hash"]])).await, transactions[1]);

    let sender = user().address();
    assert_eq!(node.ask("eth_getBalance", json!([RECIPIENT, "latest"])).await, "0x2");
    assert_eq!(node.ask("eth_getBalance", json!([RECIPIENT, {"blockNumber": "0x0"}])).await, "0x0");
    assert_eq!(node.ask("eth_getTransactionCount", json!([sender, "latest"])).await, "0x2");
    node.actor.transfer(2);
    assert_eq!(node.ask("eth_getTransactionCount", json!([sender, "latest"])).await, "0x2");
    assert_eq!(node.ask("eth_getTransactionCount", json!([sender, "pending"])).await, "0x3");
    assert_eq!(node.ask("txpool_status", json!([])).await, json!({"pending": "0x1", "queued": "0x0"}));

    let history = node.ask("eth_feeHistory", json!(["0x4e20", "latest", [50.0]])).await;
    assert_eq!(
        (history["oldestBlock"].as_str(), history["baseFeePerGas"].as_array().unwrap().len()),
        (Some("0x0"), 10)
    );
    assert_eq!(history["reward"].as_array().unwrap().len(), 9);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_run_on_a_snapshot_and_revert_with_data() {
    let node = Served::start().await;
    let call = json!({"from": user().address(), "to": RECIPIENT, "value": "0x1"});
    assert_eq!(node.ask("eth_estimateGas", json!([call])).await, "0x5208");
    assert_eq!(node.ask("eth_call", json!([call, "latest"])).await, "0x");
    assert_eq!(node.ask("eth_getBalance", json!([RECIPIENT, "latest"])).await, "0x2");

    // PUSH1 2, PUSH1 0, MSTORE8, PUSH1 1, PUSH1 0, REVERT: reverts with one byte.
    let reverting = json!({RECIPIENT.to_string(): {"code": "0x600260005360016000fd"}});
    let call = json!({"to": RECIPIENT});
    let (code, message, data) = node.fail("eth_call", json!([call, "latest", reverting])).await;
    assert_eq!((code, message.as_str(), data), (3, "execution reverted", json!("0x02")));
    let (code, ..) = node.fail("eth_estimateGas", json!([call, "latest", reverting])).await;
    assert_eq!(code, 3);
    // NUMBER, PUSH1 0, MSTORE, PUSH1 32, PUSH1 0, RETURN.
    let number = json!({RECIPIENT.to_string(): {"code": "0x4360005260206000f3"}});
    let answer = node.ask("eth_call", json!([call, "0x3", number])).await;
    assert_eq!(answer, B256::from(alloy_primitives::U256::from(3)).to_string());
    let answer = node.ask("eth_call", json!([call, "latest", number, {"number": "0x63"}])).await;
    assert_eq!(answer, B256::from(alloy_primitives::U256::from(0x63)).to_string());
    // A store needs more than a transfer; what is estimated is enough and not much more.
    let storing = json!({RECIPIENT.to_string(): {"code": "0x6001600055"}});
    let gas = node.ask("eth_estimateGas", json!([call, "latest", storing])).await;
    let gas = u64::from_str_radix(gas.as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    assert!((43_106..45_000).contains(&gas), "{gas}");

    let poor = json!({"from": RECIPIENT, "to": user().address(), "value": "0x3"});
    let (code, message, _) = node.fail("eth_call", json!([poor, "latest"])).await;
    assert!(code == -32000 && message.starts_with("insufficient funds"), "{code} {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_have_the_right_codes() {
    let node = Served::start().await;
    assert_eq!(node.fail("eth_nothing", json!([])).await.0, -32601);
    assert_eq!(node.fail("eth_getBalance", json!(["0x12"])).await.0, -32602);
    assert_eq!(node.fail("eth_getBalance", json!([RECIPIENT, "0xffff"])).await.0, -32001);
    assert_eq!(node.fail("eth_feeHistory", json!(["0x1", "latest", [9.0, 1.0]])).await.0, -32602);
    assert_eq!(node.fail("eth_sendRawTransaction", json!(["0x02"])).await.0, -32000);
    let block = node.ask("eth_getBlockByNumber", json!(["0x1", false])).await;
    let included = node.ask("eth_getRawTransactionByHash", json!([block["transactions"][1]])).await;
    let (code, message, _) = node.fail("eth_sendRawTransaction", json!([included])).await;
    assert!(code == -32000 && message.starts_with("nonce too low"), "{message}");
    let (code, message, _) = node.fail("eth_getLogs", json!([{"fromBlock": "0x5", "toBlock": "0x1"}])).await;
    assert!(code == -32602 && message.contains("block range"), "{message}");

    let calls: Vec<Value> =
        (0..201).map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "eth_chainId", "params": []})).collect();
    assert_eq!(node.post(&json!(calls).to_string()).await["error"]["code"], -32010);
    assert_eq!(node.post(&json!(calls[..200]).to_string()).await.as_array().unwrap().len(), 200);
    // The server may hang up before all of the body was sent; in no case it is read.
    let huge = "x".repeat(6 << 20);
    let response = node.http.post(&node.url).header("content-type", "application/json").body(huge).send().await;
    assert!(response.is_err() || response.is_ok_and(|response| response.status() == 413));
    assert_eq!(node.ask("eth_chainId", json!([])).await, "0x4f4c");
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_hold_against_old_and_new_roots() {
    let node = Served::start().await;
    for (number, absent) in [("0x0", true), ("0x1", false), ("latest", false)] {
        let block = node.ask("eth_getBlockByNumber", json!([number, false])).await;
        let root: B256 = block["stateRoot"].as_str().unwrap().parse().unwrap();
        let proof = node.ask("eth_getProof", json!([RECIPIENT, ["0x1"], number])).await;
        let nodes: Vec<alloy_primitives::Bytes> = serde_json::from_value(proof["accountProof"].clone()).unwrap();
        let account = TrieAccount { balance: alloy_primitives::U256::from(2), ..Default::default() };
        let expected = (!absent).then(|| alloy_rlp::encode(account));
        verify_proof(root, Nibbles::unpack(keccak256(RECIPIENT)), expected, &nodes).unwrap();
        assert_eq!(proof["storageProof"][0]["value"], "0x0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_where_the_node_stands() {
    let node = Served::start().await;
    let status = node.ask("optimism_syncStatus", json!([])).await;
    assert_eq!(status["unsafe_l2"]["number"], 8);
    assert_eq!(status["head_l1"]["number"], 4);
    let safe = status["safe_l2"]["number"].as_u64().unwrap();
    assert!(safe >= 4);
    let output = node.ask("optimism_outputAtBlock", json!(["0x2"])).await;
    assert_eq!(output["outputRoot"].as_str().unwrap(), node.actor.chain.output_root(2).unwrap().unwrap().to_string());
    assert_eq!(node.ask("optimism_rollupConfig", json!([])).await["l2_chain_id"], 20300);
    assert_eq!(node.ask("openledger_faults", json!([])).await, json!([]));
    let batch = node.ask("openledger_batchOf", json!(["0x2"])).await;
    assert_eq!((batch["l2BlockNumber"].as_u64(), batch["l1Transactions"].as_array().unwrap().len()), (Some(2), 1));
    assert!(node.ask("openledger_batchOf", json!(["latest"])).await.is_null());

    let health = node.http.get(format!("{}/health", node.url)).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let metrics = node.http.get(format!("{}/metrics", node.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nopenledger_l2_latest 8\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_over_websocket_see_blocks_and_transactions() {
    use alloy::providers::{Provider as _, ProviderBuilder, WsConnect};
    let node = Served::start().await;
    let provider = ProviderBuilder::new().connect_ws(WsConnect::new(node.ws_url())).await.unwrap();
    assert_eq!(provider.get_chain_id().await.unwrap(), 20300);
    let mut heads = provider.subscribe_blocks().await.unwrap();
    let mut pending = provider.subscribe_pending_transactions().await.unwrap();
    let sent = node.actor.transfer(2);
    let block = node.actor.produce().await;
    assert_eq!(pending.recv().await.unwrap(), sent);
    let head = heads.recv().await.unwrap();
    assert_eq!((head.number, head.hash), (block.number, block.hash));
    let unserved = provider.raw_request::<_, B256>("eth_subscribe".into(), ("syncing",)).await;
    assert!(unserved.unwrap_err().to_string().contains("newHeads"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_can_wait_for_its_receipt_and_filters_see_blocks() {
    let node = Served::start().await;
    let filter = node.ask("eth_newBlockFilter", json!([])).await;
    assert_eq!(node.ask("eth_getFilterChanges", json!([filter])).await, json!([]));
    let raw = node.actor.signed_transfer(2);
    let (receipt, _) = tokio::join!(node.ask("eth_sendRawTransactionSync", json!([raw, "0x2710"])), async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        node.actor.produce().await
    });
    assert_eq!(receipt["blockNumber"], "0x9");
    assert_eq!(node.ask("eth_getFilterChanges", json!([filter])).await, json!([receipt["blockHash"]]));
    assert_eq!(node.ask("eth_uninstallFilter", json!([filter])).await, true);
    let (code, message, _) = node.fail("eth_getFilterChanges", json!([filter])).await;
    assert_eq!((code, message.as_str()), (-32000, "filter not found"));
}
