use alloc::collections::BTreeMap;

use alloy_primitives::{B256, Bytes, keccak256};
use openledger_primitives::{Block, ChainSpec, Header, Sealed};
use openledger_stf::{ExecutedBlock, StateError, attributes_of, execute_block};
use openledger_trie::{Nibbles, NodeReader, TrieError};

use crate::{TrieSource, TrieState, Witness, WitnessError, state::missing};

/// The parts of a witness by their hashes, so that nothing can be found under a wrong name.
#[derive(Debug, Clone)]
pub struct Preimages {
    nodes: BTreeMap<B256, Bytes>,
    codes: BTreeMap<B256, Bytes>,
    block_hashes: BTreeMap<u64, B256>,
}

impl NodeReader for Preimages {
    fn node(&self, _: Option<B256>, _: &Nibbles, hash: &B256) -> Result<Option<Bytes>, TrieError> {
        Ok(self.nodes.get(hash).cloned())
    }
}

impl TrieSource for Preimages {
    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        self.codes.get(hash).cloned().ok_or_else(|| missing("code", hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        self.block_hashes.get(&number).copied().ok_or_else(|| missing("the header of block", number))
    }
}

/// The state after the block with the hash `parent`, and the header of that block. Nothing in the witness is trusted: whatever
/// is read from the state follows from `parent`, or is an error.
pub fn open(witness: &Witness, parent: B256) -> Result<(TrieState<Preimages>, Sealed<Header>), WitnessError> {
    witness.check_bounds()?;
    let (block_hashes, header) = headers(&witness.headers, parent)?;
    let by_hash = |parts: &[Bytes]| parts.iter().map(|part| (keccak256(part), part.clone())).collect();
    let preimages = Preimages { nodes: by_hash(&witness.state), codes: by_hash(&witness.codes), block_hashes };
    Ok((TrieState::new(preimages, header.state_root), header))
}

/// Executes a block on a witness of the state before it. What comes back is that very block: its hash is checked.
pub fn replay(witness: &Witness, spec: &ChainSpec, block: &Block) -> Result<ExecutedBlock, WitnessError> {
    let (state, parent) = open(witness, block.header.parent_hash)?;
    execute(&state, &parent, spec, block)
}

/// Executes a block again and checks that it is the same.
pub(crate) fn execute<S: TrieSource>(
    state: &TrieState<S>,
    parent: &Sealed<Header>,
    spec: &ChainSpec,
    block: &Block,
) -> Result<ExecutedBlock, WitnessError> {
    let number = block.header.number;
    let attributes = attributes_of(block).map_err(|error| WitnessError::Header { number, error })?;
    let executed = execute_block(state, state, spec, parent, &attributes)?;
    let (expected, computed) = (block.header.hash_slow(), executed.hash);
    if expected == computed { Ok(executed) } else { Err(WitnessError::Differs { number, expected, computed }) }
}

/// The hashes of the blocks whose headers are given, and the last header, if they are a chain that ends with `parent`.
fn headers(encoded: &[Bytes], parent: B256) -> Result<(BTreeMap<u64, B256>, Sealed<Header>), WitnessError> {
    let wrong = |reason| WitnessError::Headers { parent, reason };
    let mut hashes = BTreeMap::new();
    let mut last: Option<Sealed<Header>> = None;
    // From the parent back, so that a hash counts only where the next header names it.
    let mut expected = parent;
    for rlp in encoded.iter().rev() {
        if keccak256(rlp) != expected {
            return Err(wrong("a header is not the one that the next names as its parent"));
        }
        let header: Header = alloy_rlp::decode_exact(rlp).map_err(|_| wrong("a header does not decode"))?;
        hashes.insert(header.number, expected);
        let hash = core::mem::replace(&mut expected, header.parent_hash);
        last.get_or_insert_with(|| Sealed::new_unchecked(header, hash));
    }
    Ok((hashes, last.ok_or_else(|| wrong("there are none"))?))
}
