use alloc::vec::Vec;

use alloy_primitives::{B256, Bytes};
use alloy_trie::Nibbles;

use crate::{
    NodeReader, TrieError,
    node::{Node, root_pointer},
    store::open,
};

/// A Merkle proof that a key has a value, or that it has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// The RLP of the nodes from the root towards the key; those written inside their parent are not repeated. Empty for an
    /// empty trie.
    pub nodes: Vec<Bytes>,
    /// What the trie holds at the key.
    pub value: Option<Bytes>,
}

/// Proves `key` in the trie with this `root`. Every node read is checked against its hash, so a proof that is returned verifies.
pub fn prove(store: &impl NodeReader, owner: Option<B256>, root: B256, key: &Nibbles) -> Result<Proof, TrieError> {
    let mut proof = Proof::default();
    let mut path = Nibbles::new();
    let mut pointer = root_pointer(&root);
    while !pointer.is_empty() {
        let (node, stored) = open(store, owner, path, &pointer)?;
        proof.nodes.extend(stored);
        let rest = key.slice(path.len()..);
        match node {
            Node::Leaf { key, value } => {
                proof.value = (key == rest).then_some(value);
                break;
            }
            Node::Extension { key, child } if rest.starts_with(&key) => {
                path.extend(&key);
                pointer = child;
            }
            Node::Extension { .. } => break,
            Node::Branch(branch) => match rest.first() {
                None => {
                    proof.value = branch.value;
                    break;
                }
                Some(nibble) => {
                    path.push(nibble);
                    pointer = branch.children[usize::from(nibble)].clone();
                }
            },
        }
    }
    Ok(proof)
}
