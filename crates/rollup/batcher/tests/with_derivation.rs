//! Batcher and derivation together: whatever happens to the transactions on their way to L1, the chain that is derived in the end is
//! the sequencer's.

#[path = "../../derivation/tests/support/mod.rs"]
mod support;

use openledger_batcher::{Batcher, BatcherConfig, BatcherError, Payload};
use openledger_derivation::DerivationEvent;
use proptest::prelude::*;
use support::*;

/// How deep the sequencer's origins are: L1 reorganisations of less do not touch the L2.
const DEPTH: usize = 4;
const BLOCKS_PER_L1_BLOCK: u64 = L1_TIME / L2_TIME;

/// What L1 does with a transaction.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Include,
    IncludeTwice,
    /// It stays in the pool for the next block.
    Delay,
    /// It comes to stand on L1, but the answer gets lost: to the batcher it failed.
    IncludeAndForget,
    Fail,
}

struct World {
    l1: L1,
    node: Node,
    sequencer: Sequencer,
    batcher: Batcher,
    pool: Vec<Payload>,
}

impl World {
    fn new(config: BatcherConfig) -> Self {
        let mut l1 = L1::new();
        l1.mine_many(5);
        let node = Node::new(&l1);
        let sequencer = Sequencer::on(&node);
        let batcher = Batcher::new(config, &node.config, node.head().id(), l1.head().number);
        Self { l1, node, sequencer, batcher, pool: Vec::new() }
    }

    fn feed(&mut self) {
        while let Some((hash, block)) = self.sequencer.blocks.get(self.batcher.next_block() as usize - 1) {
            self.batcher.add_block(*hash, block).unwrap();
        }
    }

    /// One L1 block with the L2 blocks of its time.
    fn tick(&mut self, mut fate: impl FnMut() -> Fate) {
        for _ in 0..BLOCKS_PER_L1_BLOCK {
            self.sequencer.batch_confirmed(&self.l1, DEPTH);
        }
        self.feed();
        while let Some(payload) = self.batcher.next_payload() {
            self.pool.push(payload);
        }
        let number = self.l1.head().number + 1;
        let mut included = Vec::new();
        for payload in std::mem::take(&mut self.pool) {
            match fate() {
                Fate::Include => {
                    included.push(payload.data);
                    self.batcher.confirmed(payload.id, number);
                }
                Fate::IncludeTwice => {
                    included.extend([payload.data.clone(), payload.data]);
                    self.batcher.confirmed(payload.id, number);
                }
                Fate::Delay => self.pool.push(payload),
                Fate::IncludeAndForget => {
                    included.push(payload.data);
                    self.batcher.failed(payload.id);
                }
                Fate::Fail => drop(self.batcher.failed(payload.id)),
            }
        }
        self.l1.post(included);
        self.batcher.on_l1_head(number);
        self.derive();
    }

    fn derive(&mut self) {
        if self.node.sync(&self.l1).is_err() {
            self.node = Node::new(&self.l1);
            self.node.sync(&self.l1).unwrap();
        }
        let origin = self.node.derivation.origin().unwrap().number;
        self.batcher.on_derived(origin, self.node.derivation.safe_head());
    }

    /// L1 forgets its last blocks with all that was in them.
    fn reorg(&mut self, depth: u64) {
        let length = self.l1.blocks.len() as u64;
        self.l1.reorg(length - depth);
        // One block more, as the longer chain wins.
        self.l1.mine_many(depth + 1);
        self.batcher.on_l1_head(self.l1.head().number);
        self.derive();
    }

    /// Lets things take their course until all is safe.
    fn settle(&mut self) {
        for _ in 0..6 {
            self.tick(|| Fate::Include);
        }
        self.batcher.flush();
        self.feed();
        while let Some(payload) = self.batcher.next_payload() {
            self.batcher.confirmed(payload.id, self.l1.head().number + 1);
            self.l1.post([payload.data]);
        }
        self.derive();
        assert_eq!(self.node.head(), self.sequencer.head);
        assert_eq!((self.batcher.pending_blocks(), self.batcher.in_flight()), (0, 0));
        let faults = |event: &DerivationEvent| {
            matches!(event, DerivationEvent::ParentMismatch { .. } | DerivationEvent::WindowElapsed { .. })
        };
        assert!(!self.node.events.iter().any(faults), "{:?}", self.node.events);
    }
}

