use alloy::{
    consensus::{Header, Sealed, TxEnvelope, proofs},
    rpc::types::{Block, BlockTransactions, Header as RpcHeader, Transaction, TransactionReceipt},
};
use alloy_consensus::{ReceiptEnvelope, Transaction as _, transaction::SignerRecoverable as _};
use alloy_eips::Encodable2718 as _;
use alloy_primitives::{B256, keccak256};
use openledger_batch::{CONFIG_UPDATE_TOPIC, ConfigUpdate, TRANSACTION_DEPOSITED_TOPIC, decode_deposit};
use openledger_derivation::{InboxTransaction, L1BlockInfo, L1Input};
use openledger_primitives::{L1BlockRef, RollupConfig};

use crate::{L1Error, blob_fee::blob_params};

fn ensure(block: B256, what: &'static str, claimed: B256, computed: B256) -> Result<(), L1Error> {
    if claimed == computed { Ok(()) } else { Err(L1Error::Inconsistent { block, what, claimed, computed }) }
}

/// Checks that the header's fields hash to the hash that L1 gave with them.
pub(crate) fn header(header: RpcHeader) -> Result<Sealed<Header>, L1Error> {
    let (claimed, header) = (header.hash, header.inner);
    ensure(claimed, "header hash", claimed, header.hash_slow())?;
    Ok(Sealed::new_unchecked(header, claimed))
}

/// Checks that the transactions are those that the header commits to.
pub(crate) fn transactions(block: Block) -> Result<(Sealed<Header>, Vec<TxEnvelope>), L1Error> {
    let header = header(block.header)?;
    let transactions: Vec<TxEnvelope> = match block.transactions {
        BlockTransactions::Full(transactions) => transactions.into_iter().map(Transaction::into_inner).collect(),
        BlockTransactions::Hashes(hashes) if hashes.is_empty() => Vec::new(),
        _ => {
            let reason = "hashes instead of transactions".into();
            return Err(L1Error::Unreadable { method: "eth_getBlockByHash", reason });
        }
    };
    let computed = proofs::calculate_transaction_root(&transactions);
    ensure(header.hash(), "transactions root", header.transactions_root, computed)?;
    Ok((header, transactions))
}

/// Checks that the receipts are those that the header commits to.
pub(crate) fn receipts(
    header: &Sealed<Header>,
    receipts: Vec<TransactionReceipt>,
) -> Result<Vec<ReceiptEnvelope>, L1Error> {
    let receipts: Vec<_> = receipts.into_iter().map(|receipt| receipt.into_primitives_receipt().inner).collect();
    ensure(header.hash(), "receipts root", header.receipts_root, proofs::calculate_receipt_root(&receipts))?;
    Ok(receipts)
}

/// Takes out of a verified block what derivation needs.
pub(crate) fn input(
    config: &RollupConfig,
    header: &Sealed<Header>,
    transactions: &[TxEnvelope],
    receipts: &[ReceiptEnvelope],
) -> Result<L1Input, L1Error> {
    let hash = header.hash();
    let to_inbox = transactions.iter().filter(|transaction| (**transaction).to() == Some(config.batch_inbox_address));
    let inbox = to_inbox.filter_map(|transaction| {
        // A signature that names nobody cannot be the batcher's.
        let sender = transaction.recover_signer().ok()?;
        let hash = keccak256(transaction.encoded_2718());
        Some(InboxTransaction { hash, sender, payload: transaction.input().clone() })
    });
    let mut input = L1Input { info: info(config.l1_chain_id, header), inbox: inbox.collect(), ..Default::default() };
    let logs = receipts.iter().flat_map(|receipt| receipt.logs().iter().map(|log| (receipt.status(), log)));
    for (index, (status, log)) in (0..).zip(logs) {
        let topic = log.topics().first();
        let malformed = |error| L1Error::MalformedLog { contract: log.address, block: hash, error };
        if !status {
            continue;
        }
        if log.address == config.deposit_contract_address && topic == Some(&TRANSACTION_DEPOSITED_TOPIC) {
            input.deposits.push(decode_deposit(hash, index, log).map_err(malformed)?);
        }
        if log.address == config.l1_system_config_address && topic == Some(&CONFIG_UPDATE_TOPIC) {
            input.config_updates.push(ConfigUpdate::decode(log).map_err(malformed)?);
        }
    }
    Ok(input)
}

fn info(l1_chain_id: u64, header: &Sealed<Header>) -> L1BlockInfo {
    L1BlockInfo {
        block: L1BlockRef::from(header),
        base_fee: header.base_fee_per_gas.unwrap_or_default(),
        blob_base_fee: header.blob_fee(blob_params(l1_chain_id, header.timestamp)).unwrap_or(1),
        prev_randao: header.mix_hash,
        parent_beacon_block_root: header.parent_beacon_block_root.unwrap_or_default(),
    }
}
