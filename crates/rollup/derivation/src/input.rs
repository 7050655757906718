use alloc::vec::Vec;
use alloy_primitives::{Address, B256, Bytes};
use op_alloy_consensus::TxDeposit;
use openledger_batch::{ConfigUpdate, L1Info};
use openledger_primitives::L1BlockRef;

/// What an L2 block takes over from the header of its L1 origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1BlockInfo {
    /// The block.
    pub block: L1BlockRef,
    /// Base fee, in wei.
    pub base_fee: u64,
    /// Blob base fee, in wei; 1 where L1 has no blobs.
    pub blob_base_fee: u128,
    /// The header's mix hash.
    pub prev_randao: B256,
    /// Parent beacon block root, or zero where L1 has none.
    pub parent_beacon_block_root: B256,
}

impl L1BlockInfo {
    /// The part of the L1 attributes that comes from the header.
    pub(crate) fn l1_info(&self, sequence_number: u64) -> L1Info {
        L1Info {
            number: self.block.number,
            timestamp: self.block.timestamp,
            base_fee: self.base_fee,
            blob_base_fee: self.blob_base_fee,
            hash: self.block.hash,
            sequence_number,
            ..Default::default()
        }
    }
}

/// A transaction to the batch inbox. Whether its sender is the batcher is decided here, not by who fetches it: the batcher's
/// address is itself derived from L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxTransaction {
    /// Hash of the L1 transaction.
    pub hash: B256,
    /// Recovered from the signature.
    pub sender: Address,
    /// Its calldata.
    pub payload: Bytes,
}

/// All that derivation needs to know of one L1 block. Whoever makes one has checked it against the block's hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct L1Input {
    /// From the header.
    pub info: L1BlockInfo,
    /// Transactions to the batch inbox, in the order of the block.
    pub inbox: Vec<InboxTransaction>,
    /// Deposits of the portal's logs, in order.
    pub deposits: Vec<TxDeposit>,
    /// Updates of the `SystemConfig` contract's logs, in order.
    pub config_updates: Vec<ConfigUpdate>,
}
