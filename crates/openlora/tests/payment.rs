//! Paid answers against a ledger: who is refused, what is signed, and that every answer is paid exactly once whatever dies.

mod common;

use std::{path::Path, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use common::{
    TestServer, events, home,
    ledger::{CHAIN_ID, LEDGER, Node, authorize, fee, schedule},
};
use openledger_attribution::{FeeSchedule, MerkleTree, SignedAuthorization, eip712, merkle::score_leaf};
use openledger_training::{IndexArgs, TrainArgs, run_indexing, run_training};
use serde_json::{Value, json};
use tempfile::TempDir;

const PRICE: FeeSchedule = schedule(1_000_000, 2_000_000);

struct Setup {
    home: TempDir,
    node: Node,
    payer: PrivateKeySigner,
    operator: Address,
}

/// A ledger on which the tiny backbone costs something and the payer has escrow.
async fn setup() -> Setup {
    let (home, node) = (home(), Node::start().await);
    let (payer, operator) = (PrivateKeySigner::random(), PrivateKeySigner::random());
    std::fs::write(home.path().join("key"), format!("{}\n", operator.to_bytes())).unwrap();
    let backbone = sha256(&home.path().join("tiny.gguf"));
    node.register(backbone, B256::ZERO, B256::ZERO, PRICE);
    node.ledger.lock().operators.insert(operator.address());
    node.ledger.lock().escrow.insert(payer.address(), U256::from(1_000_000));
    Setup { home, node, payer, operator: operator.address() }
}

impl Setup {
    async fn server(&self) -> TestServer {
        let key = self.home.path().join("key");
        let flags = ["--l2-rpc", &self.node.url, "--operator-key-file", key.to_str().unwrap(), "--settle-every", "1"];
        TestServer::start(self.home.path(), &flags).await
    }

    async fn terms(&self, server: &TestServer, body: &Value) -> Value {
        let (status, error) = server.post("/v1/completions", body).await;
        assert_eq!((status, error["error"]["code"].as_str()), (402, Some("payment_required")), "{error}");
        error["error"]["openledger"].clone()
    }

    /// A paid answer.
    async fn ask(&self, server: &TestServer, body: &Value) -> (String, Value) {
        let terms = self.terms(server, body).await;
        let authorization = authorize(&self.payer, &terms, |_| {});
        let response = server.send("/v1/completions", body, Some(&authorization)).await;
        assert_eq!(response.status(), 200);
        let request = response.headers()["x-openledger-request-id"].to_str().unwrap().to_owned();
        (request, response.json().await.unwrap())
    }
}

fn sha256(path: &Path) -> B256 {
    use sha2::Digest;
    B256::from_slice(&sha2::Sha256::digest(std::fs::read(path).unwrap()))
}

fn question() -> Value {
    json!({"model": "tiny", "prompt": "What?", "max_tokens": 10, "temperature": 0, "logit_bias": {"257": -100}})
}

async fn until_settled(server: &TestServer, request: &str) -> Value {
    for _ in 0..200 {
        let (status, receipt) = server.get(&format!("/v1/receipts/{request}")).await;
        assert_eq!(status, 200, "{receipt}");
        if receipt["settlement"]["status"] == "settled" {
            return receipt;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("request {request} was not settled");
}

#[tokio::test]
async fn a_paid_answer_is_settled_and_can_be_checked() {
    let setup = setup().await;
    let server = setup.server().await;
    let info = server.get("/v1/openledger").await.1;
    assert_eq!(info["chainId"], CHAIN_ID);
    assert_eq!((&info["operator"], &info["operatorRegistered"]), (&json!(setup.operator), &json!(true)));
    assert_eq!(info["models"][0]["scheduleId"], json!(PRICE.id()));

    let (request, answer) = setup.ask(&server, &question()).await;
    assert_eq!(answer["openledger"]["requestId"], request);
    let receipt = until_settled(&server, &request).await;
    let usage =
        (answer["usage"]["prompt_tokens"].as_u64().unwrap(), answer["usage"]["completion_tokens"].as_u64().unwrap());
    assert_eq!(usage, (5, 10));
    assert_eq!(receipt["split"]["fee"], fee(5, 10, &PRICE).to_string());
    assert_eq!(receipt["receipt"]["promptHash"], json!(keccak256("What?")));
    let text = answer["choices"][0]["text"].as_str().unwrap();
    assert_eq!(receipt["receipt"]["outputHash"], json!(keccak256(text)));
    assert_eq!(receipt["settlement"]["blockNumber"], 1);
    let ledger = setup.node.ledger.lock();
    assert_eq!(json!(ledger.settled[&request.parse::<B256>().unwrap()]), receipt["receiptHash"]);
    assert_eq!(ledger.charged[&setup.payer.address()], fee(5, 10, &PRICE));
    let hash: B256 = receipt["receiptHash"].as_str().unwrap().parse().unwrap();
    let signature: Bytes = receipt["operatorSignature"].as_str().unwrap().parse().unwrap();
    assert_eq!(eip712::recover(&hash, &signature), Ok(setup.operator));
}

#[tokio::test]
async fn whoever_does_not_pay_gets_no_answer() {
    let setup = setup().await;
    let server = setup.server().await;
    let body = question();
    let terms = setup.terms(&server, &body).await;
    assert_eq!(terms["maxFee"], fee(5, 10, &PRICE).to_string());
    assert_eq!(terms["verifyingContract"], json!(LEDGER));
    let refused = async |change: &dyn Fn(&mut SignedAuthorization), body: &Value| {
        let authorization = authorize(&setup.payer, &terms, change);
        let response = server.send("/v1/completions", body, Some(&authorization)).await;
        assert_eq!(response.status(), 402);
        response.json::<Value>().await.unwrap()["error"].clone()
    };
    let code = async |change: &dyn Fn(&mut SignedAuthorization)| {
        refused(change, &body).await["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&|a| a.operator = Address::ZERO).await, "wrong_operator");
    assert_eq!(code(&|a| a.model_id = B256::ZERO).await, "wrong_model");
    assert_eq!(code(&|a| a.schedule_id = B256::ZERO).await, "schedule_changed");
    assert_eq!(code(&|a| a.deadline = 1_700_000_000).await, "deadline_too_near");
    assert_eq!(code(&|a| a.max_fee = U256::from(5)).await, "max_fee_too_low");
    assert_eq!(code(&|a| a.max_fee = U256::from(1_000_001)).await, "insufficient_escrow");
    assert_eq!(code(&|a| a.signature = Bytes::from(vec![7; 65])).await, "invalid_signature");
    // Signed by someone else than the payer it names.
    assert_eq!(code(&|a| a.payer = Address::with_last_byte(9)).await, "invalid_signature");
    let fits = refused(&|a| a.max_fee = fee(5, 4, &PRICE), &body).await;
    assert!(fits["message"].as_str().unwrap().contains("max_tokens = 4 would fit"), "{fits}");
    for garbage in ["%%%", "e30=", ""] {
        let response = server.send("/v1/completions", &body, Some(garbage)).await;
        assert_eq!(response.status(), 402);
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "invalid_authorization");
    }
    // Nothing was generated, nothing is held: the whole escrow can still be promised.
    assert_eq!(server.metric("generated_tokens_total").await, 0);
    let whole = authorize(&setup.payer, &terms, |a| a.max_fee = U256::from(1_000_000));
    assert_eq!(server.send("/v1/completions", &body, Some(&whole)).await.status(), 200);

    // An authorisation is good once: while its receipt waits, and after.
    let again = server.send("/v1/completions", &body, Some(&whole)).await;
    assert_eq!(again.json::<Value>().await.unwrap()["error"]["code"], "nonce_used");
    // An operator that the ledger does not know could not settle.
    setup.node.ledger.lock().operators.clear();
    let response = server.send("/v1/completions", &body, Some(&authorize(&setup.payer, &terms, |_| {}))).await;
    assert_eq!(response.status(), 503);
    // Without the chain nothing is served on trust.
    setup.node.ledger.lock().down = true;
    let (status, error) = server.post("/v1/completions", &body).await;
    assert_eq!((status, error["error"]["code"].as_str()), (503, Some("chain_unavailable")));
    assert_eq!(server.get("/health").await.0, 200);
}

#[tokio::test]
async fn what_is_promised_cannot_be_promised_twice() {
    let setup = setup().await;
    let one = fee(5, 10, &PRICE);
    setup.node.ledger.lock().escrow.insert(setup.payer.address(), one + one / U256::from(2));
    setup.node.ledger.lock().mining = false;
    let server = setup.server().await;
    setup.ask(&server, &question()).await;
    // The first is not settled yet: the escrow on chain is untouched, but not free.
    let terms = setup.terms(&server, &question()).await;
    let response = server.send("/v1/completions", &question(), Some(&authorize(&setup.payer, &terms, |_| {}))).await;
    let error = response.json::<Value>().await.unwrap();
    assert_eq!(error["error"]["code"], "insufficient_escrow");
    assert_eq!(error["error"]["openledger"]["spendable"], (one / U256::from(2)).to_string());
}

#[tokio::test]
async fn a_killed_server_neither_loses_nor_repeats_a_payment() {
    let setup = setup().await;
    let paid = fee(5, 10, &PRICE);

    // Killed before anything is sent.
    setup.node.ledger.lock().mining = false;
    let server = setup.server().await;
    let (first, _) = setup.ask(&server, &question()).await;
    server.kill().await;
    {
        // Whatever was sent by then is lost; what was written down as sent is not waited for.
        let mut ledger = setup.node.ledger.lock();
        ledger.mempool.clear();
        ledger.sent = 0;
    }
    let server = setup.server().await;
    assert_eq!(server.get(&format!("/v1/receipts/{first}")).await.0, 200);

    // Killed while the transaction waits in the mempool; it is included while the server is away.
    for _ in 0..200 {
        if setup.node.ledger.lock().sent > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.kill().await;
    {
        let mut ledger = setup.node.ledger.lock();
        assert_eq!(ledger.mempool.len(), 1);
        ledger.mine();
        ledger.mining = true;
    }
    let server = setup.server().await;
    until_settled(&server, &first).await;
    assert_eq!(setup.node.ledger.lock().sent, 1, "no second transaction");
    assert_eq!(setup.node.ledger.lock().charged[&setup.payer.address()], paid);

    // The chain goes away and comes back.
    let terms = setup.terms(&server, &question()).await;
    let authorization = authorize(&setup.payer, &terms, |_| {});
    let response = server.send("/v1/completions", &question(), Some(&authorization)).await;
    let second = response.headers()["x-openledger-request-id"].to_str().unwrap().to_owned();
    setup.node.ledger.lock().down = true;
    assert_eq!(response.status(), 200);
    drop(response.text().await);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    setup.node.ledger.lock().down = false;
    until_settled(&server, &second).await;
    assert_eq!(setup.node.ledger.lock().charged[&setup.payer.address()], paid * U256::from(2));
    assert_eq!(server.metric("receipts_unsettled").await, 0);
    server.stop().await;
}

#[tokio::test]
async fn a_receipt_that_is_refused_does_not_hold_up_the_others() {
    let setup = setup().await;
    setup.node.ledger.lock().down = false;
    setup.node.ledger.lock().mining = false;
    let server = setup.server().await;
    let (bad, _) = setup.ask(&server, &question()).await;
    let (good, _) = setup.ask(&server, &question()).await;
    server.kill().await;
    {
        // The payer invalidates the first nonce.
        let path = setup.home.path().join(format!("data/receipts/pending/{bad}.json"));
        let record: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let nonce: U256 = record["receipt"]["nonce"].as_str().unwrap().parse().unwrap();
        let mut ledger = setup.node.ledger.lock();
        ledger.used.insert((setup.payer.address(), nonce));
        // What waited is lost with the node's pool.
        ledger.mempool.clear();
        ledger.mining = true;
    }
    let server = setup.server().await;
    until_settled(&server, &good).await;
    let receipt = server.get(&format!("/v1/receipts/{bad}")).await.1;
    assert_eq!(receipt["settlement"]["status"], "failed");
    assert!(receipt["settlement"]["reason"].as_str().unwrap().contains("NonceAlreadyUsed"), "{receipt}");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_pays_for_what_was_generated() {
    use futures::StreamExt;
    let setup = setup().await;
    let server = setup.server().await;
    let mut body = question();
    body["max_tokens"] = json!(200);
    body["stream"] = json!(true);
    let terms = setup.terms(&server, &body).await;
    let response = server.send("/v1/completions", &body, Some(&authorize(&setup.payer, &terms, |_| {}))).await;
    let request = response.headers()["x-openledger-request-id"].to_str().unwrap().to_owned();
    let mut stream = response.bytes_stream();
    assert!(stream.next().await.is_some());
    drop(stream);
    for _ in 0..200 {
        if server.get(&format!("/v1/receipts/{request}")).await.0 == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let receipt = until_settled(&server, &request).await;
    let tokens_out = receipt["receipt"]["tokensOut"].as_u64().unwrap();
    assert!((1..200).contains(&tokens_out), "{tokens_out}");
    assert_eq!(receipt["split"]["fee"], fee(5, tokens_out as u32, &PRICE).to_string());
    server.stop().await;
}

fn train(home: &Path) {
    #[derive(clap::Parser)]
    struct Train {
        #[command(flatten)]
        train: TrainArgs,
    }
    let rows = [("red", "what is red", "a colour"), ("red", "and blue", "also one"), ("sea", "what is wet", "the sea")];
    let lines: String = rows.map(|(who, q, a)| format!("{}\n", json!({"contributor": who, "q": q, "a": a}))).concat();
    std::fs::write(home.join("data.jsonl"), lines).unwrap();
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let (model, dataset, output) = (path("tiny.gguf"), path("data.jsonl"), path("adapters/faq"));
    let line = [
        "train",
        "--model",
        &model,
        "--dataset",
        &dataset,
        "--output",
        &output,
        "--evaluation-share",
        "0",
        "--epochs",
        "3",
        "--threads",
        "1",
    ];
    let Train { train } = clap::Parser::parse_from(line);
    run_training(&train, &mut |_| {}).unwrap();
    let index =
        IndexArgs { model: train.model.clone(), adapter: train.output.clone(), batch_size: 2, threads: train.threads };
    run_indexing(&index, &mut |_| {}).unwrap();
}

#[tokio::test]
async fn contributors_are_paid_by_the_influence_of_their_data() {
    let setup = setup().await;
    train(setup.home.path());
    let server = setup.server().await;
    let described = server.get("/v1/models/tiny:faq").await.1;
    let hash = |name: &str| described["openledger"][name].as_str().unwrap().parse::<B256>().unwrap();
    let (backbone, adapter, root) = (hash("backbone"), hash("adapter"), hash("datasetRoot"));
    assert_eq!(described["openledger"]["attributedData"], 3);
    // Not registered: free. With attribution: influences without a receipt.
    let free = json!({"model": "tiny:faq", "prompt": "what is red", "max_tokens": 4, "attribution": true});
    let (status, answer) = server.post("/v1/completions", &free).await;
    assert_eq!((status, answer["openledger"]["influences"].as_array().map(Vec::len)), (200, Some(3)), "{answer}");
    assert!(answer["openledger"]["split"].is_null());

    // Registered with another dataset: there would be nobody to pay.
    setup.node.register(backbone, adapter, B256::repeat_byte(1), PRICE);
    let mut body = json!({
        "model": "tiny:faq", "messages": [{"role": "user", "content": "what is red"}], "max_tokens": 6, "temperature": 0,
        "stream": true, "logit_bias": {"257": -100},
    });
    let (status, error) = server.post("/v1/chat/completions", &body).await;
    assert_eq!((status, error["error"]["code"].as_str()), (503, Some("attribution_unavailable")), "{error}");

    setup.node.register(backbone, adapter, root, PRICE);
    let (_, error) = server.post("/v1/chat/completions", &body).await;
    let authorization = authorize(&setup.payer, &error["error"]["openledger"], |_| {});
    let response = server.send("/v1/chat/completions", &body, Some(&authorization)).await;
    let request = response.headers()["x-openledger-request-id"].to_str().unwrap().to_owned();
    let events = events(&response.text().await.unwrap());
    let last: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!(last["openledger"]["requestId"], request, "{last}");

    let receipt = until_settled(&server, &request).await;
    let scores = receipt["scores"].as_array().unwrap();
    let leaves: Vec<B256> = scores
        .iter()
        .map(|score| score_leaf(score["datumId"].as_u64().unwrap() as u32, score["influence"].as_i64().unwrap()))
        .collect();
    assert_eq!(json!(MerkleTree::new(&leaves).unwrap().root()), receipt["receipt"]["scoresRoot"]);
    assert_eq!(receipt["receipt"]["datasetRoot"], json!(root));
    let largest = scores.iter().map(|score| score["influence"].as_i64().unwrap().abs()).max();
    assert_eq!(largest, Some(1_000_000_000));
    // What each contributor gets follows from the scores alone.
    let positive = |account: Option<&Value>| -> i64 {
        let of = scores.iter().filter(|score| account.is_none_or(|account| score["contributor"] == *account));
        of.map(|score| score["influence"].as_i64().unwrap().max(0)).sum()
    };
    let pool = |name: &str| receipt["split"][name].as_str().unwrap().parse::<u128>().unwrap();
    let net = pool("fee") - pool("platform");
    let mut rewards = 0;
    for contributor in receipt["contributors"].as_array().unwrap() {
        let weight = positive(Some(&contributor["account"]));
        assert_eq!(contributor["influence"], weight);
        let reward: u128 = contributor["reward"].as_str().unwrap().parse().unwrap();
        assert_eq!(reward, net * 2000 / 10_000 * weight as u128 / positive(None) as u128);
        rewards += reward;
    }
    assert_eq!(rewards, pool("contributors"));
    let parts = ["model", "stakers", "contributors", "platform", "dust"].map(pool);
    assert_eq!(parts.iter().sum::<u128>(), pool("fee"));

    // The same question again: the same influences.
    body["stream"] = json!(false);
    let (_, error) = server.post("/v1/chat/completions", &body).await;
    let authorization = authorize(&setup.payer, &error["error"]["openledger"], |_| {});
    let answer = server.send("/v1/chat/completions", &body, Some(&authorization)).await.json::<Value>().await.unwrap();
    assert_eq!(answer["openledger"]["scoresRoot"], receipt["receipt"]["scoresRoot"]);
    server.stop().await;
}
