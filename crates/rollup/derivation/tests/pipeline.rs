//! The derivation rules, acted out on an L1 in memory.

mod support;

use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes};
use openledger_batch::{ConfigUpdate, L1Info, SingleBatch, encode_frames};
use openledger_derivation::{
    BatchDrop, Derivation, DerivationError, DerivationEvent, DerivedFrom, Severity, Start, find_start, mismatch,
};
use support::*;

fn drops(node: &Node) -> Vec<BatchDrop> {
    let reason = |event: &DerivationEvent| match event {
        DerivationEvent::BatchDropped { reason, .. } => Some(*reason),
        DerivationEvent::ParentMismatch { .. } => Some(BatchDrop::ParentMismatch),
        _ => None,
    };
    node.events.iter().filter_map(reason).collect()
}

fn scene() -> (L1, Node, Sequencer) {
    let mut l1 = L1::new();
    l1.mine_many(3);
    let node = Node::new(&l1);
    let sequencer = Sequencer::on(&node);
    (l1, node, sequencer)
}

#[test]
fn derivation_reproduces_the_sequencers_chain() {
    let (mut l1, mut node, mut sequencer) = scene();
    let deposit = l1.deposit(5);
    l1.update(ConfigUpdate::GasLimit(50_000_000));
    l1.update(ConfigUpdate::MinBaseFee(9));
    let batches = sequencer.batches(&l1, 40);
    l1.post([payload(1, &batches[..10]), payload(2, &batches[10..])]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
    assert_eq!(node.events, []);
    // Deposits come once, in the first block of their epoch; the updates begin there, too.
    let deposit: Bytes = deposit.encoded_2718().into();
    for derived in &node.derived {
        let is_first = derived.epoch.number == 4 && derived.sequence_number == 0;
        assert_eq!(derived.attributes.transactions.contains(&deposit), is_first);
        assert_eq!(derived.attributes.gas_limit, if derived.epoch.number >= 5 { 50_000_000 } else { 30_000_000 });
        assert_eq!(derived.attributes.min_base_fee, if derived.epoch.number >= 6 { 9 } else { 5 });
        assert!(matches!(derived.from, DerivedFrom::Batch { .. }));
        assert_eq!(derived.l1_block.number, 7);
    }
    assert_eq!(node.head().l1_origin.number, 6);
    // The blocks we have are the blocks that L1 prescribes; the first difference is named.
    for ((_, block), derived) in node.chain[1..].iter().zip(&node.derived) {
        assert_eq!(mismatch(&node.config, derived, block), None);
    }
    let mut other = node.chain[1].1.clone();
    other.body.transactions.pop();
    assert_eq!(mismatch(&node.config, &node.derived[0], &other), Some("transactions"));
    other.header.gas_limit += 1;
    assert_eq!(mismatch(&node.config, &node.derived[0], &other), Some("gas limit"));
}

#[test]
fn a_channel_may_take_several_l1_blocks() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 10);
    for frame in frames(1, &batches, 3) {
        l1.post([encode_frames([&frame])]);
        l1.mine_many(2);
    }
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
}

#[test]
fn lost_frames_stop_the_chain_until_the_channel_is_posted_again() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 10);
    let parts = frames(1, &batches, 3);
    l1.post([encode_frames([&parts[0]]), encode_frames([&parts[2]])]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head().number, 0);
    assert!(matches!(node.events[..], [DerivationEvent::FrameDropped { number: 2, .. }]));
    l1.post([encode_frames(&parts)]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
}

#[test]
fn duplicated_and_disordered_frames_change_nothing() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 10);
    let parts = frames(1, &batches, 3);
    let post = |indices: &[usize]| indices.iter().map(|index| encode_frames([&parts[*index]])).collect::<Vec<_>>();
    l1.post(post(&[2, 1]));
    l1.post(post(&[0, 2, 1, 1]));
    l1.post(post(&[2]));
    l1.post(post(&[0, 1, 2]));
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
    assert_eq!(node.derived[0].l1_block.number, 6);
}

