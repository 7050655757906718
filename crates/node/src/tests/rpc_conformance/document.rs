//! The node's own OpenRPC document, held to what the node does.

use std::collections::{BTreeMap, BTreeSet};

use alloy_consensus::TxEip1559;
use alloy_primitives::{TxKind, U256, bytes};
use jsonschema::Validator;
use openledger_rpc::Limits;
use serde_json::{Value, json};

use super::{
    super::{actors::RECIPIENT, rpc::Served, socket::Socket},
    calls, chain,
    facts::{Facts, dynamic, signed},
    rule::Rule,
    simulate, simulate_calls, state, tools, transactions,
};

/// The methods that the document names. Validators are made when they are needed.
pub(super) struct Document {
    components: Value,
    methods: BTreeMap<String, Value>,
    validators: BTreeMap<String, Validator>,
}

impl Document {
    /// What the node answers to `rpc.discover`.
    pub(super) async fn of(facts: &Facts) -> Self {
        let mut document = facts.node.ask("rpc.discover", json!([])).await;
        let methods = document["methods"].as_array().unwrap().iter();
        let methods = methods.map(|method| (method["name"].as_str().unwrap().to_owned(), method.clone())).collect();
        Self { methods, components: document["components"].take(), validators: BTreeMap::new() }
    }

    /// Whether the document foresees this answer to this request. A method that it does not name has to be unknown.
    pub(super) fn check(&mut self, request: &Value, answer: &Value) -> Result<(), String> {
        let code = answer["error"]["code"].as_i64();
        let Some(method) = self.methods.get(request["method"].as_str().unwrap()).cloned() else {
            return if code == Some(-32601) { Ok(()) } else { Err("the method is not in the document".to_owned()) };
        };
        if let Some(code) = code {
            let listed = method["errors"].as_array().unwrap().iter().any(|error| error["code"] == code);
            return if listed { Ok(()) } else { Err(format!("error {code} is not in the document")) };
        }
        self.valid(&method["result"]["schema"], &answer["result"])?;
        // What was answered was asked in the right form.
        let (given, params) = (request["params"].as_array().unwrap(), method["params"].as_array().unwrap());
        let needed = params.iter().filter(|param| param["required"] == true).count();
        if given.len() < needed || given.len() > params.len() {
            return Err(format!("{} parameters are not in the document", given.len()));
        }
        given.iter().zip(params).try_for_each(|(value, param)| self.valid(&param["schema"], value))
    }

    fn valid(&mut self, schema: &Value, value: &Value) -> Result<(), String> {
        let validator = self.validators.entry(schema.to_string()).or_insert_with(|| {
            // References begin at the root of the document.
            let schema = json!({"allOf": [schema], "components": self.components});
            jsonschema::validator_for(&schema).unwrap()
        });
        validator.validate(value).map_err(|error| format!("{error} at {}", error.instance_path()))
    }
}

