//! Action tests: whole nodes on an L1 in memory.

mod actors;
mod config_files;
mod history;
mod l1;
mod load;
mod operations;
mod pool_fees;
mod replica;
mod rpc;
mod rpc_conformance;
mod rpc_gate;
mod rpc_rules;
mod rpc_trace;
mod rpc_websocket;
mod rpc_witness;
mod socket;
mod submissions;

use alloy_primitives::U256;
use openledger_rpc::FaultKind;

use crate::{
    NodeError,
    driver::{derivation::Progress, sequencer::ProduceError},
};
use actors::{Actor, RECIPIENT};

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_derives_the_sequencers_chain_from_l1_alone() {
    let (sequencer_dir, verifier_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let l1 = Actor::new_l1();
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, None);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);

    for nonce in 0..3 {
        sequencer.transfer(nonce);
    }
    sequencer.run(6).await;
    sequencer.propose().await;
    verifier.derive().await;
    verifier.check_outputs().await;

    assert!(sequencer.safe() >= 8, "only {} blocks became safe", sequencer.safe());
    assert_eq!(verifier.safe(), sequencer.safe());
    assert_eq!(verifier.head(), verifier.safe());
    assert_eq!(verifier.state_root(verifier.safe()), sequencer.state_root(verifier.safe()));
    assert_eq!(verifier.balance(RECIPIENT), U256::from(3));
    assert!(verifier.chain.faults().unwrap().is_empty());
    let derived = verifier.chain.records().derived(1).unwrap().unwrap();
    assert_eq!(derived.l1_transactions.len(), 1);
    let finalized = verifier.chain.heads().unwrap().finalized.number;
    assert!(finalized > 0 && finalized < verifier.safe());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_state_is_found_at_its_first_block() {
    let (sequencer_dir, verifier_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let l1 = Actor::new_l1();
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, Some(7));
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);

    sequencer.run(8).await;
    verifier.derive().await;

    let faults = verifier.chain.faults().unwrap();
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].kind, faults[0].block_number), (FaultKind::ParentMismatch, 7));
    assert_eq!(faults[0].derived, verifier.chain.block(7).unwrap().unwrap().hash);
    assert_eq!(faults[0].claimed, sequencer.chain.block(7).unwrap().unwrap().hash);
    assert_ne!(verifier.state_root(7), sequencer.state_root(7));
    assert_eq!(verifier.state_root(6), sequencer.state_root(6));
    assert_eq!(verifier.safe(), 7);
    // The sequencer itself goes on with its wrong chain.
    assert!(sequencer.safe() > 7);

    // The fault is remembered, and reported once.
    drop(verifier);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    verifier.derive().await;
    assert_eq!(verifier.chain.faults().unwrap(), faults);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_output_is_found() {
    let (sequencer_dir, verifier_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let l1 = Actor::new_l1();
    // Block 8 is the last of an output's interval, so that its wrong root is proposed while the verifier still follows.
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, Some(8));
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    sequencer.run(8).await;
    sequencer.propose().await;
    verifier.derive().await;
    verifier.check_outputs().await;
    let faults = verifier.chain.faults().unwrap();
    assert!(faults.iter().any(|fault| fault.kind == FaultKind::OutputMismatch && fault.block_number == 8));
    assert!(faults.iter().all(|fault| fault.block_number == 8));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_nodes_go_on_after_a_restart() {
    let (sequencer_dir, verifier_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let l1 = Actor::new_l1();
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, None);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    sequencer.run(4).await;
    verifier.derive().await;
    let waiting = sequencer.transfer(0);
    let (head, safe) = (sequencer.head(), sequencer.safe());

    drop(sequencer);
    drop(verifier);
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, None);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    assert_eq!((sequencer.head(), sequencer.safe()), (head, safe));
    sequencer.run(4).await;
    verifier.derive().await;

    // The transaction that was acknowledged before the restart is in a block after it.
    assert!(sequencer.chain.db().transaction(&waiting).unwrap().is_some());
    assert!(verifier.safe() > safe);
    assert_eq!(verifier.safe(), sequencer.safe());
    assert_eq!(verifier.state_root(verifier.safe()), sequencer.state_root(verifier.safe()));
    assert_eq!(verifier.balance(RECIPIENT), U256::from(1));
    assert!(verifier.chain.faults().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_l1_that_was_rolled_back_is_followed() {
    let (sequencer_dir, verifier_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let l1 = Actor::new_l1();
    let mut sequencer = Actor::open(sequencer_dir.path(), &l1, None);
    let mut verifier = Actor::open(verifier_dir.path(), &l1, None);
    sequencer.run(3).await;
    sequencer.transfer(0);
    sequencer.run(6).await;
    verifier.derive().await;
    let safe = verifier.safe();
    assert!(verifier.chain.heads().unwrap().finalized.number > 6);

    // L1 loses most of its blocks, finalized ones too, and continues with others.
    l1.roll_back(3);
    assert!(matches!(sequencer.try_produce().await, Err(ProduceError::Origin(_))));
    sequencer.derive().await;
    assert!(sequencer.head() < safe);
    // What is left builds on L1 blocks that are left; of that, only what they carry is safe.
    assert!(sequencer.safe() < sequencer.head());
    for _ in 0..10 {
        l1.mine();
    }
    sequencer.run(12).await;
    verifier.derive().await;

    assert!(verifier.safe() > safe, "{} blocks of {} are safe, {safe} were before", verifier.safe(), sequencer.head());
    assert_eq!(verifier.safe(), sequencer.safe());
    assert_eq!(verifier.state_root(verifier.safe()), sequencer.state_root(verifier.safe()));
    // The transfer left the chain with its block and came back from the pool.
    assert_eq!(verifier.balance(RECIPIENT), U256::from(1));
    assert!(verifier.chain.faults().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn production_goes_on_while_l1_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let l1 = Actor::new_l1();
    let mut sequencer = Actor::open(folder.path(), &l1, None);
    sequencer.run(2).await;
    let origin = sequencer.chain.head().unwrap().l1_origin;
    l1.set_away(true);
    for _ in 0..5 {
        assert_eq!(sequencer.produce().await.l1_origin, origin);
    }
    assert!(matches!(sequencer.try_derive().await, Err(NodeError::L1(_))));
    l1.set_away(false);
    for _ in 0..4 {
        l1.mine();
    }
    sequencer.run(4).await;
    assert!(sequencer.chain.head().unwrap().l1_origin.number > origin.number);
    assert!(sequencer.safe() > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_l1_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let l1 = Actor::new_l1();
    drop(Actor::open(folder.path(), &l1, None));
    let mut actor = Actor::open(folder.path(), &l1, None);
    assert_eq!(actor.try_derive().await.unwrap(), Progress::Advanced);
    l1.replace_genesis();
    assert!(matches!(actor.derivation.reset().await, Err(NodeError::L1Genesis { .. })));
}
