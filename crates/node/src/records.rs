//! What the node remembers about derivation, beside the chain itself: which L1 block and transaction each safe block came from,
//! and the faults that were found. It is kept in the database's notes and survives restarts.

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use alloy_rlp::{Decodable as _, RlpDecodable, RlpEncodable};
use openledger_rpc::Fault;
use openledger_storage::{Database, StorageError};

/// Prefix of the notes on safe blocks; the block number follows, big-endian.
const DERIVED: &[u8] = b"derived/";
/// Prefix of the notes on faults; the position follows, big-endian.
const FAULTS: &[u8] = b"fault/";

/// Where a safe block came from.
#[derive(Debug, Clone, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(crate) struct Derived {
    /// Hash of the L2 block.
    pub(crate) l2_hash: B256,
    /// Height of the L1 block up to which L1 had to be read to derive it.
    pub(crate) l1_number: u64,
    /// Hash of that L1 block.
    pub(crate) l1_hash: B256,
    /// L1 transactions that carried its batch; none if it was derived without one.
    pub(crate) l1_transactions: Vec<B256>,
}

impl Derived {
    /// Number and hash of the L1 block.
    pub(crate) const fn l1_block(&self) -> BlockNumHash {
        BlockNumHash { number: self.l1_number, hash: self.l1_hash }
    }
}

/// The notes.
#[derive(Debug, Clone)]
pub(crate) struct Records(Database);

impl Records {
    pub(crate) const fn new(db: Database) -> Self {
        Self(db)
    }

    /// Where a canonical block was derived from; `None` if it is not canonical any more or not derived yet.
    pub(crate) fn derived(&self, number: u64) -> Result<Option<Derived>, StorageError> {
        let Some(bytes) = self.0.note(&key(DERIVED, number))? else { return Ok(None) };
        let derived = Derived::decode(&mut bytes.as_slice())
            .map_err(|error| StorageError::Corrupted(format!("the note on block {number} does not decode: {error}")))?;
        Ok((self.0.hash(number)? == Some(derived.l2_hash)).then_some(derived))
    }

    /// Remembers where a block was derived from.
    pub(crate) fn set_derived(&self, number: u64, derived: &Derived) -> Result<(), StorageError> {
        self.0.put_note(&key(DERIVED, number), &alloy_rlp::encode(derived))
    }

    /// All faults, oldest first.
    pub(crate) fn faults(&self) -> Result<Vec<Fault>, StorageError> {
        let notes = self.0.notes(FAULTS)?;
        notes
            .into_iter()
            .map(|(_, bytes)| {
                serde_json::from_slice(&bytes)
                    .map_err(|error| StorageError::Corrupted(format!("the note on a fault does not decode: {error}")))
            })
            .collect()
    }

    /// Remembers a fault, unless the same block was reported in the same way before. Says whether it is new.
    pub(crate) fn add_fault(&self, fault: &Fault) -> Result<bool, StorageError> {
        let known = self.faults()?;
        if known.iter().any(|old| (old.kind, old.block_number) == (fault.kind, fault.block_number)) {
            return Ok(false);
        }
        let bytes = serde_json::to_vec(fault).map_err(|error| StorageError::Backend(error.to_string()))?;
        self.0.put_note(&key(FAULTS, known.len() as u64), &bytes)?;
        Ok(true)
    }
}

fn key(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}
