//! Many transactions at once, and where the node says its time went.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use alloy_primitives::{Bytes, keccak256};
use serde_json::{Value, json};

use super::{actors::user, rpc::Served};

fn send(id: u64, raw: &Bytes) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "eth_sendRawTransaction", "params": [raw]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_transactions_is_answered_in_order() {
    let node = Served::start().await;
    // The first two nonces are used already.
    let raw: Vec<_> = (2..5).map(|nonce| node.actor.signed_transfer(nonce)).collect();
    let batch = json!([send(7, &raw[2]), send(8, &Bytes::new()), send(9, &raw[0]), send(3, &raw[1]), send(1, &raw[1])]);
    let answers = node.post(&batch.to_string()).await;
    let ids: Vec<_> = answers.as_array().unwrap().iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [7, 8, 9, 3, 1]);
    for (answer, raw) in [(0, &raw[2]), (2, &raw[0]), (3, &raw[1])] {
        assert_eq!(answers[answer]["result"], json!(keccak256(raw)), "{answers}");
    }
    assert_eq!(answers[1]["error"]["code"], -32000, "{answers}");
    assert_eq!(answers[4]["error"]["message"], "already known", "{answers}");
    assert_eq!(node.ask("txpool_status", json!([])).await, json!({"pending": "0x3", "queued": "0x0"}));

    // A batch with anything else in it is answered as well.
    let mixed = json!([send(1, &raw[0]), {"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []}, 5]);
    let answers = node.post(&mixed.to_string()).await;
    assert_eq!(answers[0]["error"]["message"], "already known");
    assert_eq!((&answers[1]["id"], &answers[1]["result"]), (&json!(2), &json!("0x4f4c")));
    assert_eq!(answers[2]["error"]["code"], -32600);
    assert_eq!(node.post("[]").await["error"]["code"], -32600);

    let block = node.actor.produce().await;
    let block = node.ask("eth_getBlockByNumber", json!([format!("{:#x}", block.number), false])).await;
    assert_eq!(block["transactions"].as_array().unwrap().len(), 1 + 3);

    let metrics = node.get("/metrics").await;
    for phase in ["recover", "pool", "execute", "root", "commit", "rpc"] {
        let name = format!("openledger_phase_seconds_total{{phase=\"{phase}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name.as_str()));
        let seconds: f64 = line.unwrap_or_else(|| panic!("no {phase} in {metrics}")).parse().unwrap();
        assert!(seconds > 0.0, "{phase}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_nonce_never_goes_back_while_blocks_are_made() {
    let node = Served::start().await;
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_getTransactionCount", "params": [user().address(), "pending"]});
    let ended = AtomicBool::new(false);
    let ask = async || {
        let mut last = 0;
        while !ended.load(Relaxed) {
            let answer = node.post(&request.to_string()).await;
            let next = answer["result"].as_str().and_then(|hex| u64::from_str_radix(&hex[2..], 16).ok()).unwrap();
            assert!(next >= last, "{next} comes after {last}");
            last = next;
        }
        last
    };
    let make = async {
        for block in 0..50 {
            for nonce in 0..4 {
                node.actor.transfer(2 + 4 * block + nonce);
            }
            node.actor.produce().await;
        }
        ended.store(true, Relaxed);
    };
    let (.., first, second, third) = tokio::join!(make, ask(), ask(), ask());
    assert!(first > 2 && second > 2 && third > 2, "nobody asked while blocks were made");
}
