//! Execution witnesses over real sockets: what a block reads is enough to execute it anywhere.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Bytes, TxKind, hex};
use openledger_rpc::Limits;
use openledger_witness::{Witness, replay};
use serde_json::json;

use super::rpc::Served;

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_executed_on_its_witness() {
    let mut node = Served::start().await;
    // Init code that stores 1 in slot 0 and returns a code.
    let creation = TxEip1559 {
        nonce: 2,
        gas_limit: 200_000,
        to: TxKind::Create,
        input: Bytes::from_static(&hex!("60015f5560015ff3")),
        ..Default::default()
    };
    node.actor.chain.submit(node.actor.signed(creation)).unwrap();
    node.actor.run(2).await;
    let spec = node.actor.chain.config().chain_spec();
    for number in 1..=node.actor.head() {
        let block = node.actor.chain.block(number).unwrap().unwrap();
        let answer = node.ask("debug_executionWitness", json!([format!("{number:#x}")])).await;
        assert_eq!(node.ask("debug_executionWitnessByBlockHash", json!([block.hash])).await, answer);
        let witness: Witness = serde_json::from_value(answer).unwrap();
        let executed = replay(&witness, &spec, &block.block).unwrap();
        assert_eq!((executed.hash, &executed.receipts), (block.hash, &block.receipts));
    }
    assert_eq!(node.fail("debug_executionWitness", json!(["0x0"])).await.0, -32000);
    assert_eq!(node.fail("debug_executionWitness", json!(["0xffff"])).await.0, -32001);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_has_bounds() {
    let node = Served::start_with(Limits { max_trace_bytes: 100, ..Limits::default() }).await;
    let (code, message, _) = node.fail("debug_executionWitness", json!(["0x1"])).await;
    assert!(code == -32005 && message.contains("100"), "{code} {message}");
}
