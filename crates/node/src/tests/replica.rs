//! A replica: L1 decides, and unsafe blocks come from another node's RPC over real sockets.

use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use openledger_primitives::Block;
use openledger_rpc::{ChainApi as _, RpcError};
use parking_lot::Mutex;

use super::{
    actors::{Actor, RECIPIENT},
    rpc::Served,
};
use crate::{
    NodeError,
    api::NodeApi,
    driver::{
        derivation::Progress,
        follower::{Follower, UnsafeSource},
    },
    upstream::Upstream,
};

/// A node without blocks on the L1 of `served`.
fn replica(served: &Served) -> (Actor, tempfile::TempDir) {
    let datadir = tempfile::tempdir().unwrap();
    (Actor::open(datadir.path(), &served.actor.l1, None), datadir)
}

async fn follow(follower: &mut Follower<impl UnsafeSource>) -> Result<(), NodeError> {
    while follower.step().await? == Progress::Advanced {}
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unsafe_blocks_are_followed_and_become_safe_by_l1() {
    let mut served = Served::start().await;
    served.actor.transfer(2);
    served.actor.produce().await;
    let (mut replica, _datadir) = replica(&served);
    let mut follower = Follower::new(replica.chain.clone(), Upstream::new(served.url()).unwrap());
    follow(&mut follower).await.unwrap();
    let head = served.actor.chain.head().unwrap();
    assert_eq!(replica.chain.head().unwrap(), head);
    assert_eq!(replica.balance(RECIPIENT), served.actor.balance(RECIPIENT));
    assert_eq!(replica.safe(), 0);
    // L1 confirms them without executing again.
    replica.derive().await;
    assert_eq!(replica.safe(), served.actor.safe());
    assert!(replica.safe() > 0 && replica.safe() < head.number);
    assert_eq!(replica.chain.metrics().blocks_derived.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(replica.head(), head.number);
    // It goes on from there.
    served.actor.run(1).await;
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.chain.head().unwrap(), served.actor.chain.head().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_forwarded_and_seen() {
    let served = Served::start().await;
    let (replica, _datadir) = replica(&served);
    let forward = Some(Upstream::new(served.url()).unwrap());
    let api = Arc::new(NodeApi {
        chain: replica.chain.clone(),
        status: replica.status(),
        control: None,
        forward,
        is_live: true,
    });
    let mut follower = Follower::new(replica.chain.clone(), Upstream::new(served.url()).unwrap());
    follow(&mut follower).await.unwrap();
    let raw = served.actor.signed_transfer(2);
    let (again, asked) = (raw.clone(), api.clone());
    let hash = tokio::task::spawn_blocking(move || asked.submit(again)).await.unwrap().unwrap();
    assert!(served.actor.chain.pool().read(|pool| pool.get(&hash).is_some()), "the sequencer does not have it");
    assert!(api.pooled(hash).is_some(), "the replica does not show it as pending");
    served.actor.produce().await;
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.balance(RECIPIENT), served.actor.balance(RECIPIENT));
    assert!(api.pooled(hash).is_none());
    // What the sequencer refuses is refused with its words.
    let asked = api.clone();
    let refused = tokio::task::spawn_blocking(move || asked.submit(raw)).await.unwrap();
    assert!(matches!(&refused, Err(RpcError::Rejected(reason)) if reason.contains("nonce too low")), "{refused:?}");
    // A sequencer that is away is said to be.
    served.stop().await;
    let raw = replica.signed_transfer(3);
    let refused = tokio::task::spawn_blocking(move || api.submit(raw)).await.unwrap();
    assert!(matches!(&refused, Err(RpcError::Unavailable(_))), "{refused:?}");
    let error = follower.step().await.unwrap_err();
    assert!(matches!(error, NodeError::Upstream { .. }), "{error}");
    assert_eq!(error.severity(), openledger_derivation::Severity::Temporary);
}

/// A source that can be made to lie.
#[derive(Clone, Default)]
struct Blocks(Arc<Mutex<Vec<Block>>>);

impl Blocks {
    fn of(actor: &Actor) -> Self {
        let all = (0..=actor.head()).map(|number| actor.chain.block(number).unwrap().unwrap().block.clone());
        Self(Arc::new(Mutex::new(all.collect())))
    }
}

impl UnsafeSource for Blocks {
    async fn head(&self) -> Result<u64, NodeError> {
        Ok(self.0.lock().len() as u64 - 1)
    }

    async fn blocks(&self, first: u64, count: u64) -> Result<Vec<Block>, NodeError> {
        Ok(self.0.lock().iter().skip(first as usize).take(count as usize).cloned().collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_is_not_what_its_transactions_give_is_refused() {
    let served = Served::start().await;
    let good = served.actor.chain.block(2).unwrap().unwrap().block.clone();
    let mut forged: Vec<(&str, Block)> = Vec::new();
    let mut forge = |what, change: &dyn Fn(&mut Block)| {
        let mut block = good.clone();
        change(&mut block);
        forged.push((what, block));
    };
    forge("state root", &|block| block.header.state_root.0[0] ^= 1);
    forge("receipts root", &|block| block.header.receipts_root.0[0] ^= 1);
    forge("gas used", &|block| block.header.gas_used += 1);
    forge("number", &|block| block.header.number += 1);
    forge("time", &|block| block.header.timestamp += 1);
    forge("extra data", &|block| block.header.extra_data = vec![1, 2].into());
    forge("no L1 attributes", &|block| block.body.transactions.clear());
    forge("a transaction nobody signed", &|block| {
        let signature = alloy_primitives::Signature::new(Default::default(), Default::default(), false);
        block.body.transactions.push(TxEip1559::default().into_signed(signature).into());
    });
    for (what, block) in forged {
        let (replica, _datadir) = replica(&served);
        let source = Blocks::of(&served.actor);
        source.0.lock()[2] = block;
        let refused = follow(&mut Follower::new(replica.chain.clone(), source)).await;
        assert!(matches!(refused, Err(NodeError::UnsafeBlock { number: 2, .. })), "{what}: {refused:?}");
        assert_eq!(replica.head(), 1, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_wins_over_the_source() {
    let l1 = Actor::new_l1();
    let folders = [0; 3].map(|_| tempfile::tempdir().unwrap());
    let mut honest = Actor::open(folders[0].path(), &l1, None);
    let other = Actor::open(folders[1].path(), &l1, None);
    let mut replica = Actor::open(folders[2].path(), &l1, None);
    // Another branch: the same times, other transactions.
    other.transfer(0);
    for _ in 0..30 {
        other.produce().await;
    }
    let mut follower = Follower::new(replica.chain.clone(), Blocks::of(&other));
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.head(), 30);
    honest.run(6).await;
    replica.derive().await;
    assert_eq!(replica.safe(), honest.safe());
    assert!(replica.safe() > 0);
    assert_eq!(replica.state_root(replica.safe()), honest.state_root(honest.safe()));
    // The source has a longer chain, and it is not taken.
    let refused = follow(&mut follower).await;
    assert!(matches!(refused, Err(NodeError::UnsafeBlock { .. })), "{refused:?}");
    assert_eq!(replica.head(), replica.safe());
    // A source that is honest again is.
    *follower.source().0.lock() = std::mem::take(&mut *Blocks::of(&honest).0.lock());
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.chain.head().unwrap(), honest.chain.head().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_branch_of_the_source_replaces_unsafe_blocks() {
    let l1 = Actor::new_l1();
    let folders = [0; 3].map(|_| tempfile::tempdir().unwrap());
    let (first, second) = (Actor::open(folders[0].path(), &l1, None), Actor::open(folders[1].path(), &l1, None));
    let replica = Actor::open(folders[2].path(), &l1, None);
    second.transfer(0);
    for _ in 0..3 {
        first.produce().await;
        second.produce().await;
    }
    let source = Blocks::of(&first);
    let mut follower = Follower::new(replica.chain.clone(), source.clone());
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.chain.head().unwrap(), first.chain.head().unwrap());
    // A branch of the same length is not worth a reorganisation.
    *source.0.lock() = std::mem::take(&mut *Blocks::of(&second).0.lock());
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.chain.head().unwrap(), first.chain.head().unwrap());
    second.produce().await;
    *source.0.lock() = std::mem::take(&mut *Blocks::of(&second).0.lock());
    follow(&mut follower).await.unwrap();
    assert_eq!(replica.chain.head().unwrap(), second.chain.head().unwrap());
    assert_eq!(replica.balance(RECIPIENT), second.balance(RECIPIENT));
}