#[test]
fn only_the_batcher_is_heard_and_its_address_may_change() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 4);
    let stranger = Address::repeat_byte(0x55);
    l1.post_from(stranger, [payload(1, &batches)]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head().number, 0);
    // The update counts for the block that it is in.
    l1.post_from(stranger, [payload(1, &batches)]);
    l1.blocks.last_mut().unwrap().config_updates.push(ConfigUpdate::Batcher(stranger));
    l1.post([payload(2, &batches)]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
    assert_eq!(node.derived[0].l1_block.number, 5);
    assert_eq!(node.derivation.system_config().batcher_address, stranger);
}

#[test]
fn unreadable_data_is_reported_and_skipped() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 2);
    let garbage = Bytes::from_static(&[0, 1, 2, 3]);
    let mut broken = frames(1, &batches, 1);
    broken[0].data = Bytes::from_static(&[0xff, 1]);
    l1.post([garbage, encode_frames(&broken), payload(2, &batches)]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
    let [DerivationEvent::PayloadUnreadable { .. }, DerivationEvent::ChannelUnreadable { .. }] = &node.events[..]
    else {
        panic!("{:?}", node.events)
    };
}

#[test]
fn a_channel_times_out() {
    let (mut l1, mut node, mut sequencer) = scene();
    let mut config = (*node.config).clone();
    config.seq_window_size = 1000;
    let start = Start {
        safe_head: node.head(),
        l1: config.genesis.l1,
        system_config: config.genesis.system_config,
        processed_through: 0,
    };
    node.derivation = Derivation::new(config.into(), start);
    let batches = sequencer.batches(&l1, 10);
    let parts = frames(1, &batches, 2);
    l1.post([encode_frames([&parts[0]])]);
    l1.mine_many(50);
    l1.post([encode_frames([&parts[1]])]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head().number, 0);
    assert!(matches!(
        node.events[..],
        [DerivationEvent::ChannelTimedOut { .. }, DerivationEvent::FrameDropped { number: 1, .. }]
    ));
    // 50 blocks later is still in time.
    l1.post([encode_frames([&parts[0]])]);
    l1.mine_many(49);
    l1.post([encode_frames([&parts[1]])]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
}

#[test]
fn batches_must_be_in_order() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 9);
    // The future is dropped with its channel, the past is skipped without harm to its channel.
    l1.post([payload(1, &[&batches[3..6], &batches[..1]].concat()), payload(2, &batches[..3])]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head().number, 3);
    assert_eq!(drops(&node), [BatchDrop::Future]);
    l1.post([payload(3, &batches[1..])]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
    assert_eq!(drops(&node), [BatchDrop::Future]);
}

#[test]
fn every_rule_for_a_batch_is_checked() {
    let check = |reason: BatchDrop, change: &dyn Fn(&mut SingleBatch, &L1)| {
        let (mut l1, mut node, mut sequencer) = scene();
        let good = sequencer.batches(&l1, 8);
        l1.post([payload(1, &good)]);
        l1.mine_many(5);
        let mut next = sequencer.batch(&l1);
        change(&mut next, &l1);
        l1.post([payload(2, &[next])]);
        node.sync(&l1).unwrap();
        assert_eq!(node.head().number, 8, "{reason:?}");
        assert_eq!(drops(&node), [reason]);
    };
    check(BatchDrop::Future, &|batch, _| batch.timestamp += 1);
    check(BatchDrop::ParentMismatch, &|batch, _| batch.parent_hash = B256::ZERO);
    check(BatchDrop::EpochTooOld, &|batch, l1| batch.epoch = l1.blocks[0].info.block.id());
    check(BatchDrop::EpochTooNew, &|batch, l1| batch.epoch = l1.blocks[3].info.block.id());
    check(BatchDrop::EpochNotCanonical, &|batch, _| batch.epoch.hash = B256::ZERO);
    check(BatchDrop::BeforeOrigin, &|batch, l1| batch.epoch = l1.blocks[2].info.block.id());
    check(BatchDrop::EmptyTransaction, &|batch, _| batch.transactions.push(Bytes::new()));
    check(BatchDrop::DepositTransaction, &|batch, _| batch.transactions.push(Bytes::from_static(&[0x7e, 1])));
}

