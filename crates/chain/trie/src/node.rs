use alloc::{boxed::Box, vec::Vec};

use alloy_primitives::{B256, Bytes};
use alloy_rlp::{EMPTY_STRING_CODE, Encodable, Error, Header};
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles,
    nodes::{ExtensionNodeRef, LeafNodeRef, RlpNode},
};

/// A pointer to a child: nothing, a node shorter than 32 bytes written in place, or the hash of a node stored at its own path.
pub(crate) type Pointer = RlpNode;

/// What leads to the whole trie: the empty one has no node.
pub(crate) fn root_pointer(root: &B256) -> Pointer {
    if *root == EMPTY_ROOT_HASH { Pointer::default() } else { Pointer::word_rlp(root) }
}

/// One node of the trie, decoded. Pointers stay encoded: only what a change passes through is ever opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// The end of a key: its remaining nibbles and the value.
    Leaf { key: Nibbles, value: Bytes },
    /// Nibbles that all keys below share. The child is always a branch.
    Extension { key: Nibbles, child: Pointer },
    /// A fork.
    Branch(Box<Branch>),
}

/// Sixteen ways on, and the value of the key that ends here (never in Ethereum's state, whose keys have one length).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Branch {
    pub(crate) children: [Pointer; 16],
    pub(crate) value: Option<Bytes>,
}

impl Node {
    /// Decodes a node from exactly `rlp`.
    pub(crate) fn decode(rlp: &[u8]) -> Result<Self, Error> {
        let mut rest = rlp;
        let mut payload = Header::decode_bytes(&mut rest, true)?;
        if !rest.is_empty() {
            return Err(Error::UnexpectedLength);
        }
        let mut items = [&[][..]; 17];
        let mut count = 0;
        while !payload.is_empty() {
            let start = payload;
            let header = Header::decode(&mut payload)?;
            payload = &payload[header.payload_length..];
            *items.get_mut(count).ok_or(Error::Custom("more than 17 items"))? = &start[..start.len() - payload.len()];
            count += 1;
        }
        match count {
            2 => Self::decode_short(items[0], items[1]),
            17 => Self::decode_branch(&items),
            _ => Err(Error::Custom("neither 2 nor 17 items")),
        }
    }

    fn decode_branch(items: &[&[u8]; 17]) -> Result<Self, Error> {
        let mut branch = Box::<Branch>::default();
        for (child, item) in branch.children.iter_mut().zip(items) {
            if *item != [EMPTY_STRING_CODE] {
                *child = RlpNode::from_raw_rlp(item)?;
            }
        }
        let value = Header::decode_bytes(&mut &items[16][..], false)?;
        branch.value = (!value.is_empty()).then(|| Bytes::copy_from_slice(value));
        Ok(Self::Branch(branch))
    }

    /// A leaf or an extension: the first nibble of the compact key says which, its lowest bit whether the length is odd.
    fn decode_short(key: &[u8], rest: &[u8]) -> Result<Self, Error> {
        let compact = Header::decode_bytes(&mut &key[..], false)?;
        let (&flag, packed) = compact.split_first().ok_or(Error::Custom("empty key"))?;
        if flag >> 4 > 3 || packed.len() > 32 {
            return Err(Error::Custom("invalid key"));
        }
        let mut path = Nibbles::new();
        if flag & 0x10 != 0 {
            if packed.len() == 32 {
                return Err(Error::Custom("invalid key"));
            }
            path.push(flag & 0x0f);
        }
        path.extend(&Nibbles::unpack(packed));
        if flag & 0x20 == 0 {
            return Ok(Self::Extension { key: path, child: RlpNode::from_raw_rlp(rest)? });
        }
        let value = Header::decode_bytes(&mut &rest[..], false)?;
        Ok(Self::Leaf { key: path, value: Bytes::copy_from_slice(value) })
    }

    /// Appends the node's RLP to `out`.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Leaf { key, value } => LeafNodeRef { key, value }.encode(out),
            Self::Extension { key, child } => ExtensionNodeRef { key, child }.encode(out),
            Self::Branch(branch) => branch.encode(out),
        }
    }
}

/// The RLP of the leaf that ends a key: what remains of it below the leaf's path, and the value.
pub fn leaf(rest: &Nibbles, value: &[u8]) -> Vec<u8> {
    let mut rlp = Vec::with_capacity(value.len() + 40);
    LeafNodeRef { key: rest, value }.encode(&mut rlp);
    rlp
}

impl Branch {
    fn encode(&self, out: &mut Vec<u8>) {
        let value = self.value.as_ref().map_or(&[][..], |value| value);
        let children: usize = self.children.iter().map(|child| child.len().max(1)).sum();
        Header { list: true, payload_length: children + value.length() }.encode(out);
        for child in &self.children {
            match child.as_slice() {
                [] => out.push(EMPTY_STRING_CODE),
                pointer => out.extend_from_slice(pointer),
            }
        }
        value.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::B256;
    use proptest::prelude::*;

    fn roundtrip(node: &Node) {
        let mut rlp = Vec::new();
        node.encode(&mut rlp);
        assert_eq!(&Node::decode(&rlp).unwrap(), node);
    }

    #[test]
    fn nodes_survive_encoding() {
        let key = Nibbles::from_nibbles([1, 2, 3]);
        roundtrip(&Node::Leaf { key, value: Bytes::from_static(b"value") });
        roundtrip(&Node::Leaf { key: Nibbles::new(), value: Bytes::from_static(&[0]) });
        roundtrip(&Node::Extension { key, child: RlpNode::word_rlp(&B256::repeat_byte(7)) });
        let mut branch = Branch::default();
        branch.children[3] = RlpNode::word_rlp(&B256::repeat_byte(9));
        roundtrip(&Node::Branch(Box::new(branch.clone())));
        branch.value = Some(Bytes::from_static(b"here"));
        roundtrip(&Node::Branch(Box::new(branch)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(rlp in proptest::collection::vec(any::<u8>(), 0..600)) {
            if let Ok(node) = Node::decode(&rlp) {
                let mut again = Vec::new();
                node.encode(&mut again);
                prop_assert_eq!(Node::decode(&again).unwrap(), node);
            }
        }
    }
}
