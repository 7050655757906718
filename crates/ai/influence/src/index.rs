//! The gradient index on disk. `README.md` describes the files.

mod build;
mod header;
mod read;

use std::{fs::File, path::Path};

use alloy_primitives::{Address, B256};
use openledger_attribution::merkle::{MerkleTree, leaf_hash};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use build::IndexBuilder;
pub use header::{Header, Identity};
pub use read::Index;

use crate::{Error, Result};

/// Folder of the finished index beside the adapter.
const FOLDER: &str = "gradients";
/// Folder of an index that is being built.
const PARTIAL: &str = "gradients.partial";
/// Where the old index waits for a moment while a new one takes its place.
const REPLACED: &str = "gradients.replaced";

const HEADER: &str = "index.json";
const PLAN: &str = "plan.json";
const TABLE: &str = "data.jsonl";
const RECORDS: &str = "records.bin";
const GRADIENTS: &str = "gradients.bf16";
const LOCK: &str = "lock";

/// Most characters of a datum's text that the table keeps, enough to recognise it by.
pub const PREVIEW_CHARS: usize = 160;

/// One line of the datum table: what a score is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatumEntry {
    /// The datum's number in its dataset, from 0 without gaps: also its row in the index and its leaf in the dataset root.
    pub id: u32,
    /// Whom its influence pays.
    pub contributor: Address,
    /// The contributor's name as the dataset has it, for display.
    pub contributor_name: String,
    /// keccak256 of the canonical datum JSON, as in the dataset root's leaf.
    pub content_hash: B256,
    /// The beginning of its text, at most [`PREVIEW_CHARS`] characters.
    pub preview: String,
}

/// The fixed-size record of one datum in `records.bin`: a commitment to its gradient, then `‖g_l‖²` for each matrix.
struct Record;

impl Record {
    const fn size(matrices: usize) -> usize {
        32 + 8 * matrices
    }

    fn encode(id: u32, row: &[u8], norms: &[f64]) -> Vec<u8> {
        let mut record = Self::commitment(id, row).to_vec();
        norms.iter().for_each(|norm| record.extend_from_slice(&norm.to_le_bytes()));
        record
    }

    /// SHA-256 of the datum's id (4 bytes, big-endian) and its row's bytes.
    fn commitment(id: u32, row: &[u8]) -> B256 {
        B256::from_slice(&Sha256::new().chain_update(id.to_be_bytes()).chain_update(row).finalize())
    }
}

/// Root over all gradients: the Merkle tree of `docs/spec/settlement.md` with leaves `abi.encode(uint32 datumId, bytes32 commitment)`, so
/// that one datum's gradient can be shown to belong to the index without the others. Zero without data.
fn commitment_root(commitments: impl Iterator<Item = B256>) -> B256 {
    let leaf = |(id, commitment): (usize, B256)| {
        let mut encoded = [0u8; 64];
        encoded[28..32].copy_from_slice(&(id as u32).to_be_bytes());
        encoded[32..].copy_from_slice(commitment.as_slice());
        leaf_hash(&encoded)
    };
    let leaves: Vec<_> = commitments.enumerate().map(leaf).collect();
    MerkleTree::new(&leaves).map_or(B256::ZERO, |tree| tree.root())
}

fn sha256(bytes: &[u8]) -> B256 {
    B256::from_slice(&Sha256::digest(bytes))
}

/// Writes a small file so that it is there whole or not at all, also after a power failure.
fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let (path, temporary) = (folder.join(name), folder.join(format!("{name}.tmp")));
    let write = || {
        let mut file = File::create(&temporary)?;
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(Error::io("write", &path))
}

#[cfg(test)]
mod tests;
