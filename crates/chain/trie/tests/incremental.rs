//! Random histories: the incremental trie agrees with one built from scratch by an independent implementation, its store holds
//! exactly the nodes of the current trie, and its proofs verify.

use std::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{HashBuilder, proof::verify_proof};
use openledger_trie::{
    Change, EMPTY_ROOT_HASH, MemoryStore, Nibbles, NodeChange, NodeChanges, TrieError, prove, update, walk,
};
use proptest::{collection::vec, prelude::*};

/// Keys that share long prefixes (deep tries, extensions, nodes inside their parent) as well as none.
fn key() -> impl Strategy<Value = B256> {
    (0..4usize, 0..3u8, any::<[u8; 2]>(), 0..4u8).prop_map(|(shared, fill, tail, low)| {
        let mut key = [fill.wrapping_mul(0x51); 32];
        let from = [0, 8, 30, 31][shared];
        key[from] = tail[0];
        key[31] = if shared == 3 { tail[1] } else { low * 0x11 };
        B256::from(key)
    })
}

fn value() -> impl Strategy<Value = Option<Bytes>> {
    prop_oneof![
        3 => vec(1u8.., 1..3).prop_map(|value| Some(value.into())),
        3 => vec(any::<u8>(), 30..80).prop_map(|value| Some(value.into())),
        4 => Just(None),
    ]
}

fn from_scratch(model: &BTreeMap<B256, Bytes>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in model {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

fn changes(batch: &BTreeMap<B256, Option<Bytes>>) -> Vec<Change> {
    batch.iter().map(|(key, value)| (Nibbles::unpack(key), value.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn equals_a_trie_from_scratch(
        history in vec(proptest::collection::btree_map(key(), value(), 0..24), 1..12),
        probes in vec(key(), 4),
    ) {
        let owner = Some(B256::repeat_byte(0xaa));
        let mut store = MemoryStore::default();
        let mut model = BTreeMap::new();
        let mut root = EMPTY_ROOT_HASH;
        for batch in &history {
            for (key, value) in batch {
                match value {
                    Some(value) => model.insert(*key, value.clone()),
                    None => model.remove(key),
                };
            }
            let (new, nodes) = update(&store, owner, root, &changes(batch)).unwrap();
            prop_assert_eq!(new, from_scratch(&model));
            for (path, change) in &nodes {
                use openledger_trie::NodeReader;
                prop_assert_ne!(&change.before, &change.after);
                prop_assert_eq!(&change.before, &store.node(owner, path, &B256::ZERO).unwrap());
            }
            store.apply(owner, &nodes);
            root = new;
        }

        // Nothing is left over and nothing is missing.
        let all = model.iter().map(|(key, value)| (*key, Some(value.clone()))).collect();
        let (_, nodes) = update(&MemoryStore::default(), owner, EMPTY_ROOT_HASH, &changes(&all)).unwrap();
        let mut fresh = MemoryStore::default();
        fresh.apply(owner, &nodes);
        prop_assert_eq!(&store, &fresh);

        // A walk comes to every leaf, and to every stored node once.
        let mut seen = Vec::new();
        let leaves = walk(&store, owner, root, &mut |path| { seen.push(*path); true }).unwrap();
        prop_assert_eq!(leaves, model.len() as u64);
        prop_assert!(seen.iter().eq(nodes.keys()));

        for key in model.keys().chain(&probes) {
            let path = Nibbles::unpack(key);
            let proof = prove(&store, owner, root, &path).unwrap();
            prop_assert_eq!(&proof.value, &model.get(key).cloned());
            let value = proof.value.map(|value| value.to_vec());
            verify_proof(root, path, value, &proof.nodes).unwrap();
        }
    }

    #[test]
    fn undoing_a_batch_restores_every_node(
        first in proptest::collection::btree_map(key(), value(), 1..30),
        second in proptest::collection::btree_map(key(), value(), 1..30),
    ) {
        let mut store = MemoryStore::default();
        let (root, nodes) = update(&store, None, EMPTY_ROOT_HASH, &changes(&first)).unwrap();
        store.apply(None, &nodes);
        let before = store.clone();
        let (changed, nodes) = update(&store, None, root, &changes(&second)).unwrap();
        store.apply(None, &nodes);
        let undo = second
            .keys()
            .map(|key| (*key, first.get(key).cloned().flatten()))
            .collect();
        let (restored, nodes) = update(&store, None, changed, &changes(&undo)).unwrap();
        store.apply(None, &nodes);
        prop_assert_eq!(restored, root);
        prop_assert_eq!(store, before);
    }
}

/// A trie with so many keys, its root, and what was written.
fn trie_of(keys: u32) -> (MemoryStore, B256, NodeChanges) {
    let keys = (0..keys).map(|i| (keccak256(i.to_be_bytes()), Some(vec![7; 70].into()))).collect();
    let mut store = MemoryStore::default();
    let (root, nodes) = update(&store, None, EMPTY_ROOT_HASH, &changes(&keys)).unwrap();
    store.apply(None, &nodes);
    (store, root, nodes)
}

#[test]
fn a_change_touches_only_its_path() {
    let (store, root, _) = trie_of(20_000);
    let one = keccak256(77u32.to_be_bytes());
    let (_, nodes) = update(&store, None, root, &[(Nibbles::unpack(one), Some(vec![8; 70].into()))]).unwrap();
    assert!((3..=8).contains(&nodes.len()), "{} of {} nodes changed", nodes.len(), store.len());
}

#[test]
fn a_missing_node_is_an_error_not_a_root() {
    let key = Nibbles::unpack(B256::repeat_byte(1));
    let error = update(&MemoryStore::default(), None, B256::repeat_byte(9), &[(key, None)]);
    assert!(error.unwrap_err().to_string().contains("is missing"));
}

#[test]
fn a_walk_finds_what_is_missing_and_what_is_wrong() {
    let (store, root, nodes) = trie_of(300);
    for (path, change) in &nodes {
        let mut damaged = store.clone();
        let write = |after| NodeChanges::from([(*path, NodeChange { before: None, after })]);
        damaged.apply(None, &write(None));
        let missing = walk(&damaged, None, root, &mut |_| true);
        assert!(matches!(missing, Err(TrieError::MissingNode { path: at, .. }) if at == *path), "{missing:?}");
        let mut rlp = change.after.clone().unwrap().to_vec();
        *rlp.last_mut().unwrap() ^= 1;
        damaged.apply(None, &write(Some(rlp.into())));
        let wrong = walk(&damaged, None, root, &mut |_| true);
        assert!(matches!(wrong, Err(TrieError::WrongHash { path: at, .. }) if at == *path), "{wrong:?}");
        // Whoever goes another way does not come by.
        let elsewhere = walk(&damaged, None, root, &mut |at| at != path);
        assert!(elsewhere.is_ok());
    }
}