fn small() -> BatcherConfig {
    BatcherConfig { max_payload_size: 400, target_channel_size: 800, max_in_flight: 8, ..Default::default() }
}

#[test]
fn blocks_become_safe() {
    for config in [BatcherConfig::default(), small()] {
        let mut world = World::new(config);
        for _ in 0..20 {
            world.tick(|| Fate::Include);
            assert!(world.batcher.window_left().is_none_or(|left| left >= WINDOW - DEPTH as u64 - 6));
        }
        // Two L1 blocks is how long a channel may wait, one more for what is on its way.
        assert!(world.sequencer.head.number - world.node.head().number <= 4 * BLOCKS_PER_L1_BLOCK);
        world.settle();
    }
}

#[test]
fn failed_transactions_are_posted_again() {
    let mut world = World::new(small());
    let mut count = 0;
    for _ in 0..8 {
        world.tick(|| {
            count += 1;
            if count % 3 == 0 { Fate::Fail } else { Fate::Include }
        });
    }
    assert!(count > 8);
    world.settle();
}

#[test]
fn an_l1_reorganisation_brings_blocks_back() {
    let mut world = World::new(BatcherConfig::default());
    for _ in 0..6 {
        world.tick(|| Fate::Include);
    }
    let safe = world.node.head();
    world.reorg(3);
    assert!(world.node.head().number < safe.number);
    assert_eq!(world.batcher.next_block(), world.node.head().number + 1);
    world.settle();
}

#[test]
fn a_restart_begins_at_the_safe_head() {
    let mut world = World::new(small());
    for _ in 0..5 {
        world.tick(|| Fate::Include);
    }
    // Some of the old process's transactions are still on their way.
    world.tick(|| Fate::Delay);
    world.batcher = Batcher::new(small(), &world.node.config, world.node.head().id(), world.l1.head().number);
    world.settle();
}

#[test]
fn a_lost_channel_is_noticed_by_its_effect() {
    let mut world = World::new(BatcherConfig { max_channel_duration: 1, ..Default::default() });
    world.tick(|| Fate::Include);
    // The frames are on L1, as their receipts say, but another first frame displaced them.
    let payload = loop {
        if let Some(payload) = world.batcher.next_payload() {
            break payload;
        }
        world.batcher.on_l1_head(world.l1.head().number + 1);
        world.l1.mine();
    };
    world.batcher.confirmed(payload.id, world.l1.head().number);
    let head = world.node.head();
    world.node.sync(&world.l1).unwrap();
    assert_eq!(world.node.head(), head);
    let rewind = world.batcher.on_derived(world.l1.head().number, &head).unwrap();
    assert_eq!((rewind.first_block, payload.first_block), (1, 1));
    let again = world.batcher.next_payload().unwrap();
    assert_ne!(again.data, payload.data, "the channel has a new name");
    world.batcher.failed(again.id);
    world.settle();
}

#[test]
fn a_channel_that_times_out_is_posted_again() {
    let mut world = World::new(BatcherConfig { max_channel_duration: 0, ..small() });
    (0..50).for_each(|_| drop(world.sequencer.batch(&world.l1)));
    world.feed();
    let payloads: Vec<_> = std::iter::from_fn(|| world.batcher.next_payload()).collect();
    assert!(payloads.len() > 1);
    world.batcher.confirmed(payloads[0].id, 6);
    assert_eq!(world.batcher.on_l1_head(56), None);
    let rewind = world.batcher.on_l1_head(57).unwrap();
    assert_eq!((rewind.first_block, world.batcher.in_flight()), (1, 0));
}

