//! How blocks are named, and what the node answers to requests beyond its bounds.

use alloy_primitives::B256;
use openledger_rpc::Limits;
use serde_json::json;

use super::{actors::RECIPIENT, rpc::Served};

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_named_by_number_or_by_hash() {
    let node = Served::start().await;
    let hash = node.ask("eth_getBlockByNumber", json!(["0x1", false])).await["hash"].clone();
    for canonical in [true, false] {
        let block = json!({"blockHash": hash, "requireCanonical": canonical});
        assert_eq!(node.ask("eth_getBalance", json!([RECIPIENT, block])).await, "0x2");
        let unknown = json!({"blockHash": B256::repeat_byte(7), "requireCanonical": canonical});
        for (method, params) in [
            ("eth_getBalance", json!([RECIPIENT, unknown])),
            ("eth_getTransactionCount", json!([RECIPIENT, unknown])),
            ("eth_getCode", json!([RECIPIENT, unknown])),
            ("eth_getStorageAt", json!([RECIPIENT, "0x0", unknown])),
            ("eth_getProof", json!([RECIPIENT, [], unknown])),
            ("eth_call", json!([{"to": RECIPIENT}, unknown])),
        ] {
            assert_eq!(node.fail(method, params).await.0, -32001, "{method}");
        }
    }
    let both = json!({"blockHash": hash, "blockNumber": "0x1"});
    for wrong in [both, json!({}), json!("newest"), json!("12"), json!(12)] {
        assert_eq!(node.fail("eth_getBalance", json!([RECIPIENT, wrong])).await.0, -32602, "{wrong}");
    }
    // Genesis, before the transfers, by all its names.
    for genesis in [json!("earliest"), json!("0x0"), json!({"blockNumber": "0x0"})] {
        assert_eq!(node.ask("eth_getBalance", json!([RECIPIENT, genesis])).await, "0x0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_have_bounds() {
    let node = Served::start_with(Limits { max_log_blocks: 3, ..Limits::default() }).await;
    let logs = |from: &str, to: &str| json!([{"fromBlock": from, "toBlock": to}]);
    assert_eq!(node.ask("eth_getLogs", logs("0x1", "0x3")).await, json!([]));
    let (code, message, _) = node.fail("eth_getLogs", logs("0x1", "0x4")).await;
    assert!(code == -32005 && message.contains("at most 3"), "{code} {message}");
    assert_eq!(node.fail("eth_getLogs", logs("0x3", "0x1")).await.0, -32602);
    let (code, ..) = node.fail("eth_getLogs", json!([{"blockHash": B256::repeat_byte(7)}])).await;
    assert_eq!(code, -32001);
    let both = json!([{"blockHash": B256::repeat_byte(7), "fromBlock": "0x1"}]);
    assert_eq!(node.fail("eth_getLogs", both).await.0, -32602);

    // Of past blocks, never of ones to come, and never before genesis.
    let history = node.ask("eth_feeHistory", json!(["0x2", "0x5", []])).await;
    assert_eq!((&history["oldestBlock"], history["gasUsedRatio"].as_array().unwrap().len()), (&json!("0x4"), 2));
    let next = node.ask("eth_getBlockByNumber", json!(["0x6", false])).await["baseFeePerGas"].clone();
    assert_eq!(history["baseFeePerGas"][2], next);
    let history = node.ask("eth_feeHistory", json!(["0x400", "0x1", []])).await;
    assert_eq!((&history["oldestBlock"], history["gasUsedRatio"].as_array().unwrap().len()), (&json!("0x0"), 2));
    assert_eq!(node.fail("eth_feeHistory", json!(["0x1", "0x9", []])).await.0, -32000);
    for percentiles in [json!([-1.0]), json!([101.0]), json!([50.0, 10.0])] {
        assert_eq!(node.fail("eth_feeHistory", json!(["0x1", "latest", percentiles])).await.0, -32602);
    }
}
