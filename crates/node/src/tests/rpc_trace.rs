//! Traces, the explorer's methods and the pool's content over real sockets, in front of a real chain.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex, keccak256};
use openledger_rpc::Limits;
use serde_json::{Value, json};

use super::{
    actors::{RECIPIENT, user},
    rpc::Served,
};

/// Without input it reverts with one byte, 2. Otherwise it writes 1 to slot 0 and sends one wei to [`RECIPIENT`].
const RUNTIME: [u8; 32] = hex!("36600e57600260005360016000fd5b60016000555f5f5f5f6001610b0b5af100");

fn contract() -> Address {
    user().address().create(2)
}

/// Deploys the contract and calls it twice; the third call reverts, with a transfer between. All of it is in block 9.
async fn served() -> (Served, Vec<Value>) {
    let node = Served::start().await;
    let init = [&[0x7f][..], &RUNTIME, &hex!("5f5260205ff3")].concat();
    let call = |nonce, input: &'static [u8]| TxEip1559 {
        nonce,
        gas_limit: 200_000,
        to: TxKind::Call(contract()),
        input: Bytes::from_static(input),
        ..Default::default()
    };
    let deployment = TxEip1559 { to: TxKind::Create, value: U256::from(5), input: init.into(), ..call(2, &[]) };
    let calls = [deployment, call(3, &[1, 2, 3, 4]), call(4, &[1, 2, 3, 4, 5])];
    for tx in calls {
        node.actor.chain.submit(node.actor.signed(tx)).unwrap();
    }
    node.actor.transfer(5);
    node.actor.chain.submit(node.actor.signed(call(6, &[]))).unwrap();
    assert_eq!(node.actor.produce().await.number, 9);
    let receipts = node.ask("eth_getBlockReceipts", json!(["0x9"])).await.as_array().unwrap().clone();
    assert_eq!(receipts.len(), 6);
    (node, receipts)
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_agree_with_receipts_and_with_the_state_before_each_transaction() {
    let (node, receipts) = served().await;
    let (sender, contract) = (format!("{:#x}", user().address()), format!("{:#x}", contract()));
    let recipient = format!("{RECIPIENT:#x}");
    let trace = async |index: usize, options: Value| {
        node.ask("debug_traceTransaction", json!([receipts[index]["transactionHash"], options])).await
    };
    let call_tracer = json!({"tracer": "callTracer"});

    let block = node.ask("debug_traceBlockByNumber", json!(["0x9", call_tracer])).await;
    for (index, receipt) in receipts.iter().enumerate() {
        assert_eq!(block[index]["txHash"], receipt["transactionHash"]);
        assert_eq!(block[index]["result"]["gasUsed"], receipt["gasUsed"], "{index}");
        assert_eq!(block[index]["result"]["error"].is_null(), receipt["status"] == "0x1");
        assert_eq!(trace(index, call_tracer.clone()).await, block[index]["result"]);
    }
    let hash = &receipts[0]["blockHash"];
    assert_eq!(node.ask("debug_traceBlockByHash", json!([hash, call_tracer])).await, block);

    let calls = trace(2, call_tracer.clone()).await;
    assert_eq!((calls["from"].as_str(), calls["to"].as_str()), (Some(&*sender), Some(&*contract)));
    assert_eq!((calls["calls"][0]["to"].as_str(), &calls["calls"][0]["value"]), (Some(&*recipient), &json!("0x1")));
    let failed = trace(5, call_tracer).await;
    assert_eq!((failed["error"].as_str(), failed["output"].as_str()), (Some("execution reverted"), Some("0x02")));

    let steps = trace(5, json!({})).await;
    assert_eq!((&steps["failed"], &steps["returnValue"]), (&json!(true), &json!("0x02")));
    assert_eq!(steps["gas"], number(&receipts[5]["gasUsed"]));
    let steps = steps["structLogs"].as_array().unwrap();
    assert_eq!((steps[0]["op"].as_str(), steps[0]["pc"].as_u64()), (Some("CALLDATASIZE"), Some(0)));
    assert_eq!(steps.last().unwrap()["op"], "REVERT");
    assert_eq!(trace(5, json!({"limit": 2})).await["structLogs"].as_array().unwrap().len(), 2);

    // The recipient had 2 wei before the block; each of the calls sees what the ones before it did.
    let diff = json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}});
    let (first, second) = (trace(2, diff.clone()).await, trace(3, diff).await);
    let slot = format!("{:#066x}", 0);
    assert_eq!(first["post"][&contract]["storage"][&slot], format!("{:#066x}", 1));
    assert_eq!(
        (&first["pre"][&recipient]["balance"], &first["post"][&recipient]["balance"]),
        (&json!("0x2"), &json!("0x3"))
    );
    assert_eq!(second["pre"][&recipient]["balance"], "0x3");
    assert!(second["post"][&contract]["storage"].is_null(), "{second}");
    let before = trace(3, json!({"tracer": "prestateTracer"})).await;
    assert_eq!(before[&contract]["storage"][&slot], format!("{:#066x}", 1));
    assert_eq!(trace(3, json!({"tracer": "4byteTracer"})).await, json!({"0x01020304-1": 1}));
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_of_calls_are_bounded() {
    let node = Served::start_with(Limits { max_trace_bytes: 1 << 20, ..Limits::default() }).await;
    let looping = json!({"stateOverrides": {RECIPIENT.to_string(): {"code": "0x5b5f56"}}});
    let call = json!({"to": RECIPIENT, "gas": "0x4c4b40"});
    let (code, message, _) = node.fail("debug_traceCall", json!([call, "latest", looping])).await;
    assert!(code == -32005 && message.contains("larger"), "{code} {message}");
    let mut calls = looping;
    calls["tracer"] = json!("callTracer");
    let trace = node.ask("debug_traceCall", json!([call, "latest", calls])).await;
    assert_eq!((trace["error"].as_str(), trace["gasUsed"].as_str()), (Some("out of gas"), Some("0x4c4b40")));

    let node = Served::start_with(Limits { max_call_time: Default::default(), ..Limits::default() }).await;
    let all = json!({"fromBlock": "0x0", "toBlock": "latest"});
    for (method, params) in [
        ("debug_traceCall", json!([call, "latest", calls])),
        ("eth_call", json!([call])),
        ("eth_estimateGas", json!([call])),
        ("eth_createAccessList", json!([call])),
        ("eth_getLogs", json!([all])),
        ("eth_feeHistory", json!(["0x4", "latest", [50]])),
    ] {
        let (code, message, _) = node.fail(method, params).await;
        assert!(code == -32005 && message.contains("longer"), "{method}: {code} {message}");
    }
    // A search answers what it has found by then.
    let page = node.ask("ots_searchTransactionsBefore", json!([RECIPIENT, 0, 25])).await;
    assert_eq!((&page["firstPage"], &page["lastPage"]), (&json!(true), &json!(false)), "{page}");

    for tracer in ["{step: function() {}}", "muxTracer"] {
        let (code, message, _) = node.fail("debug_traceCall", json!([call, "latest", {"tracer": tracer}])).await;
        assert!(code == -32602 && message.contains("not served"), "{code} {message}");
    }
    let (code, message, _) = node.fail("debug_traceTransaction", json!([format!("{:#066x}", 9)])).await;
    assert_eq!((code, message.as_str()), (-32000, "transaction not found"));
    assert_eq!(node.fail("debug_traceBlockByNumber", json!(["0xffff"])).await.0, -32001);
    assert_eq!(node.fail("debug_traceBlockByNumber", json!(["0x0"])).await.0, -32000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_list_names_what_a_call_reaches() {
    let (node, _) = served().await;
    let call = json!({"from": user().address(), "to": contract(), "input": "0x01020304", "gas": "0x30d40"});
    let answer = node.ask("eth_createAccessList", json!([call, "latest"])).await;
    let recipient = json!({"address": format!("{RECIPIENT:#x}"), "storageKeys": []});
    let slots = json!({"address": format!("{:#x}", contract()), "storageKeys": [format!("{:#066x}", 0)]});
    let listed = answer["accessList"].as_array().unwrap();
    assert_eq!(listed.len(), 2, "{answer}");
    assert!(listed.contains(&recipient) && listed.contains(&slots), "{answer}");
    assert!(answer["error"].is_null());
    let mut announced = call.clone();
    announced["accessList"] = answer["accessList"].clone();
    let again = node.ask("eth_createAccessList", json!([announced, "latest"])).await;
    assert_eq!(again, answer);

    let reverting = json!({"to": contract()});
    let answer = node.ask("eth_createAccessList", json!([reverting])).await;
    assert_eq!((&answer["accessList"], &answer["error"]), (&json!([]), &json!("execution reverted")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_shows_what_waits() {
    let node = Served::start().await;
    let pending = node.actor.transfer(2);
    let queued = node.actor.transfer(4);
    let name = user().address().to_checksum(None);
    let content = node.ask("txpool_content", json!([])).await;
    assert_eq!(content["pending"][&name]["2"]["hash"], pending.to_string());
    assert_eq!(content["queued"][&name]["4"]["hash"], queued.to_string());
    assert!(content["pending"][&name]["2"]["blockHash"].is_null());
    let from = node.ask("txpool_contentFrom", json!([user().address()])).await;
    assert_eq!((&from["pending"], &from["queued"]), (&content["pending"][&name], &content["queued"][&name]));
    assert_eq!(node.ask("txpool_contentFrom", json!([RECIPIENT])).await, json!({"pending": {}, "queued": {}}));
    let lines = node.ask("txpool_inspect", json!([])).await;
    let line = format!("{}: 1 wei + 21000 gas × 1000000000 wei", RECIPIENT.to_checksum(None));
    assert_eq!(lines["pending"][&name], json!({"2": line}));

    let few = Served::start_with(Limits { max_pool_content: 0, ..Limits::default() }).await;
    few.actor.transfer(2);
    for (method, params) in [("txpool_content", json!([])), ("txpool_contentFrom", json!([user().address()]))] {
        assert_eq!(few.fail(method, params).await.0, -32005);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_encodings_have_the_hashes_that_blocks_say() {
    let (node, receipts) = served().await;
    let block = node.ask("eth_getBlockByNumber", json!(["0x9", false])).await;
    let hash = |raw: &Value| keccak256(raw.as_str().unwrap().parse::<Bytes>().unwrap()).to_string();
    let header = node.ask("debug_getRawHeader", json!(["0x9"])).await;
    assert_eq!(block["hash"], hash(&header));
    let raw = node.ask("debug_getRawBlock", json!([{"blockHash": block["hash"]}])).await;
    assert!(raw.as_str().unwrap().contains(header.as_str().unwrap().trim_start_matches("0x")));
    assert_eq!((raw.as_str().unwrap().len() as u64 - 2) / 2, number(&block["size"]));
    let tx = node.ask("debug_getRawTransaction", json!([receipts[2]["transactionHash"]])).await;
    assert_eq!(receipts[2]["transactionHash"], hash(&tx));
    assert_eq!(node.ask("eth_getRawTransactionByBlockNumberAndIndex", json!(["0x9", "0x2"])).await, tx);
    assert_eq!(node.ask("eth_getRawTransactionByBlockHashAndIndex", json!([block["hash"], "0x2"])).await, tx);
    assert!(node.ask("eth_getRawTransactionByBlockNumberAndIndex", json!(["0x9", "0x6"])).await.is_null());

    let raw: Vec<Bytes> = serde_json::from_value(node.ask("debug_getRawReceipts", json!(["0x9"])).await).unwrap();
    let root = alloy_trie::root::ordered_trie_root_with_encoder(&raw, |receipt, out| out.extend_from_slice(receipt));
    assert_eq!(block["receiptsRoot"], root.to_string());

    assert_eq!(node.ask("eth_getBlockTransactionCountByNumber", json!(["0x9"])).await, "0x6");
    assert_eq!(node.ask("eth_getBlockTransactionCountByHash", json!([block["hash"]])).await, "0x6");
    assert_eq!(node.ask("eth_getUncleCountByBlockNumber", json!(["0x9"])).await, "0x0");
    assert_eq!(node.ask("eth_blobBaseFee", json!([])).await, "0x1");
}

#[tokio::test(flavor = "multi_thread")]
async fn otterscan_finds_what_it_asks_for() {
    let (node, receipts) = served().await;
    let block = node.ask("eth_getBlockByNumber", json!(["0x9", false])).await;
    assert_eq!(node.ask("ots_getApiLevel", json!([])).await, 8);
    for block_id in [json!(9), json!("0x9"), json!("latest")] {
        assert_eq!(node.ask("erigon_getHeaderByNumber", json!([block_id])).await["hash"], block["hash"]);
        assert_eq!(node.ask("ots_getHeaderByNumber", json!([block_id])).await["hash"], block["hash"]);
    }
    assert!(node.ask("erigon_getHeaderByNumber", json!([99])).await.is_null());
    assert_eq!(node.ask("ots_hasCode", json!([contract(), "latest"])).await, true);
    assert_eq!(node.ask("ots_hasCode", json!([contract(), 8])).await, false);

    let details = node.ask("ots_getBlockDetails", json!([9])).await;
    assert_eq!((&details["block"]["hash"], &details["block"]["transactionCount"]), (&block["hash"], &json!(6)));
    let paid = |receipt: &Value| number(&receipt["gasUsed"]) * number(&receipt["effectiveGasPrice"]);
    assert_eq!(number(&details["totalFees"]), receipts.iter().map(paid).sum::<u64>());
    assert_eq!(node.ask("ots_getBlockDetailsByHash", json!([block["hash"]])).await, details);

    // Pages count from the end.
    let page = node.ask("ots_getBlockTransactions", json!([9, 0, 4])).await;
    let shown = page["fullblock"]["transactions"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[3]["hash"]), (4, &receipts[5]["transactionHash"]));
    assert_eq!((&shown[1]["input"], &page["receipts"][3]["status"]), (&json!("0x01020304"), &json!("0x0")));
    let page = node.ask("ots_getBlockTransactions", json!([9, 1, 4])).await;
    assert_eq!(page["fullblock"]["transactions"].as_array().unwrap().len(), 2);
    assert_eq!(node.fail("ots_getBlockTransactions", json!([9, 0, 100_000])).await.0, -32005);

    let sender = user().address();
    let found = node.ask("ots_getTransactionBySenderAndNonce", json!([sender, 3])).await;
    assert_eq!(found, receipts[2]["transactionHash"]);
    let first = node.ask("eth_getBlockByNumber", json!(["0x1", false])).await;
    let found = node.ask("ots_getTransactionBySenderAndNonce", json!([sender, 1])).await;
    assert_eq!(found, first["transactions"][2]);
    assert!(node.ask("ots_getTransactionBySenderAndNonce", json!([sender, 7])).await.is_null());

    let internal = node.ask("ots_getInternalOperations", json!([receipts[2]["transactionHash"]])).await;
    let (from, to) = (format!("{:#x}", contract()), format!("{RECIPIENT:#x}"));
    assert_eq!(internal, json!([{"type": 0, "from": from, "to": to, "value": "0x1"}]));
    assert_eq!(node.ask("ots_getInternalOperations", json!([receipts[5]["transactionHash"]])).await, json!([]));
    assert_eq!(node.ask("ots_getTransactionError", json!([receipts[5]["transactionHash"]])).await, "0x02");
    assert_eq!(node.ask("ots_getTransactionError", json!([receipts[2]["transactionHash"]])).await, "0x");
    let trace = node.ask("ots_traceTransaction", json!([receipts[2]["transactionHash"]])).await;
    assert_eq!((&trace[0]["depth"], &trace[1]["depth"], &trace[1]["to"]), (&json!(0), &json!(1), &json!(to)));

    let creator = node.ask("ots_getContractCreator", json!([contract()])).await;
    assert_eq!(creator["hash"], receipts[1]["transactionHash"]);
    assert_eq!(creator["creator"], format!("{sender:#x}"));
    assert!(node.ask("ots_getContractCreator", json!([sender])).await.is_null());
}