#[test]
fn channels_close_by_size_age_window_and_on_demand() {
    let blocks = |world: &mut World, count: usize| {
        (0..count).for_each(|_| drop(world.sequencer.batch(&world.l1)));
        world.feed();
    };
    let patient = BatcherConfig { max_channel_duration: 1000, window_margin: 0, ..Default::default() };
    let mut world = World::new(BatcherConfig { target_channel_size: 4000, ..patient });
    blocks(&mut world, 10);
    assert!(world.batcher.next_payload().is_none());
    blocks(&mut world, 90);
    let payload = world.batcher.next_payload().expect("large enough");
    assert_eq!((payload.first_block, payload.last_block), (1, 100));

    let mut world = World::new(BatcherConfig { max_channel_duration: 3, ..patient });
    blocks(&mut world, 2);
    let head = world.l1.head().number;
    world.batcher.on_l1_head(head + 2);
    assert!(world.batcher.next_payload().is_none());
    world.batcher.on_l1_head(head + 3);
    assert!(world.batcher.next_payload().is_some());

    let mut world = World::new(BatcherConfig { window_margin: 5, ..patient });
    blocks(&mut world, 2);
    assert_eq!(world.batcher.window_left(), Some(WINDOW - 5));
    world.batcher.on_l1_head(WINDOW - 5);
    assert!(world.batcher.next_payload().is_none());
    world.batcher.on_l1_head(WINDOW - 4);
    assert!(world.batcher.next_payload().is_some());

    let mut world = World::new(patient);
    blocks(&mut world, 2);
    assert!(world.batcher.next_payload().is_none());
    world.batcher.flush();
    assert!(world.batcher.next_payload().is_some());
}

#[test]
fn the_backlog_is_what_l1_does_not_hold() {
    let mut world = World::new(BatcherConfig { max_channel_duration: 0, max_in_flight: 100, ..small() });
    assert_eq!(world.batcher.backlog(), 0);
    (0..50).for_each(|_| drop(world.sequencer.batch(&world.l1)));
    world.feed();
    // Before they are compressed, an estimate.
    assert!(world.batcher.backlog() > 1000);
    let payloads: Vec<_> = std::iter::from_fn(|| world.batcher.next_payload()).collect();
    let mut missing: u64 = payloads.iter().map(|payload| payload.data.len() as u64).sum();
    for payload in payloads {
        assert_eq!(world.batcher.backlog(), missing);
        missing -= payload.data.len() as u64;
        world.batcher.confirmed(payload.id, world.l1.head().number + 1);
        world.l1.post([payload.data]);
    }
    assert_eq!(world.batcher.backlog(), 0);
    world.derive();
    assert_eq!(world.batcher.backlog(), 0);
}

#[test]
fn payloads_keep_to_the_limit() {
    let mut world = World::new(BatcherConfig { max_channel_duration: 0, max_in_flight: 100, ..small() });
    (0..50).for_each(|_| drop(world.sequencer.batch(&world.l1)));
    world.feed();
    let payloads: Vec<_> = std::iter::from_fn(|| world.batcher.next_payload()).collect();
    assert!(payloads.len() > 5);
    assert!(payloads.iter().all(|payload| payload.data.len() <= 400));
    world.l1.post(payloads.iter().map(|payload| payload.data.clone()));
    world.derive();
    assert_eq!(world.node.head(), world.sequencer.head);
}

#[test]
fn a_reorganised_l2_is_noticed() {
    let mut world = World::new(BatcherConfig::default());
    (0..3).for_each(|_| drop(world.sequencer.batch(&world.l1)));
    world.feed();
    let other = world.sequencer.copy_on(world.node.head());
    let mut other = other;
    other.nonce = 77;
    let _ = other.batches(&world.l1, 4);
    let (hash, block) = &other.blocks[3];
    let error = world.batcher.add_block(*hash, block).unwrap_err();
    assert!(matches!(error, BatcherError::Reorg { .. }));
    world.batcher.reset(world.node.head().id());
    for (hash, block) in &other.blocks {
        world.batcher.add_block(*hash, block).unwrap();
    }
    assert_eq!((world.batcher.pending_blocks(), world.batcher.next_block()), (4, 5));
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Include),
        1 => Just(Fate::IncludeTwice),
        1 => Just(Fate::Delay),
        1 => Just(Fate::IncludeAndForget),
        1 => Just(Fate::Fail),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]
    #[test]
    fn whatever_happens_on_the_way_the_chain_is_the_same(
        fates in proptest::collection::vec(any_fate(), 40),
        reorgs in proptest::collection::vec(0u64..12, 6),
        restart in 0usize..12,
        is_small: bool,
    ) {
        let config = if is_small { small() } else { BatcherConfig::default() };
        let mut world = World::new(config);
        let mut fates = fates.into_iter().cycle();
        for (index, reorg) in reorgs.into_iter().enumerate() {
            world.tick(|| fates.next().expect("it never ends"));
            if (1..=3).contains(&reorg) {
                world.reorg(reorg);
            }
            if index == restart {
                let head = world.node.head().id();
                world.batcher = Batcher::new(config, &world.node.config, head, world.l1.head().number);
            }
        }
        world.settle();
    }
}