#[test]
fn drift_is_limited_to_1800_seconds() {
    let (mut l1, mut node, mut sequencer) = scene();
    // L1 slows down: the next L1 block is 2000 seconds later.
    let origin = *l1.head();
    l1.mine().info.block.timestamp = origin.timestamp + 2000;
    let last_full = (origin.timestamp + 1800 - node.head().timestamp) / L2_TIME;
    let batches = sequencer.batches(&l1, last_full as usize);
    assert_eq!(sequencer.head.l1_origin, origin.id());
    // Past the drift, empty batches hold the chain together, full ones do not.
    let full = sequencer.copy_on(sequencer.head).batch(&l1);
    let empty = sequencer.batch_in(&l1, origin.id(), vec![]);
    l1.post([payload(1, &batches), payload(2, &[full]), payload(3, &[empty])]);
    node.sync(&l1).unwrap();
    assert_eq!(drops(&node), [BatchDrop::DriftExceeded]);
    assert_eq!(node.head(), sequencer.head);
    // Once the next origin could be taken, an empty batch in the old one is dropped.
    let mut empties = Vec::new();
    while sequencer.head.timestamp + L2_TIME < l1.blocks[4].info.block.timestamp {
        empties.push(sequencer.batch_in(&l1, origin.id(), vec![]));
    }
    let stale = sequencer.copy_on(sequencer.head).batch_in(&l1, origin.id(), vec![]);
    let advancing = sequencer.batch(&l1);
    assert_eq!(advancing.epoch, l1.blocks[4].info.block.id());
    l1.post([payload(4, &empties), payload(5, &[stale]), payload(6, &[advancing])]);
    node.sync(&l1).unwrap();
    assert_eq!(drops(&node), [BatchDrop::DriftExceeded, BatchDrop::OriginNotAdvanced]);
    assert_eq!(node.head(), sequencer.head);
}

#[test]
fn an_elapsed_window_leads_to_blocks_of_deposits_alone() {
    let (mut l1, mut node, mut sequencer) = scene();
    l1.deposit(5);
    l1.mine_many(WINDOW - 5);
    node.sync(&l1).unwrap();
    assert_eq!(node.head().number, 0);
    l1.mine();
    node.sync(&l1).unwrap();
    // At block WINDOW the window of epoch 0 is over: its blocks up to the time of block 1.
    assert_eq!(node.head().number, L1_TIME / L2_TIME - 1);
    assert!(
        node.derived.iter().all(|derived| derived.from == DerivedFrom::WindowElapsed && derived.is_deposits_only())
    );
    // A batch that comes too late is dropped.
    let batches = sequencer.batches(&l1, 1);
    let late = sequencer.copy_on(node.head()).batch_in(&l1, l1.blocks[0].info.block.id(), vec![]);
    l1.post([payload(1, &batches), payload(2, &[late])]);
    l1.mine_many(4);
    node.sync(&l1).unwrap();
    assert!(drops(&node).contains(&BatchDrop::IncludedTooLate));
    // Every epoch has its blocks, the deposit is in epoch 4.
    let deposits: Vec<_> = node.derived.iter().filter(|derived| derived.attributes.transactions.len() == 2).collect();
    assert_eq!(deposits.len(), 1);
    assert_eq!((deposits[0].epoch.number, deposits[0].sequence_number), (4, 0));
    assert_eq!(node.head().l1_origin.number, 5);
    // The sequencer takes over again on top.
    let mut sequencer = Sequencer::on(&node);
    sequencer.system = node.config.genesis.system_config;
    let batches = sequencer.batches(&l1, 12);
    l1.post([payload(3, &batches)]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
}

#[test]
fn an_epoch_without_time_gets_one_block() {
    // L1 blocks closer together than L2 blocks: each epoch still has a block, and L2 time runs ahead of L1's.
    let mut l1 = L1::new();
    for _ in 0..WINDOW + 5 {
        let timestamp = l1.head().timestamp + 1;
        l1.mine().info.block.timestamp = timestamp;
    }
    let mut node = Node::new(&l1);
    node.sync(&l1).unwrap();
    let epochs: Vec<_> = node.derived.iter().map(|derived| (derived.epoch.number, derived.sequence_number)).collect();
    assert_eq!(epochs, [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]);
}

#[test]
fn an_invalid_block_is_replaced_by_its_deposits() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 6);
    node.invalid.push(3);
    l1.post([payload(1, &batches)]);
    node.sync(&l1).unwrap();
    // Block 3 stands with its deposits alone, and the rest of the channel is gone.
    assert_eq!(node.head().number, 3);
    let last = node.derived.last().unwrap();
    assert_eq!((last.from, last.attributes.transactions.len()), (DerivedFrom::Replaced, 1));
    assert!(matches!(node.events[..], [DerivationEvent::PayloadReplaced { .. }]));
    // A sequencer that goes on as if nothing had happened builds on another block.
    l1.post([payload(2, &batches[3..])]);
    node.sync(&l1).unwrap();
    assert_eq!(drops(&node), [BatchDrop::ParentMismatch]);
    assert_eq!(node.derivation.invalidate(), Err(DerivationError::NothingPending));
}

