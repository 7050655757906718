use alloy_primitives::{B256, Bytes, keccak256};
use openledger_trie::{Nibbles, NodeReader, TrieError, prove, update};
use std::collections::BTreeMap;

/// Nodes by their hashes, as a witness has them.
#[derive(Default)]
struct Nodes(BTreeMap<B256, Bytes>);

impl Nodes {
    fn insert(&mut self, node: Bytes) -> B256 {
        let hash = keccak256(&node);
        self.0.insert(hash, node);
        hash
    }
}

impl NodeReader for Nodes {
    fn node(&self, _: Option<B256>, _: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError> {
        Ok(self.0.get(hash).cloned())
    }
}

/// A key of 32 bytes and nodes, each after its length in two bytes; the first is the root. A proof is enough to come to the
/// same value; a value that was written is found, and one that was removed is not.
pub fn tries(bytes: &[u8]) {
    let Some((key, mut rest)) = bytes.split_at_checked(32) else { return };
    let (key, mut nodes, mut root) = (Nibbles::unpack(key), Nodes::default(), None);
    while let Some((len, tail)) = rest.split_first_chunk() {
        let (node, tail) = tail.split_at(usize::from(u16::from_be_bytes(*len)).min(tail.len()));
        let hash = nodes.insert(Bytes::copy_from_slice(node));
        root.get_or_insert(hash);
        rest = tail;
    }
    let Some(root) = root else { return };
    if let Ok(proof) = prove(&nodes, None, root, &key) {
        let mut proven = Nodes::default();
        for node in &proof.nodes {
            proven.insert(node.clone());
        }
        assert_eq!(prove(&proven, None, root, &key).ok(), Some(proof), "a proof that proves something else");
    }
    for value in [Some(Bytes::from_static(b"new")), None] {
        if let Ok((root, changes)) = update(&nodes, None, root, &[(key, value.clone())]) {
            for node in changes.into_values().filter_map(|change| change.after) {
                nodes.insert(node);
            }
            assert_eq!(prove(&nodes, None, root, &key).expect("all nodes are there").value, value);
        }
    }
}
