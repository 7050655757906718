//! A block executed on its witness is the block; a witness that lacks anything, or was changed, leads to an error.

mod common;

use alloy_primitives::{B256, Bytes};
use common::*;
use openledger_stf::{ExecutedBlock, ExecutionError};
use openledger_witness::{Witness, WitnessError, replay};
use proptest::{collection::vec, prelude::*};

/// Replays a block on its witness, and on the witness without each of its parts.
fn check(node: &Node, block: &ExecutedBlock) -> Witness {
    let witness = node.witness(&block.block, MAX_BYTES).unwrap();
    assert_eq!(&replay(&witness, &SPEC, &block.block).unwrap(), block);
    for (name, part) in PARTS {
        for index in 0..part(&mut witness.clone()).len() {
            let mut less = witness.clone();
            part(&mut less).remove(index);
            let error = replay(&less, &SPEC, &block.block).unwrap_err();
            // It says nothing about the block.
            let lacking =
                matches!(error, WitnessError::Execution(ExecutionError::State(_)) | WitnessError::Headers { .. });
            assert!(lacking, "without {name} {index}: {error}");
        }
    }
    witness
}

type Part = fn(&mut Witness) -> &mut Vec<Bytes>;
/// What execution needs. (The keys are for people.)
const PARTS: [(&str, Part); 3] = [
    ("node", |witness| &mut witness.state),
    ("code", |witness| &mut witness.codes),
    ("header", |witness| &mut witness.headers),
];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..12u8, 0..9u64).prop_map(|(to, value)| Step::Transfer { to, value }),
        4 => vec((0..60u8, prop_oneof![Just(0), any::<u64>()]), 0..12).prop_map(Step::Store),
        1 => Just(Step::Create),
        1 => Just(Step::Die),
        1 => (0..6u8).prop_map(Step::Hash),
        1 => (0..9u64, prop_oneof![Just(21_500), Just(200_000)])
            .prop_map(|(mint, gas_limit)| Step::Deposit { mint, gas_limit }),
        1 => proptest::collection::btree_set(1..20u8, 1..5).prop_map(|of| Step::Settle(of.into_iter().collect())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_replay(history in vec(vec(step(), 0..5), 1..6)) {
        let node = Node::new();
        let blocks: Vec<_> = history.iter().map(|steps| node.advance(steps)).collect();
        // All but the last are in the past by now.
        for block in &blocks {
            check(&node, block);
        }
    }

    #[test]
    fn a_changed_byte_is_noticed(steps in vec(step(), 1..4), part in 0..3usize, at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let node = Node::new();
        let block = node.advance(&steps);
        let mut witness = node.witness(&block.block, MAX_BYTES).unwrap();
        let parts = PARTS[part].1(&mut witness);
        let index = at.index(parts.len());
        let mut changed = parts[index].to_vec();
        let byte = at.index(changed.len());
        changed[byte] ^= 1 << bit;
        parts[index] = changed.into();
        prop_assert!(replay(&witness, &SPEC, &block.block).is_err());
    }
}

#[test]
fn every_kind_of_transaction_replays() {
    let node = Node::new();
    node.advance(&[]);
    let steps = [
        Step::Transfer { to: 5, value: 9 },
        Step::Transfer { to: 6, value: 0 },
        Step::Create,
        Step::Die,
        Step::Store(vec![(1, 0), (2, 9), (77, 1)]),
        Step::Deposit { mint: 5, gas_limit: 200_000 },
        Step::Deposit { mint: 5, gas_limit: 21_500 },
        Step::Settle(vec![5, 8, 9]),
    ];
    for step in &steps {
        check(&node, &node.advance(std::slice::from_ref(step)));
    }
    let block = node.advance(&steps);
    let witness = check(&node, &block);
    let has = |key: &[u8]| witness.keys.iter().any(|found| found == key);
    assert!(has(STORE.as_slice()) && has(&[6; 20]) && has(B256::with_last_byte(77).as_slice()));
    assert!(witness.keys.iter().all(|key| key.len() == 20 || key.len() == 32));
}

