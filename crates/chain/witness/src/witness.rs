use alloc::vec::Vec;

use alloy_primitives::Bytes;
use serde::{Deserialize, Serialize};

use crate::WitnessError;

/// What a block reads of the state before it: enough to execute it without a database. The JSON form is that of
/// `debug_executionWitness` in geth and reth. The order of `state`, `codes` and `keys` means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// RLP of the trie nodes on the way to every account and slot that is read or changed, and of those that move when others
    /// are deleted.
    pub state: Vec<Bytes>,
    /// Every code that is run or looked at.
    pub codes: Vec<Bytes>,
    /// The addresses (20 bytes) and slots (32 bytes) whose hashes lead through the tries.
    pub keys: Vec<Bytes>,
    /// RLP of the headers from the oldest whose hash is asked for to the parent, oldest first.
    pub headers: Vec<Bytes>,
}

/// Bytes of a whole witness. A block of 60,000,000 gas can look at about 550 MB of code; nobody serves that.
const MAX_BYTES: usize = 256 << 20;
/// Bytes of one trie node: a branch has 533 at most, a leaf of the state less.
const MAX_NODE_BYTES: usize = 1024;
/// Bytes of one header; those of this chain have about 700.
const MAX_HEADER_BYTES: usize = 2048;
/// `BLOCKHASH` reaches no further back.
const MAX_HEADERS: usize = 256;

impl Witness {
    /// Bytes of all parts.
    pub fn len(&self) -> usize {
        [&self.state, &self.codes, &self.keys, &self.headers].into_iter().flatten().map(|part| part.len()).sum()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks that nothing is larger than it can be, before anything is decoded or hashed.
    pub(crate) fn check_bounds(&self) -> Result<(), WitnessError> {
        let longest = |parts: &[Bytes]| parts.iter().map(|part| part.len()).max().unwrap_or_default();
        for (what, found, limit) in [
            ("bytes in all", self.len(), MAX_BYTES),
            ("bytes in a trie node", longest(&self.state), MAX_NODE_BYTES),
            ("bytes in a header", longest(&self.headers), MAX_HEADER_BYTES),
            ("headers", self.headers.len(), MAX_HEADERS),
        ] {
            if found > limit {
                return Err(WitnessError::TooLarge { what, limit });
            }
        }
        Ok(())
    }
}
