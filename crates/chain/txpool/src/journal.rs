//! Records of local transactions for a file that a driver keeps: append [`encode`]'s bytes and sync before a transaction is
//! acknowledged, [`decode`] the file at start and add what comes back, then write the file anew with what the pool still holds.
//!
//! A record is the length of the EIP-2718 bytes (4 bytes, big-endian), the first 4 bytes of their Keccak-256, and the bytes. That
//! hash is the transaction's, which is known by then: a contract of 3 KB takes longer to hash than to write.

use alloy_primitives::{B256, Bytes, keccak256};

use crate::PoolTransaction;

/// Bytes before each transaction.
const HEADER: usize = 8;

/// A transaction to be written. Made from a whole transaction or from bytes only, so that the hash is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    hash: B256,
    raw: Bytes,
}

impl From<&PoolTransaction> for Record {
    fn from(transaction: &PoolTransaction) -> Self {
        Self { hash: transaction.hash(), raw: transaction.raw().clone() }
    }
}

impl From<Bytes> for Record {
    fn from(raw: Bytes) -> Self {
        Self { hash: keccak256(&raw), raw }
    }
}

/// What a journal holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// The raw transactions, in the order in which they came.
    pub transactions: Vec<Bytes>,
    /// How many bytes at the beginning are whole records. Shorter than the file if the last write was torn: nothing in the
    /// rest was acknowledged, cut it off before appending.
    pub valid_bytes: usize,
}

/// Appends a record.
pub fn encode(Record { hash, raw }: &Record, out: &mut Vec<u8>) {
    out.extend_from_slice(&(raw.len() as u32).to_be_bytes());
    out.extend_from_slice(&hash[..4]);
    out.extend_from_slice(raw);
}

/// Reads records up to the first that is cut off or damaged.
pub fn decode(bytes: &[u8]) -> Journal {
    let mut journal = Journal::default();
    let mut rest = bytes;
    while let Some((header, tail)) = rest.split_first_chunk::<HEADER>() {
        let [length @ .., _, _, _, _] = *header;
        let Some((raw, tail)) = tail.split_at_checked(u32::from_be_bytes(length) as usize) else { break };
        if keccak256(raw)[..4] != header[4..] {
            break;
        }
        journal.transactions.push(Bytes::copy_from_slice(raw));
        rest = tail;
    }
    journal.valid_bytes = bytes.len() - rest.len();
    journal
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    proptest! {
        #[test]
        fn a_torn_write_loses_only_itself(
            records in vec(vec(any::<u8>(), 1..200), 1..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut file = Vec::new();
            let mut ends = vec![0];
            let records: Vec<Bytes> = records.into_iter().map(Bytes::from).collect();
            for raw in &records {
                encode(&raw.clone().into(), &mut file);
                ends.push(file.len());
            }
            let cut = cut.index(file.len() + 1);
            let whole = ends.iter().filter(|end| **end <= cut).count() - 1;
            let journal = decode(&file[..cut]);
            prop_assert_eq!(journal.valid_bytes, ends[whole]);
            prop_assert_eq!(journal.transactions, &records[..whole]);
        }
    }
}