/// Clearing slots until one is left collapses every branch on the way: the siblings that move must be there.
#[test]
fn branches_that_collapse_replay() {
    let node = Node::new();
    for slots in [(1..30).collect::<Vec<u8>>(), (30..38).collect(), vec![38]] {
        check(&node, &node.advance(&[Step::Store(slots.into_iter().map(|slot| (slot, 0)).collect())]));
    }
    // The last slot goes, and the storage is empty.
    check(&node, &node.advance(&[Step::Store(vec![(39, 0)])]));
    check(&node, &node.advance(&[Step::Store(vec![(39, 1)])]));
}

#[test]
fn block_hashes_come_from_headers() {
    let node = Node::new();
    for _ in 0..5 {
        node.advance(&[]);
    }
    let block = node.advance(&[Step::Hash(4), Step::Hash(1), Step::Hash(200)]);
    let witness = check(&node, &block);
    // From the oldest that is asked for to the parent.
    let parsed =
        witness.headers.iter().map(|rlp| alloy_rlp::decode_exact::<alloy_consensus::Header>(rlp).unwrap().number);
    assert_eq!(parsed.collect::<Vec<_>>(), [2, 3, 4, 5]);
    let block = node.advance(&[Step::Transfer { to: 1, value: 1 }]);
    assert_eq!(check(&node, &block).headers.len(), 1);
}

#[test]
fn a_wrong_block_is_not_confirmed() {
    let node = Node::new();
    let block = node.advance(&[Step::Transfer { to: 1, value: 1 }]);
    let witness = node.witness(&block.block, MAX_BYTES).unwrap();
    let mut wrong = block.block.clone();
    wrong.header.state_root = B256::repeat_byte(1);
    assert!(
        matches!(replay(&witness, &SPEC, &wrong), Err(WitnessError::Differs { computed, .. }) if computed == block.hash)
    );
    assert!(matches!(node.witness(&wrong, MAX_BYTES), Err(WitnessError::Differs { .. })));
    let mut wrong = block.block.clone();
    wrong.header.extra_data = Bytes::new();
    assert!(matches!(replay(&witness, &SPEC, &wrong), Err(WitnessError::Header { .. })));
    let mut wrong = block.block;
    wrong.header.parent_hash = B256::repeat_byte(1);
    assert!(matches!(replay(&witness, &SPEC, &wrong), Err(WitnessError::Headers { .. })));
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let node = Node::new();
    let block = node.advance(&[Step::Transfer { to: 1, value: 1 }]);
    let witness = node.witness(&block.block, MAX_BYTES).unwrap();
    let size: usize = witness.state.iter().chain(&witness.codes).map(|part| part.len()).sum();
    assert_eq!(node.witness(&block.block, size).unwrap(), witness);
    assert!(matches!(node.witness(&block.block, size - 1), Err(WitnessError::TooLarge { .. })));

    let too_large = |change: fn(&mut Witness)| {
        let mut witness = witness.clone();
        change(&mut witness);
        assert!(matches!(replay(&witness, &SPEC, &block.block), Err(WitnessError::TooLarge { .. })));
    };
    too_large(|witness| witness.state.push(vec![0; 1025].into()));
    too_large(|witness| witness.headers.push(vec![0; 2049].into()));
    too_large(|witness| witness.headers.resize(257, Bytes::new()));
    too_large(|witness| witness.codes.resize(1100, vec![0; 256 << 10].into()));
}

#[test]
fn the_json_is_that_of_other_clients() {
    let witness = Witness {
        state: vec![Bytes::from_static(&[1])],
        codes: vec![],
        keys: vec![Bytes::from_static(&[2])],
        headers: vec![Bytes::from_static(&[3])],
    };
    let json = serde_json::json!({"state": ["0x01"], "codes": [], "keys": ["0x02"], "headers": ["0x03"]});
    assert_eq!(serde_json::to_value(&witness).unwrap(), json);
    assert_eq!(serde_json::from_value::<Witness>(json).unwrap(), witness);
}
