//! Merkle trees over scores and over data, as `@openzeppelin/merkle-tree` builds its `StandardMerkleTree` with
//! `sortLeaves: false`, so that anyone can recompute a root and the contracts can verify a proof.
//!
//! The tree is a complete binary tree in an array of 2n − 1 nodes: the leaves fill it from the end in reverse, node *i* is
//! the hash of the sorted pair 2i + 1 and 2i + 2, and node 0 is the root.

use alloc::{vec, vec::Vec};
use alloy_primitives::{Address, B256, keccak256};
use alloy_sol_types::SolValue;

/// A tree with all its nodes. There is no tree without leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerkleTree {
    nodes: Vec<B256>,
}

impl MerkleTree {
    /// Builds the tree over leaf hashes in the given order; `None` without leaves.
    pub fn new(leaves: &[B256]) -> Option<Self> {
        let inner = leaves.len().checked_sub(1)?;
        let mut nodes = vec![B256::ZERO; inner + leaves.len()];
        for (node, leaf) in nodes.iter_mut().rev().zip(leaves) {
            *node = *leaf;
        }
        for i in (0..inner).rev() {
            nodes[i] = hash_pair(&nodes[2 * i + 1], &nodes[2 * i + 2]);
        }
        Some(Self { nodes })
    }

    /// The root.
    pub fn root(&self) -> B256 {
        self.nodes[0]
    }

    /// Number of leaves.
    pub const fn leaf_count(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }

    /// The siblings from the leaf up; `None` where there is no such leaf.
    pub fn proof(&self, leaf: usize) -> Option<Vec<B256>> {
        if leaf >= self.leaf_count() {
            return None;
        }
        let mut node = self.nodes.len() - 1 - leaf;
        let mut proof = Vec::new();
        while node > 0 {
            let sibling = if node.is_multiple_of(2) { node - 1 } else { node + 1 };
            proof.push(self.nodes[sibling]);
            node = (node - 1) / 2;
        }
        Some(proof)
    }
}

/// Whether `proof` leads from `leaf` to `root`: OpenZeppelin's `MerkleProof.verify`.
pub fn verify(root: &B256, leaf: &B256, proof: &[B256]) -> bool {
    proof.iter().fold(*leaf, |node, sibling| hash_pair(&node, sibling)) == *root
}

/// Hashes an ABI-encoded value twice, so that an inner node cannot be passed off as a leaf.
pub fn leaf_hash(encoded: &[u8]) -> B256 {
    keccak256(keccak256(encoded))
}

/// Leaf of the tree of scores: the influence of one datum on one answer.
pub fn score_leaf(datum_id: u32, influence: i64) -> B256 {
    leaf_hash(&(datum_id, influence).abi_encode())
}

/// Leaf of the tree of a dataset; `content_hash` is the Keccak-256 of the datum's canonical JSON.
pub fn datum_leaf(datum_id: u32, contributor: Address, content_hash: B256) -> B256 {
    leaf_hash(&(datum_id, contributor, content_hash).abi_encode())
}

fn hash_pair(a: &B256, b: &B256) -> B256 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let mut pair = [0u8; 64];
    pair[..32].copy_from_slice(low.as_slice());
    pair[32..].copy_from_slice(high.as_slice());
    keccak256(pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::b256;
    use proptest::prelude::*;

    // Made with @openzeppelin/merkle-tree 1.0.8: `StandardMerkleTree.of(values, ["uint32", "int64"], {sortLeaves: false})`
    // over [i, ±1000·i²], negative for odd i.
    const ROOTS: [(u32, B256); 6] = [
        (1, b256!("f0df3dcda05b4fbd9c655cde3d5ceb211e019e72ec816e127a59e7195f2cd7f5")),
        (2, b256!("501a29307a59b94022bc33b1ca10fc5d5ee1fb6c0f25966c7087bff8b154ab3c")),
        (3, b256!("46ddb8ea609a0242ca7b83a329162934dbf52ddbc5ed23c808df92b3ad249aef")),
        (5, b256!("65fb3c4acbd5b5c7ff580eca6f1a94d8b2ada14719f64a278cccffc0f73cc8c6")),
        (6, b256!("93712e02850a0ead0fc128a9b128d5308937892458e714c741387f2e1467f06e")),
        (7, b256!("255b6e4c6f4211857db906c2c08cf8cfdef994926214933a5aed0392424ec15e")),
    ];

    fn tree(count: u32) -> MerkleTree {
        let score = |i: u32| i64::from(i * i) * if i % 2 == 1 { -1000 } else { 1000 };
        MerkleTree::new(&(0..count).map(|i| score_leaf(i, score(i))).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn roots_and_proofs_are_those_of_the_library() {
        for (count, root) in ROOTS {
            assert_eq!(tree(count).root(), root, "{count}");
        }
        let last_of_five = [
            b256!("501a29307a59b94022bc33b1ca10fc5d5ee1fb6c0f25966c7087bff8b154ab3c"),
            b256!("3a8d272dfd99c2f4095e8899e0edb6708390d2a6e650902bc443119e78b21ad3"),
        ];
        assert_eq!(tree(5).proof(4).unwrap(), last_of_five);
        let datum = |id: u32| {
            datum_leaf(id, Address::with_last_byte(0xa1 + id as u8), B256::repeat_byte(0x11 * (1 + id as u8)))
        };
        let root = b256!("a053dec2e85b4564af9763d8df37e3fdd2aa14c57bfb38958e1fa255fc9b2a31");
        assert_eq!(MerkleTree::new(&[datum(0), datum(1)]).unwrap().root(), root);
    }

    #[test]
    fn there_is_no_empty_tree_and_no_leaf_outside() {
        assert_eq!(MerkleTree::new(&[]), None);
        assert_eq!(tree(3).proof(3), None);
    }

    proptest! {
        #[test]
        fn every_leaf_has_a_proof_and_no_other_value_has_it(count in 1u32..40, other: u32) {
            let tree = tree(count);
            prop_assert_eq!(tree.leaf_count(), count as usize);
            for i in 0..count {
                let proof = tree.proof(i as usize).unwrap();
                let leaf = tree.nodes[tree.nodes.len() - 1 - i as usize];
                prop_assert!(verify(&tree.root(), &leaf, &proof));
                prop_assert!(!verify(&tree.root(), &score_leaf(other, i64::MIN), &proof));
            }
        }
    }
}
