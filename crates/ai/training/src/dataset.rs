//! Questions and answers with the people they come from.

mod canonical;
mod contributors;
mod jsonl;

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use alloy_primitives::{Address, B256, keccak256};
use openledger_attribution::merkle::{MerkleTree, datum_leaf};
use serde::{Deserialize, Serialize};

pub use contributors::{Contributors, development_address};
pub use jsonl::{JsonlFields, ReadSummary, RowError};

use crate::{Error, Result, SplitMix64};

/// The dataset as it was trained on, kept beside the adapter: one [`Datum`] for each line, in the order of ids.
pub const DATASET_FILE: &str = "dataset.jsonl";

/// Longest line of a dataset.
const MAX_LINE: usize = 1 << 20;
/// Most rows of a dataset.
const MAX_ROWS: usize = 10_000_000;

/// One datum: a question with the answer that the model is to learn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Datum {
    /// Number in the dataset, from 0 without gaps.
    pub id: u32,
    /// Whom its influence pays.
    pub address: Address,
    /// The contributor's name.
    pub contributor: String,
    /// What is asked.
    pub question: String,
    /// What is answered.
    pub answer: String,
}

impl Datum {
    /// keccak256 of the [canonical JSON](Self::canonical_json).
    pub fn content_hash(&self) -> B256 {
        keccak256(self.canonical_json())
    }
}

/// Data with ids, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dataset {
    data: Vec<Datum>,
}

impl Dataset {
    /// Numbers the data in the order given.
    pub fn new(data: impl IntoIterator<Item = Datum>) -> Self {
        let number = |(id, datum): (usize, Datum)| Datum { id: id as u32, ..datum };
        Self { data: data.into_iter().enumerate().map(number).collect() }
    }

    /// The data in order of their ids.
    pub fn data(&self) -> &[Datum] {
        &self.data
    }

    /// Number of data.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Merkle root over id, contributor and content of each datum (`docs/spec/settlement.md`); zero without data.
    pub fn root(&self) -> B256 {
        let leaf = |datum: &Datum| datum_leaf(datum.id, datum.address, datum.content_hash());
        let leaves: Vec<_> = self.data.iter().map(leaf).collect();
        MerkleTree::new(&leaves).map_or(B256::ZERO, |tree| tree.root())
    }

    /// How many data each contributor has, by name.
    pub fn contributors(&self) -> BTreeMap<&str, (Address, usize)> {
        let mut counts = BTreeMap::new();
        for datum in &self.data {
            counts.entry(datum.contributor.as_str()).or_insert((datum.address, 0)).1 += 1;
        }
        counts
    }

    /// At most `limit` data, as even over the contributors as can be: each one's first, then each one's second, and so
    /// on. The order of the file is kept.
    pub fn limited(self, limit: usize) -> Self {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut ranked: Vec<(usize, Datum)> = self
            .data
            .into_iter()
            .map(|datum| {
                let rank = seen.entry(datum.contributor.clone()).or_default();
                *rank += 1;
                (*rank, datum)
            })
            .collect();
        ranked.sort_by_key(|(rank, datum)| (*rank, datum.id));
        ranked.truncate(limit);
        ranked.sort_by_key(|(_, datum)| datum.id);
        Self::new(ranked.into_iter().map(|(_, datum)| datum))
    }

    /// Puts a random share aside for evaluation. Only what is trained on keeps an id and a place in the root: data that
    /// the adapter never saw cannot have influenced it.
    pub fn split(self, evaluation_share: f64, seed: u64) -> (Self, Self) {
        let held_out = (self.len() as f64 * evaluation_share).round() as usize;
        let order = SplitMix64::new(seed, 2).permutation(self.len());
        let mut is_held_out = vec![false; self.len()];
        order.iter().take(held_out).for_each(|i| is_held_out[*i] = true);
        let (evaluation, training) = self.data.into_iter().partition::<Vec<_>, _>(|d| is_held_out[d.id as usize]);
        (Self::new(training), Self::new(evaluation))
    }

    /// The bytes of [`DATASET_FILE`].
    pub fn to_jsonl(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for datum in &self.data {
            serde_json::to_writer(&mut bytes, datum).expect("a datum is plain data");
            bytes.push(b'\n');
        }
        bytes
    }

    /// Reads what [`to_jsonl`](Self::to_jsonl) wrote.
    pub fn open(path: &Path) -> Result<Self> {
        let mut data = Vec::new();
        for_lines(path, |line, text| {
            let datum: Datum = match text.map(serde_json::from_slice) {
                Some(Ok(datum)) => datum,
                Some(Err(error)) => return Err(Error::damaged(path, format!("line {line}: {error}; train again"))),
                None => return Err(Error::damaged(path, format!("line {line} is too long; train again"))),
            };
            if datum.id as usize != data.len() {
                return Err(Error::damaged(path, format!("line {line} has the id {}; train again", datum.id)));
            }
            data.push(datum);
            Ok(())
        })?;
        Ok(Self { data })
    }
}

/// Calls `visit` with the number (from 1) and the bytes of each line that is not blank; with `None` for the bytes of
/// a line that is too long, which is passed over without being held in memory.
fn for_lines(path: &Path, mut visit: impl FnMut(usize, Option<&[u8]>) -> Result<()>) -> Result<()> {
    let mut reader = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
    let mut bytes = Vec::new();
    for line in 1..=MAX_ROWS {
        bytes.clear();
        let mut read = reader.by_ref().take(MAX_LINE as u64 + 1);
        if read.read_until(b'\n', &mut bytes).map_err(Error::io("read", path))? == 0 {
            return Ok(());
        }
        if bytes.len() > MAX_LINE {
            reader.skip_until(b'\n').map_err(Error::io("read", path))?;
            visit(line, None)?;
        } else if !bytes.trim_ascii().is_empty() {
            visit(line, Some(&bytes))?;
        }
    }
    match reader.fill_buf().map_err(Error::io("read", path))?.is_empty() {
        true => Ok(()),
        false => Err(Error::damaged(path, format!("it has more than {MAX_ROWS} lines; split it"))),
    }
}

#[cfg(test)]
mod tests;
