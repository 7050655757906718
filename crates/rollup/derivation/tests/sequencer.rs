//! What the sequencer takes from this crate: origins and attributes.

mod support;

use alloy_primitives::B256;
use openledger_batch::ConfigUpdate;
use openledger_derivation::{
    DerivationError, L1View, OriginChoice, OriginError, Severity, next_epoch_attributes, same_epoch_attributes,
    select_origin,
};
use openledger_primitives::BlockAttributes;
use support::*;

#[test]
fn attributes_are_those_that_derivation_will_find() {
    let mut l1 = L1::new();
    l1.mine_many(2);
    let mut node = Node::new(&l1);
    let mut sequencer = Sequencer::on(&node);
    l1.deposit(7);
    l1.update(ConfigUpdate::GasLimit(40_000_000));
    l1.update(ConfigUpdate::OperatorFee { scalar: 3, constant: 4 });
    let batches = sequencer.batches(&l1, 40);
    l1.post([payload(1, &batches)]);
    node.sync(&l1).unwrap();
    let mut both = [0, 0];
    for (derived, (parent, block)) in node.derived.iter().zip(&node.chain) {
        let is_new = derived.epoch != parent.l1_origin;
        both[usize::from(is_new)] += 1;
        let ours = if is_new {
            next_epoch_attributes(&node.config, parent, block, &l1.blocks[derived.epoch.number as usize])
        } else {
            same_epoch_attributes(&node.config, parent, block, Some(&l1.blocks[0].info))
        };
        let mut expected = BlockAttributes { no_tx_pool: false, ..derived.attributes.clone() };
        expected.transactions.pop();
        assert_eq!(ours.unwrap(), expected, "after block {}", parent.number);
    }
    assert!(both[0] > 20 && both[1] >= 5);
    // The L1 block must be the next one, and build on the origin.
    let (parent, block) = node.chain.last().unwrap();
    let next = &l1.blocks[parent.l1_origin.number as usize + 1];
    let error = next_epoch_attributes(&node.config, parent, block, &l1.blocks[0]).unwrap_err();
    assert!(matches!(error, DerivationError::UnexpectedL1Height { .. }));
    let mut other = next.clone();
    other.info.block.parent_hash = B256::ZERO;
    let error = next_epoch_attributes(&node.config, parent, block, &other).unwrap_err();
    assert_eq!(error.severity(), Severity::Reset);
}

#[test]
fn origins_follow_l1_within_the_rules() {
    let mut l1 = L1::new();
    l1.mine_many(4);
    let node = Node::new(&l1);
    let config = &node.config;
    let head = node.head();
    let [origin, next] = [l1.blocks[0].info.block, l1.blocks[1].info.block];
    let view = L1View { head: Some(4), current: Some(origin.hash), next: Some(next) };
    let choose = |timestamp: u64, confirmations, view: &L1View| {
        let head = openledger_primitives::L2BlockRef { timestamp, ..head };
        select_origin(config, confirmations, &head, origin.timestamp, view)
    };
    let keep = Ok(OriginChoice::Keep { no_tx_pool: false });
    // Not before its time, not before it is confirmed.
    assert_eq!(choose(next.timestamp - L2_TIME - 1, 0, &view), keep);
    assert_eq!(choose(next.timestamp - L2_TIME, 0, &view), Ok(OriginChoice::Advance(next)));
    assert_eq!(choose(next.timestamp, 3, &view), Ok(OriginChoice::Advance(next)));
    assert_eq!(choose(next.timestamp, 4, &view), keep);
    // L1 does not answer: production goes on as long as the drift allows.
    let silent = L1View::default();
    assert_eq!(choose(origin.timestamp + 1800 - L2_TIME, 0, &silent), keep);
    let error = choose(origin.timestamp + 1800, 0, &silent).unwrap_err();
    assert_eq!((error, error.severity()), (OriginError::DriftUsedUp(1), Severity::Temporary));
    // With the drift used up, confirmations do not matter any more, but time does.
    assert_eq!(choose(origin.timestamp + 1800, 10, &view), Ok(OriginChoice::Advance(next)));
    let mut late = view;
    late.next.as_mut().unwrap().timestamp = origin.timestamp + 5000;
    assert_eq!(choose(origin.timestamp + 1800, 0, &late), Ok(OriginChoice::Keep { no_tx_pool: true }));
    // Reorganisations are noticed from either side.
    let replaced = L1View { current: Some(B256::ZERO), ..view };
    assert_eq!(choose(origin.timestamp, 0, &replaced).unwrap_err().severity(), Severity::Reset);
    let mut leads_elsewhere = view;
    leads_elsewhere.next.as_mut().unwrap().parent_hash = B256::ZERO;
    assert_eq!(choose(origin.timestamp, 0, &leads_elsewhere).unwrap_err().severity(), Severity::Reset);
}
