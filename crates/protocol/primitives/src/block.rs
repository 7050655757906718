use alloy_consensus::{Header, Sealed};
use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

/// A transaction of the L2: the Ethereum types and deposits.
pub type Transaction = op_alloy_consensus::OpTxEnvelope;
/// A receipt of the L2. Its bloom follows from its logs and is not part of it.
pub type Receipt = op_alloy_consensus::OpReceipt;
/// A block of the L2. Its ommers are empty and so are its withdrawals.
pub type Block = alloy_consensus::Block<Transaction>;

/// A block of L1 as derivation refers to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L1BlockRef {
    /// Hash of the header.
    pub hash: B256,
    /// Height.
    pub number: u64,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
}

impl L1BlockRef {
    /// Number and hash alone.
    pub const fn id(&self) -> BlockNumHash {
        BlockNumHash { number: self.number, hash: self.hash }
    }
}

impl From<&Sealed<Header>> for L1BlockRef {
    fn from(header: &Sealed<Header>) -> Self {
        Self {
            hash: header.hash(),
            number: header.number,
            parent_hash: header.parent_hash,
            timestamp: header.timestamp,
        }
    }
}

/// A block of the L2 with the L1 block it builds on. The JSON form is the one of op-node's `optimism_syncStatus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct L2BlockRef {
    /// Hash of the header.
    pub hash: B256,
    /// Height.
    pub number: u64,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// The L1 block whose attributes the first transaction carries (the block's epoch).
    #[serde(rename = "l1origin")]
    pub l1_origin: BlockNumHash,
    /// Position of the block within its epoch, from 0.
    pub sequence_number: u64,
}

impl L2BlockRef {
    /// Number and hash alone.
    pub const fn id(&self) -> BlockNumHash {
        BlockNumHash { number: self.number, hash: self.hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l2_block_ref_has_op_node_field_names() {
        let block = L2BlockRef { number: 7, l1_origin: BlockNumHash::new(3, B256::ZERO), ..Default::default() };
        let json = serde_json::to_value(block).unwrap();
        assert_eq!(json["l1origin"]["number"], 3);
        assert_eq!(json["sequenceNumber"], 0);
        assert!(json.get("parentHash").is_some());
        assert_eq!(serde_json::from_value::<L2BlockRef>(json).unwrap(), block);
    }
}