#[test]
fn deposits_alone_cannot_be_invalid() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 1);
    l1.post([payload(1, &batches)]);
    while let openledger_derivation::Step::NeedL1(number) = node.derivation.step() {
        node.derivation.push_l1(l1.blocks[number as usize].clone()).unwrap();
    }
    node.derivation.invalidate().unwrap();
    let error = node.derivation.invalidate().unwrap_err();
    assert_eq!(error.severity(), Severity::Critical);
}

#[test]
fn a_wrong_state_is_found_from_l1_alone() {
    let (mut l1, mut node, mut sequencer) = scene();
    let mut batches = sequencer.batches(&l1, 6);
    // The sequencer's block 4 has another hash than the one that its own batch leads to.
    let wrong = B256::repeat_byte(0xee);
    batches[4].parent_hash = wrong;
    l1.post([payload(1, &batches)]);
    node.sync(&l1).unwrap();
    let ours = node.chain[4].0;
    assert_eq!(node.head(), ours);
    let [DerivationEvent::ParentMismatch { block, batch_parent, l1_block, .. }] = &node.events[..] else {
        panic!("{:?}", node.events)
    };
    assert_eq!((*block, *batch_parent, l1_block.number), (ours, wrong, 4));
}

#[test]
fn an_old_batch_for_a_reorganised_l1_is_no_fault() {
    let (mut l1, mut node, mut sequencer) = scene();
    let mut batches = sequencer.batches(&l1, 1);
    batches[0].parent_hash = B256::repeat_byte(1);
    batches[0].epoch.hash = B256::repeat_byte(2);
    l1.post([payload(1, &batches)]);
    node.sync(&l1).unwrap();
    assert!(matches!(node.events[..], [DerivationEvent::BatchDropped { reason: BatchDrop::ParentMismatch, .. }]));
}

