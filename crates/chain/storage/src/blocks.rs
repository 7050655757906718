use alloy_consensus::{Header, Sealed, TxReceipt as _};
use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256};
use openledger_primitives::{Block, Receipt, Transaction};

use crate::{Database, StorageError, codec, tables::Table};

/// A canonical block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockEntry {
    /// The header with its hash.
    pub header: Sealed<Header>,
    /// Transactions in order, deposits first.
    pub transactions: Vec<Transaction>,
    /// Who sent each transaction.
    pub senders: Vec<Address>,
}

impl BlockEntry {
    /// Number and hash.
    pub fn id(&self) -> BlockNumHash {
        BlockNumHash::new(self.header.number, self.header.hash())
    }

    /// The block as consensus knows it. Ommers and withdrawals are always empty.
    pub fn into_block(self) -> Block {
        let (header, _) = self.header.into_parts();
        let withdrawals = header.withdrawals_root.map(|_| Default::default());
        let body = alloy_consensus::BlockBody { transactions: self.transactions, ommers: Vec::new(), withdrawals };
        Block { header, body }
    }
}

/// A transaction of a canonical block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionEntry {
    /// The transaction.
    pub transaction: Transaction,
    /// Who sent it.
    pub sender: Address,
    /// The header of its block, with the hash.
    pub header: Sealed<Header>,
    /// Its position in the block, from 0.
    pub index: u32,
}

/// The receipt of a transaction of a canonical block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptEntry {
    /// The receipt.
    pub receipt: Receipt,
    /// Gas used by this transaction alone.
    pub gas_used: u64,
    /// Position in the block of its first log, from 0.
    pub first_log_index: u64,
    /// The transaction.
    pub transaction: TransactionEntry,
}

impl Database {
    /// Hash of the canonical block at a height.
    pub fn hash(&self, number: u64) -> Result<Option<B256>, StorageError> {
        self.inner.store.get(Table::Hashes, number.to_be_bytes())?.map(|value| codec::hash(&value)).transpose()
    }

    /// Height of the canonical block with this hash.
    pub fn number(&self, hash: &B256) -> Result<Option<u64>, StorageError> {
        self.inner.store.get(Table::Numbers, hash)?.map(|value| codec::number(&value)).transpose()
    }

    /// The header at a height.
    pub fn header(&self, number: u64) -> Result<Option<Sealed<Header>>, StorageError> {
        let Some(hash) = self.hash(number)? else { return Ok(None) };
        let header = self.inner.store.get(Table::Headers, number.to_be_bytes())?;
        header.map(|value| codec::header(&value, hash)).transpose()
    }

    /// The header with this hash.
    pub fn header_by_hash(&self, hash: &B256) -> Result<Option<Sealed<Header>>, StorageError> {
        let Some(number) = self.number(hash)? else { return Ok(None) };
        Ok(self.header(number)?.filter(|header| header.hash() == *hash))
    }

    /// The block at a height.
    pub fn block(&self, number: u64) -> Result<Option<BlockEntry>, StorageError> {
        let Some(header) = self.header(number)? else { return Ok(None) };
        let Some(body) = self.inner.store.get(Table::Bodies, number.to_be_bytes())? else { return Ok(None) };
        Ok(Some(BlockEntry {
            header,
            transactions: codec::decode("a body", &body)?,
            senders: self.senders(number)?.unwrap_or_default(),
        }))
    }

    /// The block with this hash.
    pub fn block_by_hash(&self, hash: &B256) -> Result<Option<BlockEntry>, StorageError> {
        let Some(number) = self.number(hash)? else { return Ok(None) };
        Ok(self.block(number)?.filter(|block| block.header.hash() == *hash))
    }

    /// Who sent the transactions of the block at a height.
    pub fn senders(&self, number: u64) -> Result<Option<Vec<Address>>, StorageError> {
        let senders = self.inner.store.get(Table::Senders, number.to_be_bytes())?;
        senders.map(|value| codec::decode_senders(&value)).transpose()
    }

    /// The receipts of the block at a height.
    pub fn receipts(&self, number: u64) -> Result<Option<Vec<Receipt>>, StorageError> {
        let receipts = self.inner.store.get(Table::Receipts, number.to_be_bytes())?;
        receipts.map(|value| codec::receipts(&value)).transpose()
    }

    /// Where a transaction is: block and index.
    pub fn transaction_place(&self, hash: &B256) -> Result<Option<(u64, u32)>, StorageError> {
        self.inner.store.get(Table::Transactions, hash)?.map(|value| codec::decode_place(&value)).transpose()
    }

    /// The transaction with this hash.
    pub fn transaction(&self, hash: &B256) -> Result<Option<TransactionEntry>, StorageError> {
        match self.transaction_place(hash)? {
            Some((number, index)) => self.transaction_at(number, index),
            None => Ok(None),
        }
    }

    /// The transaction at an index of the block at a height.
    pub fn transaction_at(&self, number: u64, index: u32) -> Result<Option<TransactionEntry>, StorageError> {
        let Some(header) = self.header(number)? else { return Ok(None) };
        let Some(sender) = self.senders(number)?.and_then(|senders| senders.get(index as usize).copied()) else {
            return Ok(None);
        };
        let Some(body) = self.inner.store.get(Table::Bodies, number.to_be_bytes())? else { return Ok(None) };
        let transaction = codec::decode_nth("a transaction", &body, index as usize)?;
        Ok(Some(TransactionEntry { transaction, sender, header, index }))
    }

    /// The receipt of the transaction with this hash.
    pub fn receipt(&self, hash: &B256) -> Result<Option<ReceiptEntry>, StorageError> {
        let Some((number, index)) = self.transaction_place(hash)? else { return Ok(None) };
        let Some(transaction) = self.transaction_at(number, index)? else { return Ok(None) };
        let Some(mut receipts) = self.receipts(number)? else { return Ok(None) };
        receipts.truncate(index as usize + 1);
        let Some(receipt) = receipts.pop() else { return Ok(None) };
        let gas_before = receipts.last().map_or(0, |receipt| receipt.cumulative_gas_used());
        Ok(Some(ReceiptEntry {
            gas_used: receipt.cumulative_gas_used().saturating_sub(gas_before),
            first_log_index: receipts.iter().map(|receipt| receipt.logs().len() as u64).sum(),
            receipt,
            transaction,
        }))
    }
}
