//! A node that keeps some of the past: what it answers below that, and that it goes on.

use alloy_primitives::{B256, address, keccak256};
use alloy_trie::{Nibbles, proof::verify_proof};
use openledger_storage::Retention;
use serde_json::json;

use super::{
    actors::{Actor, RECIPIENT},
    rpc::Served,
};
use crate::driver::pruner::Pruner;

const PASSER: alloy_primitives::Address = address!("4200000000000000000000000000000000000016");

/// Prunes as the node's task does, to the end. Returns the oldest block whose state is left.
async fn prune(actor: &Actor, state: u64, withdrawals: u64) -> u64 {
    let pruner = Pruner::new(actor.chain.clone(), Retention { state, withdrawals });
    while pruner.tick().await.unwrap() {}
    actor.chain.db().oldest_state()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_a_forgotten_state_say_what_is_kept() {
    let mut node = Served::start().await;
    node.actor.run(20).await;
    let withdrawals = node.actor.chain.heads().unwrap().finalized.number - 2;
    let kept = node.actor.head() - withdrawals;
    let oldest = prune(&node.actor, 1, kept).await;
    assert!(oldest > withdrawals, "everything up to the finalized block is forgotten: {oldest}");
    let forgotten = format!("{:#x}", oldest - 1);
    for (method, params) in [
        ("eth_getBalance", json!([RECIPIENT, forgotten])),
        ("eth_getStorageAt", json!([RECIPIENT, "0x0", forgotten])),
        ("eth_getProof", json!([RECIPIENT, [], forgotten])),
        ("eth_call", json!([{"to": RECIPIENT}, forgotten])),
        ("debug_traceBlockByNumber", json!([forgotten])),
    ] {
        let (code, message, _) = node.fail(method, params).await;
        assert_eq!(code, -32000, "{method}");
        assert!(message.starts_with("missing trie node"), "{method}: {message}");
        assert!(message.contains(&format!("block {oldest}")) && message.contains("--history-blocks"), "{message}");
    }
    // Blocks, receipts and logs stay, and so does what is kept.
    assert!(node.ask("eth_getBlockByNumber", json!([forgotten, true])).await["hash"].is_string());
    assert!(node.ask("eth_getBlockReceipts", json!([forgotten])).await.is_array());
    assert_eq!(node.ask("eth_getBalance", json!([RECIPIENT, format!("{oldest:#x}")])).await, "0x2");
    assert!(node.ask("eth_call", json!([{"to": RECIPIENT}, "latest"])).await.is_string());

    // The message passer is proven at older blocks, down to its own bound.
    let slot = B256::repeat_byte(1);
    for number in withdrawals..oldest {
        let block = node.ask("eth_getBlockByNumber", json!([format!("{number:#x}"), false])).await;
        let proof = node.ask("eth_getProof", json!([PASSER, [slot], format!("{number:#x}")])).await;
        let nodes: Vec<alloy_primitives::Bytes> = serde_json::from_value(proof["accountProof"].clone()).unwrap();
        let root: B256 = serde_json::from_value(block["stateRoot"].clone()).unwrap();
        // The test's genesis has no message passer: its absence is proven.
        verify_proof(root, Nibbles::unpack(keccak256(PASSER)), None, &nodes).unwrap();
        assert_eq!(node.ask("eth_getBalance", json!([PASSER, format!("{number:#x}")])).await, "0x0");
    }
    let (code, message, _) =
        node.fail("eth_getProof", json!([PASSER, [slot], format!("{:#x}", withdrawals - 1)])).await;
    assert!(code == -32000 && message.contains(&format!("block {withdrawals} ")), "{code} {message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_node_builds_derives_and_restarts() {
    let (sequencer_dir, verifier_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let l1 = Actor::new_l1();
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, None);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    sequencer.run(10).await;
    verifier.derive().await;
    let oldest = prune(&sequencer, 0, 0).await;
    assert_eq!(oldest, sequencer.chain.heads().unwrap().finalized.number);
    assert!(prune(&verifier, 0, 0).await > 0);
    drop((sequencer, verifier));

    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, None);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    assert_eq!(sequencer.chain.db().oldest_state(), oldest);
    sequencer.transfer(0);
    sequencer.run(10).await;
    verifier.derive().await;
    assert_eq!(verifier.safe(), sequencer.safe());
    assert_eq!(verifier.state_root(verifier.safe()), sequencer.state_root(verifier.safe()));
    assert!(verifier.chain.faults().unwrap().is_empty());
}