#[test]
fn an_l1_reorganisation_is_a_reset() {
    let (mut l1, mut node, mut sequencer) = scene();
    let batches = sequencer.batches(&l1, 20);
    l1.post([payload(1, &batches)]);
    node.sync(&l1).unwrap();
    let safe = node.head();
    l1.reorg(4);
    l1.mine_many(3);
    let error = node.sync(&l1).unwrap_err();
    assert!(matches!(error, DerivationError::L1Reorg { .. }));
    assert_eq!(error.severity(), Severity::Reset);
    // Start over below the reorganisation: the batches are gone from L1, and when they are posted again the same chain results.
    let start = find_start(&node.config, node.chain[0].0, 0, |number| {
        let (reference, block) = &node.chain[number as usize];
        Ok::<_, openledger_batch::DecodeError>((reference.hash, block.clone()))
    });
    node.derivation = Derivation::new(node.config.clone(), start.unwrap());
    node.chain.truncate(1);
    node.sync(&l1).unwrap();
    assert_eq!(node.head().number, 0);
    l1.post([payload(1, &batches)]);
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), safe);
    // The head's own origin was reorganised away.
    l1.reorg(safe.l1_origin.number);
    l1.mine_many(5);
    let start = find_start(&node.config, safe, 0, |number| {
        let (reference, block) = &node.chain[number as usize];
        Ok::<_, openledger_batch::DecodeError>((reference.hash, block.clone()))
    });
    node.derivation = Derivation::new(node.config.clone(), start.unwrap());
    assert!(matches!(node.sync(&l1), Err(DerivationError::L1BlockReplaced { .. })));
}

#[test]
fn a_restart_at_any_point_leads_to_the_same_chain() {
    let (mut l1, mut node, mut sequencer) = scene();
    // Batches across channels and L1 blocks, a configuration change, early batches that are dropped, a posted-again channel.
    for round in 0..8u8 {
        l1.deposit(u128::from(round));
        let batches = sequencer.batches(&l1, 18);
        let parts = frames(round, &batches, 2);
        if round == 3 {
            l1.update(ConfigUpdate::MinBaseFee(77));
        }
        // What comes too early is dropped, although it would fit later on.
        l1.post([payload(100 + round, &batches[2..4]), encode_frames([&parts[0]])]);
        l1.post([encode_frames([&parts[1]])]);
    }
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);

    for index in 0..node.derived.len() {
        // The process dies after block `index` + 1; it restarts as `find_start` says.
        let reached = node.derived[index].l1_block.number;
        let safe =
            node.derived[..=index].iter().rposition(|derived| derived.l1_block.number < reached).map_or(0, |at| at + 1);
        let block = |number: u64| {
            let (reference, block) = &node.chain[number as usize];
            Ok::<_, openledger_batch::DecodeError>((reference.hash, block.clone()))
        };
        let start = find_start(&node.config, node.chain[safe].0, reached - 1, block).unwrap();
        let mut again = Node::new(&l1);
        again.chain = node.chain[..=safe].to_vec();
        again.derivation = Derivation::new(node.config.clone(), start);
        again.sync(&l1).unwrap();
        assert_eq!(again.chain, node.chain, "restart after block {}", index + 1);
        assert_eq!(again.derived, node.derived[safe..]);
    }
}

#[test]
fn the_driver_cannot_skip_or_confuse_blocks() {
    let (mut l1, mut node, mut sequencer) = scene();
    let error = node.derivation.push_l1(l1.blocks[1].clone()).unwrap_err();
    assert_eq!(error, DerivationError::UnexpectedL1Height { expected: 0, found: 1 });
    let mut other = l1.blocks[0].clone();
    other.info.block.hash = B256::ZERO;
    assert!(matches!(node.derivation.push_l1(other), Err(DerivationError::L1BlockReplaced { .. })));
    let batches = sequencer.batches(&l1, 1);
    l1.post([payload(1, &batches)]);
    while let openledger_derivation::Step::NeedL1(number) = node.derivation.step() {
        node.derivation.push_l1(l1.blocks[number as usize].clone()).unwrap();
    }
    let error = node.derivation.advance(node.head()).unwrap_err();
    assert_eq!(error.severity(), Severity::Reset);
    // The attributes are still waiting.
    assert_eq!(node.derivation.step(), node.derivation.step());
    node.sync(&l1).unwrap();
    assert_eq!(node.head(), sequencer.head);
    assert!(L1Info::of_block(&node.chain[1].1).is_ok());
}
