use alloc::{
    boxed::Box,
    collections::{BTreeMap, btree_map::Entry},
    vec::Vec,
};

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles};

use crate::{
    NodeReader, TrieError,
    node::{Branch, Node, Pointer, root_pointer},
};

/// A key and its new value, or `None` to remove the key. In Ethereum's tries the key is a hash and the value RLP.
pub type Change = (Nibbles, Option<Bytes>);

/// A stored node before and after an update. At least one of the two is there, and they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeChange {
    /// The RLP that the store held, as it was read: a versioned store needs no second look-up.
    pub before: Option<Bytes>,
    /// The RLP to write, or `None` to delete the node.
    pub after: Option<Bytes>,
}

/// The nodes of one trie that an update changed, by path.
pub type NodeChanges = BTreeMap<Nibbles, NodeChange>;

/// Applies `changes` to the trie with this `root` and returns the new root with the nodes that changed.
///
/// `changes` are sorted by key and no key comes twice. Only nodes on the way to a changed key are read (and, where a fork
/// disappears, the one sibling that takes its place), so the cost does not depend on the size of the trie.
pub fn update(
    store: &impl NodeReader,
    owner: Option<B256>,
    root: B256,
    changes: &[Change],
) -> Result<(B256, NodeChanges), TrieError> {
    debug_assert!(changes.is_sorted_by(|a, b| a.0 < b.0), "changes are sorted and unique");
    if changes.is_empty() {
        return Ok((root, NodeChanges::new()));
    }
    let mut updater = Updater { store, owner, changed: NodeChanges::new(), buffer: Vec::new() };
    let path = Nibbles::new();
    let node = updater.load(&root_pointer(&root), path)?;
    let root = match updater.apply(node, path, changes)? {
        None => EMPTY_ROOT_HASH,
        Some(node) => {
            let pointer = updater.save(&node, path);
            pointer.as_hash().unwrap_or_else(|| keccak256(pointer.as_slice()))
        }
    };
    Ok((root, updater.changed))
}

/// Walks down to the changes and back. On the way down a loaded node counts as deleted; on the way up what remains is saved
/// at the path where it ended up. A node that comes out as it went in leaves no trace.
struct Updater<'a, S> {
    store: &'a S,
    owner: Option<B256>,
    changed: NodeChanges,
    buffer: Vec<u8>,
}

