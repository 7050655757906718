use crate::{
    AttributesError, StateChanges, StateRoots,
    fees::{eip_1559_params, min_base_fee},
};
use alloc::vec::Vec;
use alloy_consensus::{
    BlockBody, EMPTY_OMMER_ROOT_HASH, Sealed, TxReceipt,
    proofs::{calculate_receipt_root, calculate_transaction_root},
};
use alloy_eips::{Encodable2718, eip4895::Withdrawals, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256};
use openledger_primitives::{Block, BlockAttributes, Header, Receipt, Transaction, output_root};

/// A block with everything that its execution gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutedBlock {
    /// Header and transactions.
    pub block: Block,
    /// Hash of the header.
    pub hash: B256,
    /// One for each transaction.
    pub receipts: Vec<Receipt>,
    /// Who sent each transaction.
    pub senders: Vec<Address>,
    /// What it did to the state.
    pub changes: StateChanges,
}

impl ExecutedBlock {
    /// Adds to the header what follows from executing, and hashes it.
    pub fn seal(
        header: Header,
        roots: StateRoots,
        transactions: Vec<Transaction>,
        senders: Vec<Address>,
        receipts: Vec<Receipt>,
        changes: StateChanges,
    ) -> Self {
        let (receipts_root, logs_bloom) = receipts_root(&receipts);
        let header = Header {
            state_root: roots.state_root,
            withdrawals_root: Some(roots.message_passer_root),
            transactions_root: calculate_transaction_root(&transactions),
            receipts_root,
            logs_bloom,
            ..header
        };
        let hash = header.hash_slow();
        let body = BlockBody { transactions, ommers: Vec::new(), withdrawals: Some(Withdrawals::default()) };
        Self { block: Block { header, body }, hash, receipts, senders, changes }
    }

    /// The header with its hash: the parent of the next block.
    pub fn sealed_header(&self) -> Sealed<Header> {
        Sealed::new_unchecked(self.block.header.clone(), self.hash)
    }

    /// The output root of the state after this block.
    pub fn output_root(&self) -> B256 {
        let header = &self.block.header;
        output_root(header.state_root, header.withdrawals_root.unwrap_or_default(), self.hash)
    }
}

/// What a header says of the receipts: their root, and the bloom of all their logs.
pub fn receipts_root(receipts: &[Receipt]) -> (B256, Bloom) {
    let with_bloom: Vec<_> = receipts.iter().map(TxReceipt::with_bloom_ref).collect();
    let bloom = with_bloom.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.logs_bloom);
    (calculate_receipt_root(&with_bloom), bloom)
}

/// The attributes that a block was made of: with the same parent and state, they make it again. The header's other fields follow
/// from execution; compare the hashes.
pub fn attributes_of(block: &Block) -> Result<BlockAttributes, AttributesError> {
    let header = &block.header;
    Ok(BlockAttributes {
        timestamp: header.timestamp,
        prev_randao: header.mix_hash,
        fee_recipient: header.beneficiary,
        parent_beacon_block_root: header.parent_beacon_block_root.unwrap_or_default(),
        gas_limit: header.gas_limit,
        eip_1559_params: eip_1559_params(header)?,
        min_base_fee: min_base_fee(header),
        transactions: block.body.transactions.iter().map(|tx| tx.encoded_2718().into()).collect(),
        no_tx_pool: true,
    })
}

/// The header of the next block as far as the attributes decide it, by the rules of Isthmus and Jovian.
pub(crate) fn begin(parent: &Sealed<Header>, attributes: &BlockAttributes, extra_data: Bytes, base_fee: u64) -> Header {
    Header {
        parent_hash: parent.hash(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: attributes.fee_recipient,
        difficulty: U256::ZERO,
        number: parent.number + 1,
        gas_limit: attributes.gas_limit,
        timestamp: attributes.timestamp,
        extra_data,
        mix_hash: attributes.prev_randao,
        nonce: B64::ZERO,
        base_fee_per_gas: Some(base_fee),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(attributes.parent_beacon_block_root),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}