/// The rows of all tables.
fn all_rules(facts: &Facts) -> Vec<Rule> {
    [
        chain::rules,
        state::rules,
        transactions::rules,
        calls::rules,
        simulate::rules,
        simulate_calls::rules,
        tools::rules,
    ]
    .into_iter()
    .flat_map(|table| table(facts))
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_is_in_the_document_and_asked_for() {
    let facts = Facts::new().await;
    let document = Document::of(&facts).await;
    let named: BTreeSet<&str> = document.methods.keys().map(String::as_str).collect();
    assert_eq!(named, facts.node.methods().collect(), "the document and the server name other methods");

    let discover = json!({"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}).to_string();
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    assert_eq!(socket.ask(&discover).await, facts.node.post(&discover).await);

    let rules = all_rules(&facts);
    let mut answered: BTreeSet<&str> =
        rules.iter().filter(|rule| rule.code().is_none()).map(|rule| rule.method).collect();
    answered.extend(SENT);
    answered.insert("rpc.discover");
    assert_eq!(named, answered, "these have no row with a result");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_document_does_not_name_is_found() {
    let facts = Facts::new().await;
    let mut document = Document::of(&facts).await;
    let request = json!({"method": "eth_getBlockByNumber", "params": ["0x9", true]});
    let answer = json!({"result": facts.kinds});
    document.check(&request, &answer).unwrap();
    let change = |path: &str, value: Value| {
        let mut answer = answer.clone();
        *answer.pointer_mut(path).unwrap() = value;
        answer
    };
    for wrong in [
        change("/result/number", json!("0x09")),
        change("/result/hash", json!("0x9")),
        change("/result/transactions/0/mint", json!(0)),
        change("/result/transactions/2/type", json!("0x3")),
        change("/result", json!({"more": "0x1"})),
        json!({"error": {"code": -32005}}),
    ] {
        assert!(document.check(&request, &wrong).is_err(), "{wrong}");
    }
    let mut more = answer.clone();
    more["result"]["transactions"][1]["more"] = json!("0x1");
    assert!(document.check(&request, &more).is_err());
    for params in [json!([]), json!(["0x09", true]), json!(["0x9", "true"]), json!(["0x9", true, "0x1"])] {
        let request = json!({"method": "eth_getBlockByNumber", "params": params});
        assert!(document.check(&request, &answer).is_err(), "{request}");
    }
    assert!(document.check(&json!({"method": "eth_nothing", "params": []}), &answer).is_err());
}

/// Which errors of the document other tests are about: states that were pruned, what a replica cannot do, sources that send too
/// much, and what has a place for only so many.
const ELSEWHERE: [(i64, &[&str]); 4] = [
    (
        -32000,
        &[
            "eth_getBalance",
            "eth_getTransactionCount",
            "eth_getCode",
            "eth_getStorageAt",
            "eth_getStorageValues",
            "eth_getProof",
            "debug_traceCall",
            "debug_traceBlockByHash",
            "debug_executionWitness",
            "debug_executionWitnessByBlockHash",
            "trace_transaction",
            "ots_hasCode",
            "ots_getTransactionBySenderAndNonce",
            "ots_getContractCreator",
        ],
    ),
    (-32002, &["eth_sendRawTransaction", "eth_sendRawTransactionSync"]),
    (-32004, &["eth_sendRawTransaction", "eth_sendRawTransactionSync"]),
    (
        -32005,
        &[
            "eth_sendRawTransaction",
            "eth_sendRawTransactionSync",
            "eth_newFilter",
            "eth_newBlockFilter",
            "eth_newPendingTransactionFilter",
        ],
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_error_in_the_document_happens() {
    let facts = Facts::new().await;
    let document = Document::of(&facts).await;
    let rules = all_rules(&facts);
    let mut seen: BTreeSet<(&str, i64)> = rules.iter().filter_map(|rule| Some((rule.method, rule.code()?))).collect();
    seen.extend([("eth_sendRawTransactionSync", 4), ("eth_sendRawTransactionSync", 6)]);
    let code = async |node: &Served, method: &str, params: Value| {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        node.post(&request.to_string()).await["error"]["code"].as_i64()
    };
    // Nothing takes a truth for its first parameter, unless it takes anything.
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    let refuses = |text: &Value| text["errors"].as_array().unwrap().iter().any(|error| error["code"] == -32602);
    for (method, _) in document.methods.iter().filter(|(_, text)| refuses(text)) {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": [true]});
        assert_eq!(socket.ask(&request.to_string()).await["error"]["code"], -32602, "{method}");
        seen.insert((method, -32602));
    }
    // A node that serves nothing that has bounds.
    let limits = Limits {
        max_traces: 0,
        max_log_blocks: 0,
        max_logs: 0,
        max_proof_slots: 0,
        max_pool_content: 0,
        ..Limits::default()
    };
    let mut strict = Served::start_with(limits).await;
    // It has a contract, for the sake of who asks for its creator.
    let creation = TxEip1559 {
        gas_limit: 100_000,
        to: TxKind::Create,
        value: U256::ZERO,
        input: bytes!("600160005360016000f3"),
        ..dynamic(2)
    };
    let hash = strict.actor.chain.submit(signed(creation)).unwrap();
    strict.actor.run(1).await;
    let block = strict.ask("eth_getBlockByNumber", json!(["0x1", false])).await["hash"].clone();
    let filter = strict.ask("eth_newFilter", json!([{"fromBlock": "0x1", "toBlock": "latest"}])).await;
    strict.actor.run(1).await;
    let slots = json!({RECIPIENT.to_string(): ["0x0"]});
    for (method, params) in [
        ("eth_getStorageValues", json!([slots])),
        ("eth_getProof", json!([RECIPIENT, ["0x0"]])),
        ("eth_simulateV1", json!([{"blockStateCalls": [{}]}])),
        ("eth_getLogs", json!([{"fromBlock": "0x1"}])),
        ("eth_getFilterLogs", json!([filter])),
        ("eth_getFilterChanges", json!([filter])),
        ("debug_traceTransaction", json!([hash])),
        ("debug_traceCall", json!([{}])),
        ("debug_traceBlockByNumber", json!(["0x1"])),
        ("debug_traceBlockByHash", json!([block])),
        ("debug_executionWitness", json!(["0x1"])),
        ("debug_executionWitnessByBlockHash", json!([block])),
        ("trace_transaction", json!([hash])),
        ("trace_block", json!(["0x1"])),
        ("ots_getInternalOperations", json!([hash])),
        ("ots_getTransactionError", json!([hash])),
        ("ots_traceTransaction", json!([hash])),
        ("ots_getContractCreator", json!([facts.user.create(2)])),
        ("ots_searchTransactionsAfter", json!([RECIPIENT, 0, 100_000])),
    ] {
        assert_eq!(code(&strict, method, params).await, Some(-32005), "{method}");
        seen.insert((method, -32005));
    }
    strict.actor.transfer(3);
    for (method, params) in
        [("txpool_content", json!([])), ("txpool_contentFrom", json!([facts.user])), ("txpool_inspect", json!([]))]
    {
        assert_eq!(code(&strict, method, params).await, Some(-32005), "{method}");
        seen.insert((method, -32005));
    }
    seen.extend(ELSEWHERE.iter().flat_map(|(code, methods)| methods.iter().map(|method| (*method, *code))));

    for (name, method) in &document.methods {
        for error in method["errors"].as_array().unwrap() {
            let code = error["code"].as_i64().unwrap();
            assert!(code == -32603 || seen.contains(&(name, code)), "no test sees {name} fail with {code}");
        }
    }
}

/// What the test below asks for, because it changes something or answers something else each time.
const SENT: [&str; 6] = [
    "eth_sendRawTransaction",
    "eth_sendRawTransactionSync",
    "eth_getFilterChanges",
    "eth_getFilterLogs",
    "eth_subscribe",
    "eth_unsubscribe",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_and_followed_is_as_the_document_says() {
    let mut facts = Facts::new().await;
    let mut document = Document::of(&facts).await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    let mut ask = async |facts: &Facts, method: &str, params: Value| {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = facts.node.post(&request.to_string()).await;
        document.check(&request, &answer).unwrap_or_else(|why| panic!("{method}: {why}: {answer}"));
        answer["result"].clone()
    };
    let blocks = ask(&facts, "eth_newBlockFilter", json!([])).await;
    let logs = ask(&facts, "eth_newFilter", json!([{"fromBlock": "0x9"}])).await;
    let pending = ask(&facts, "eth_newPendingTransactionFilter", json!([])).await;

    // The gap before the queued transaction closes, and all three are in the next block.
    let hash = ask(&facts, "eth_sendRawTransaction", json!([signed(dynamic(8))])).await;
    assert_eq!(ask(&facts, "eth_getFilterChanges", json!([pending])).await, json!([hash]));
    facts.node.actor.run(1).await;
    assert_eq!(ask(&facts, "eth_getTransactionReceipt", json!([hash])).await["status"], "0x1");
    let hashes = ask(&facts, "eth_getFilterChanges", json!([blocks])).await;
    assert!(hashes.as_array().is_some_and(|hashes| !hashes.is_empty()), "{hashes}");
    assert_eq!(ask(&facts, "eth_getFilterLogs", json!([logs])).await.as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&facts, "eth_getFilterChanges", json!([logs])).await, json!([]));
    assert_eq!(ask(&facts, "eth_uninstallFilter", json!([logs])).await, true);

    // Nobody makes a block meanwhile; then somebody does.
    let late = json!([signed(dynamic(10)), "0x1"]);
    assert_eq!(ask(&facts, "eth_sendRawTransactionSync", late).await, Value::Null);
    assert_eq!(ask(&facts, "eth_sendRawTransactionSync", json!([signed(dynamic(12)), "0x1"])).await, Value::Null);
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransactionSync", "params": [signed(dynamic(11)), "0x7530"]});
    let (user, node) = (facts.user, &mut facts.node);
    let (client, url) = (node.http.clone(), node.url.clone());
    let sent = client.post(&url).header("content-type", "application/json").body(request.to_string()).send();
    let made = async {
        while node.actor.chain.pool().read(|pool| pool.pending_nonce(&user)) != Some(13) {
            tokio::task::yield_now().await;
        }
        node.actor.run(1).await;
    };
    let (answer, ()) = tokio::join!(async { sent.await.unwrap().json::<Value>().await.unwrap() }, made);
    document.check(&request, &answer).unwrap();
    assert_eq!(answer["result"]["status"], "0x1", "{answer}");

    for what in [json!(["newHeads"]), json!(["logs", {"topics": []}]), json!(["newPendingTransactions"])] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": what});
        let answer = socket.ask(&request.to_string()).await;
        document.check(&request, &answer).unwrap();
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_unsubscribe", "params": [answer["result"]]});
        document.check(&request, &socket.ask(&request.to_string()).await).unwrap();
    }
}
