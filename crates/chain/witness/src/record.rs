use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cell::{Cell, RefCell};

use alloy_primitives::{B256, Bytes};
use openledger_primitives::{Block, ChainSpec, Header, Sealed};
use openledger_stf::{StateError, StateReader};
use openledger_trie::{Nibbles, NodeReader, TrieError};

use crate::{TrieSource, TrieState, Witness, WitnessError, replay::execute};

/// A store that remembers what was read from it.
#[derive(Debug)]
pub struct Recorder<'a, S> {
    store: &'a S,
    max_bytes: usize,
    bytes: Cell<usize>,
    nodes: RefCell<BTreeMap<B256, Bytes>>,
    codes: RefCell<BTreeMap<B256, Bytes>>,
    keys: RefCell<BTreeSet<Vec<u8>>>,
    oldest_block: Cell<Option<u64>>,
}

impl<'a, S: NodeReader + StateReader> Recorder<'a, S> {
    /// Nothing was read yet. Reading fails once more than `max_bytes` were.
    pub const fn new(store: &'a S, max_bytes: usize) -> Self {
        Self {
            store,
            max_bytes,
            bytes: Cell::new(0),
            nodes: RefCell::new(BTreeMap::new()),
            codes: RefCell::new(BTreeMap::new()),
            keys: RefCell::new(BTreeSet::new()),
            oldest_block: Cell::new(None),
        }
    }

    /// What was read, on top of the block `parent`. `header` finds the canonical header at a height below it.
    pub fn into_witness(
        self,
        parent: &Header,
        mut header: impl FnMut(u64) -> Result<Header, StateError>,
    ) -> Result<Witness, WitnessError> {
        self.check_size()?;
        let oldest = self.oldest_block.get().unwrap_or(parent.number);
        let mut headers = Vec::new();
        for number in oldest..parent.number {
            headers.push(alloy_rlp::encode(header(number)?).into());
        }
        headers.push(alloy_rlp::encode(parent).into());
        Ok(Witness {
            state: self.nodes.into_inner().into_values().collect(),
            codes: self.codes.into_inner().into_values().collect(),
            keys: self.keys.into_inner().into_iter().map(Bytes::from).collect(),
            headers,
        })
    }

    fn keep(&self, parts: &RefCell<BTreeMap<B256, Bytes>>, hash: &B256, part: &Bytes) -> Result<(), WitnessError> {
        if parts.borrow_mut().insert(*hash, part.clone()).is_none() {
            self.bytes.set(self.bytes.get() + part.len());
        }
        self.check_size()
    }

    const fn check_size(&self) -> Result<(), WitnessError> {
        if self.bytes.get() > self.max_bytes {
            return Err(WitnessError::TooLarge { what: "bytes of state and code", limit: self.max_bytes });
        }
        Ok(())
    }
}

impl<S: NodeReader + StateReader> NodeReader for Recorder<'_, S> {
    fn node(&self, owner: Option<B256>, path: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError> {
        let node = self.store.node(owner, path, hash)?;
        if let Some(node) = &node {
            self.keep(&self.nodes, hash, node).map_err(|error| TrieError::Store(Box::new(error)))?;
        }
        Ok(node)
    }
}

impl<S: NodeReader + StateReader> TrieSource for Recorder<'_, S> {
    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        let code = self.store.code(hash)?;
        self.keep(&self.codes, hash, &code).map_err(|error| StateError::Backend(alloc::format!("{error}")))?;
        Ok(code)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        let oldest = self.oldest_block.get().map_or(number, |oldest| oldest.min(number));
        self.oldest_block.set(Some(oldest));
        self.store.block_hash(number)
    }

    fn looked_up(&self, key: &[u8]) {
        self.keys.borrow_mut().insert(key.to_vec());
    }
}

/// The witness of a block: executes it on `state`, the one after `parent`, and keeps what it reads, up to `max_bytes` of state and
/// code. `header` finds the canonical header at a height below the parent.
pub fn record<S: NodeReader + StateReader>(
    state: &S,
    parent: &Sealed<Header>,
    spec: &ChainSpec,
    block: &Block,
    header: impl FnMut(u64) -> Result<Header, StateError>,
    max_bytes: usize,
) -> Result<Witness, WitnessError> {
    let recorder = Recorder::new(state, max_bytes);
    let executed = execute(&TrieState::new(&recorder, parent.state_root), parent, spec, block);
    // Reading too much ends execution; that is the reason to give.
    recorder.check_size()?;
    executed?;
    recorder.into_witness(parent, header)
}
