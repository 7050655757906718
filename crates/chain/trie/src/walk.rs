use alloy_primitives::B256;
use alloy_trie::Nibbles;

use crate::{
    NodeReader, TrieError,
    node::{Node, Pointer, root_pointer},
    store::open,
};

/// The longest path: that of a key which is a hash.
const LONGEST: usize = 64;

/// Goes through the trie with this `root` in the order of its keys, and returns how many leaves it came to.
///
/// `visit` hears of every stored node before it is read and says whether to open it; what is opened is checked against its hash.
/// Needs memory for one way down, whatever the size of the trie.
pub fn walk(
    store: &impl NodeReader,
    owner: Option<B256>,
    root: B256,
    visit: &mut impl FnMut(&Nibbles) -> bool,
) -> Result<u64, TrieError> {
    below(store, owner, &root_pointer(&root), Nibbles::new(), visit)
}

fn below(
    store: &impl NodeReader,
    owner: Option<B256>,
    pointer: &Pointer,
    path: Nibbles,
    visit: &mut impl FnMut(&Nibbles) -> bool,
) -> Result<u64, TrieError> {
    if pointer.is_empty() || (pointer.as_hash().is_some() && !visit(&path)) {
        return Ok(0);
    }
    let further = |key: Nibbles| {
        if path.len() + key.len() <= LONGEST {
            return Ok(path.join(&key));
        }
        Err(TrieError::Decode { owner, path, source: alloy_rlp::Error::Custom("a path is longer than a key") })
    };
    let (node, _) = open(store, owner, path, pointer)?;
    match node {
        Node::Leaf { .. } => Ok(1),
        Node::Extension { key, child } => below(store, owner, &child, further(key)?, visit),
        Node::Branch(branch) => {
            let mut leaves = u64::from(branch.value.is_some());
            for (nibble, child) in (0..).zip(&branch.children).filter(|(_, child)| !child.is_empty()) {
                leaves += below(store, owner, child, further(Nibbles::from_nibbles([nibble]))?, visit)?;
            }
            Ok(leaves)
        }
    }
}
