//! From consensus types to what goes over the wire.

use alloy_consensus::{
    ReceiptWithBloom, Sealed, Transaction as _, TxReceipt,
    transaction::{Recovered, TransactionInfo},
};
use alloy_eips::{BlockNumHash, Encodable2718};
use alloy_primitives::{Address, B256, Bloom, TxKind, U256};
use alloy_rpc_types_eth::{Block, BlockTransactions, Header as RpcHeader, Log, TransactionReceipt};
use op_alloy_consensus::transaction::{OpDepositInfo, OpTransactionInfo};
use op_alloy_rpc_types::{OpTransactionReceipt, Transaction as RpcTransaction};
use openledger_batch::L1Info;
use openledger_primitives::{Header, Receipt, Transaction};

use crate::{BlockInfo, fees};

/// A block as `eth_getBlockBy*` answers it.
pub type RpcBlock = Block<RpcTransaction, RpcHeader>;

/// The header as `newHeads` sends it, without a size.
pub(crate) fn header(header: &Header, hash: B256) -> RpcHeader {
    RpcHeader::from_consensus(Sealed::new_unchecked(header.clone(), hash), None, None)
}

/// The block with transaction hashes, or with whole transactions.
pub(crate) fn block(info: &BlockInfo, full: bool) -> RpcBlock {
    let size = alloy_rlp::Encodable::length(&info.block);
    let transactions = if full {
        BlockTransactions::Full((0..info.block.body.transactions.len()).map(|index| transaction(info, index)).collect())
    } else {
        BlockTransactions::Hashes(info.block.body.transactions.iter().map(|tx| tx.tx_hash()).collect())
    };
    Block {
        header: RpcHeader::from_consensus(
            Sealed::new_unchecked(info.block.header.clone(), info.hash),
            Some(U256::ZERO),
            Some(U256::from(size)),
        ),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(info.block.body.withdrawals.clone().unwrap_or_default()),
    }
}

/// The transaction at `index` of a block. `index` must be in range.
pub(crate) fn transaction(info: &BlockInfo, index: usize) -> RpcTransaction {
    let tx = &info.block.body.transactions[index];
    let header = &info.block.header;
    let place = TransactionInfo {
        hash: Some(tx.tx_hash()),
        index: Some(index as u64),
        block_hash: Some(info.hash),
        block_number: Some(header.number),
        base_fee: header.base_fee_per_gas,
        block_timestamp: Some(header.timestamp),
    };
    let deposit = match &info.receipts[index] {
        Receipt::Deposit(receipt) => OpDepositInfo {
            deposit_nonce: receipt.deposit_nonce,
            deposit_receipt_version: receipt.deposit_receipt_version,
        },
        _ => OpDepositInfo::default(),
    };
    RpcTransaction::from_transaction(
        Recovered::new_unchecked(tx.clone(), info.senders[index]),
        OpTransactionInfo::new(place, deposit),
    )
}

/// A transaction that is not in a block yet.
pub(crate) fn pending_transaction(tx: Transaction, sender: Address) -> RpcTransaction {
    RpcTransaction::from_transaction(Recovered::new_unchecked(tx, sender), OpTransactionInfo::default())
}

/// All receipts of a block, in order.
pub(crate) fn receipts(info: &BlockInfo) -> Vec<OpTransactionReceipt> {
    let l1_info = fees::l1_info(&info.block);
    let mut first_log = 0;
    (0..info.receipts.len())
        .map(|index| {
            let receipt = receipt_with(info, index, first_log, l1_info.as_ref());
            first_log += info.receipts[index].logs().len() as u64;
            receipt
        })
        .collect()
}

/// The receipt of the transaction at `index`. `index` must be in range.
pub(crate) fn receipt(info: &BlockInfo, index: usize) -> OpTransactionReceipt {
    let first_log = info.receipts[..index].iter().map(|receipt| receipt.logs().len() as u64).sum();
    receipt_with(info, index, first_log, fees::l1_info(&info.block).as_ref())
}

fn receipt_with(info: &BlockInfo, index: usize, first_log: u64, l1_info: Option<&L1Info>) -> OpTransactionReceipt {
    let tx = &info.block.body.transactions[index];
    let header = &info.block.header;
    let receipt = info.receipts[index].clone();
    let before = index.checked_sub(1).map_or(0, |previous| info.receipts[previous].cumulative_gas_used());
    let gas_used = receipt.cumulative_gas_used().saturating_sub(before);
    let transaction_hash = tx.tx_hash();

    let bloom: Bloom = receipt.bloom();
    let mut log_index = first_log;
    let inner = receipt.map_logs(|log| {
        let log = Log {
            inner: log,
            block_hash: Some(info.hash),
            block_number: Some(header.number),
            block_timestamp: Some(header.timestamp),
            transaction_hash: Some(transaction_hash),
            transaction_index: Some(index as u64),
            log_index: Some(log_index),
            removed: false,
        };
        log_index += 1;
        log
    });

    let sender = info.senders[index];
    let contract_address = match tx.kind() {
        TxKind::Create => {
            let nonce = match &info.receipts[index] {
                Receipt::Deposit(deposit) => deposit.deposit_nonce.unwrap_or_default(),
                _ => tx.nonce(),
            };
            Some(sender.create(nonce))
        }
        TxKind::Call(_) => None,
    };

    OpTransactionReceipt {
        inner: TransactionReceipt {
            inner: ReceiptWithBloom { receipt: inner, logs_bloom: bloom },
            transaction_hash,
            transaction_index: Some(index as u64),
            block_hash: Some(info.hash),
            block_number: Some(header.number),
            gas_used,
            effective_gas_price: if tx.is_deposit() { 0 } else { tx.effective_gas_price(header.base_fee_per_gas) },
            blob_gas_used: None,
            blob_gas_price: None,
            from: sender,
            to: tx.to(),
            contract_address,
        },
        l1_block_info: l1_info.map(|l1| fees::receipt_fields(l1, tx)).unwrap_or_default(),
        op_gas_refund: None,
    }
}

/// The logs of a block that a filter lets through.
pub(crate) fn matching_logs(info: &BlockInfo, filter: &alloy_rpc_types_eth::Filter, removed: bool) -> Vec<Log> {
    let number = BlockNumHash::new(info.block.header.number, info.hash);
    let pairs = info.block.body.transactions.iter().map(|tx| tx.tx_hash()).zip(&info.receipts);
    filter.matching_block_logs(number, info.block.header.timestamp, pairs, removed)
}

/// Bytes of the transaction as it is in the block.
pub(crate) fn raw(tx: &Transaction) -> Vec<u8> {
    tx.encoded_2718()
}