impl<S: NodeReader> Updater<'_, S> {
    /// Opens the node behind a pointer, and marks it as deleted if it was stored.
    fn load(&mut self, pointer: &Pointer, path: Nibbles) -> Result<Option<Node>, TrieError> {
        let owner = self.owner;
        let decode = |rlp: &[u8]| Node::decode(rlp).map_err(|source| TrieError::Decode { owner, path, source });
        if pointer.is_empty() {
            return Ok(None);
        }
        let Some(hash) = pointer.as_hash() else {
            return decode(pointer).map(Some);
        };
        let rlp = self.store.node(owner, &path, &hash)?.ok_or(TrieError::MissingNode { owner, path, hash })?;
        let node = decode(&rlp)?;
        self.changed.insert(path, NodeChange { before: Some(rlp), after: None });
        Ok(Some(node))
    }

    /// Encodes a node, notes it for writing if it needs a place of its own, and returns the pointer to it.
    fn save(&mut self, node: &Node, path: Nibbles) -> Pointer {
        self.buffer.clear();
        node.encode(&mut self.buffer);
        let rlp = &self.buffer[..];
        if rlp.len() >= 32 || path.is_empty() {
            match self.changed.entry(path) {
                Entry::Vacant(entry) => {
                    let after = Some(Bytes::copy_from_slice(rlp));
                    entry.insert(NodeChange { before: None, after });
                }
                Entry::Occupied(entry) if entry.get().before.as_ref().is_some_and(|before| before == rlp) => {
                    entry.remove();
                }
                Entry::Occupied(mut entry) => {
                    entry.get_mut().after = Some(Bytes::copy_from_slice(rlp));
                }
            }
        }
        Pointer::from_rlp(rlp)
    }

    /// The subtree at `path` after `changes`, all of which lie below `path`.
    fn apply(&mut self, node: Option<Node>, path: Nibbles, changes: &[Change]) -> Result<Option<Node>, TrieError> {
        match node {
            None => Ok(self.build(path, &insertions(changes, None))),
            Some(Node::Leaf { key, value }) => {
                let items = insertions(changes, Some((path.join(&key), value)));
                Ok(self.build(path, &items))
            }
            Some(Node::Extension { key, child }) => self.extension(key, child, path, changes),
            Some(Node::Branch(branch)) => self.branch(branch, path, changes, None),
        }
    }

    fn extension(
        &mut self,
        key: Nibbles,
        child: Pointer,
        path: Nibbles,
        changes: &[Change],
    ) -> Result<Option<Node>, TrieError> {
        // Changes are sorted: what the first and the last share with the extension, all share.
        let end = path.join(&key);
        let shared = |change: Option<&Change>| change.map_or(0, |(key, _)| key.common_prefix_length(&end));
        let fork = shared(changes.first()).min(shared(changes.last()));
        if fork == end.len() {
            let node = self.load(&child, end)?;
            let node = self.apply(node, end, changes)?;
            return Ok(node.map(|node| self.prefixed(key, node, end)));
        }
        // Some change leaves the extension half-way (or ends there): a branch with the old remainder as one child.
        let at = end.slice(..fork);
        let nibble = end.get_unchecked(fork);
        let remainder = end.slice(fork + 1..);
        let mut branch = Box::<Branch>::default();
        let mut moved = None;
        if remainder.is_empty() {
            branch.children[usize::from(nibble)] = child;
        } else {
            moved = Some((nibble, Node::Extension { key: remainder, child }));
        }
        let node = self.branch(branch, at, changes, moved)?;
        Ok(node.map(|node| self.prefixed(key.slice(..fork - path.len()), node, at)))
    }

    /// `moved` is a child that exists in memory only: it may be changed before it is saved.
    fn branch(
        &mut self,
        mut branch: Box<Branch>,
        path: Nibbles,
        mut changes: &[Change],
        mut moved: Option<(u8, Node)>,
    ) -> Result<Option<Node>, TrieError> {
        let depth = path.len();
        if let [(key, value), rest @ ..] = changes
            && key.len() == depth
        {
            branch.value = value.clone();
            changes = rest;
        }
        let mut renewed = Vec::new();
        for group in changes.chunk_by(|a, b| a.0.get_unchecked(depth) == b.0.get_unchecked(depth)) {
            let nibble = group[0].0.get_unchecked(depth);
            let at = child_path(path, nibble);
            let child = match moved.take_if(|(of, _)| *of == nibble) {
                Some((_, node)) => Some(node),
                None => self.load(&branch.children[usize::from(nibble)], at)?,
            };
            branch.children[usize::from(nibble)] = Pointer::default();
            renewed.push((nibble, self.apply(child, at, group)?));
        }
        renewed.extend(moved.map(|(nibble, node)| (nibble, Some(node))));
        renewed.retain(|(_, node)| node.is_some());

        let old = branch.children.iter().filter(|child| !child.is_empty()).count();
        match (old + renewed.len(), branch.value.take()) {
            (0, None) => Ok(None),
            (0, Some(value)) => Ok(Some(Node::Leaf { key: Nibbles::new(), value })),
            (1, None) => self.collapse(&branch, path, renewed.pop()).map(Some),
            (_, value) => {
                branch.value = value;
                for (nibble, node) in renewed {
                    if let Some(node) = node {
                        branch.children[usize::from(nibble)] = self.save(&node, child_path(path, nibble));
                    }
                }
                Ok(Some(Node::Branch(branch)))
            }
        }
    }

    /// A branch with one way on is no branch: its only child moves up.
    fn collapse(
        &mut self,
        branch: &Branch,
        path: Nibbles,
        renewed: Option<(u8, Option<Node>)>,
    ) -> Result<Node, TrieError> {
        if let Some((nibble, Some(node))) = renewed {
            return Ok(self.prefixed(Nibbles::from_nibbles([nibble]), node, child_path(path, nibble)));
        }
        let nibble = (0..16u8).find(|nibble| !branch.children[usize::from(*nibble)].is_empty()).unwrap_or_default();
        let (at, key) = (child_path(path, nibble), Nibbles::from_nibbles([nibble]));
        let pointer = &branch.children[usize::from(nibble)];
        match self.load(pointer, at)? {
            Some(Node::Branch(_)) | None => {
                // It stays where it is, unchanged.
                self.changed.remove(&at);
                Ok(Node::Extension { key, child: pointer.clone() })
            }
            Some(node) => Ok(self.prefixed(key, node, at)),
        }
    }

    /// The node at `at`, as seen from `prefix` nibbles further up.
    fn prefixed(&mut self, prefix: Nibbles, node: Node, at: Nibbles) -> Node {
        match node {
            node if prefix.is_empty() => node,
            Node::Leaf { key, value } => Node::Leaf { key: prefix.join(&key), value },
            Node::Extension { key, child } => Node::Extension { key: prefix.join(&key), child },
            branch @ Node::Branch(_) => Node::Extension { key: prefix, child: self.save(&branch, at) },
        }
    }

    /// A new subtree at `path` that holds `items`: sorted, and all below `path`.
    fn build(&mut self, path: Nibbles, items: &[(Nibbles, Bytes)]) -> Option<Node> {
        let [(first, value), rest @ ..] = items else { return None };
        let Some((last, _)) = rest.last() else {
            return Some(Node::Leaf { key: first.slice(path.len()..), value: value.clone() });
        };
        let fork = first.common_prefix_length(last);
        let at = first.slice(..fork);
        let mut branch = Box::<Branch>::default();
        let mut below = items;
        if first.len() == fork {
            branch.value = Some(value.clone());
            below = rest;
        }
        for group in below.chunk_by(|a, b| a.0.get_unchecked(fork) == b.0.get_unchecked(fork)) {
            let nibble = group[0].0.get_unchecked(fork);
            let at = child_path(at, nibble);
            if let Some(child) = self.build(at, group) {
                branch.children[usize::from(nibble)] = self.save(&child, at);
            }
        }
        Some(self.prefixed(first.slice(path.len()..fork), Node::Branch(branch), at))
    }
}

fn child_path(mut path: Nibbles, nibble: u8) -> Nibbles {
    path.push(nibble);
    path
}

/// The keys that exist after `changes` where before there was at most one `leaf`, sorted.
fn insertions(changes: &[Change], leaf: Option<(Nibbles, Bytes)>) -> Vec<(Nibbles, Bytes)> {
    let mut items: Vec<(Nibbles, Bytes)> =
        changes.iter().filter_map(|(key, value)| Some((*key, value.clone()?))).collect();
    if let Some((key, value)) = leaf
        && changes.binary_search_by(|(changed, _)| changed.cmp(&key)).is_err()
    {
        let position = items.partition_point(|(other, _)| *other < key);
        items.insert(position, (key, value));
    }
    items
}
