//! `ots_searchTransactionsBefore` and `ots_searchTransactionsAfter`, by reading blocks: there is no index of addresses.
//!
//! Found is who sends, receives or creates, who logs and who is named in the topics of a log. A contract that is only called by
//! another one and logs nothing is not found. One request reads as many blocks as one `eth_getLogs`; what it found up to there
//! is the page, and `firstPage` and `lastPage` are `false` where it did not come to an end of the chain.

use std::sync::Arc;

use alloy_consensus::{Transaction as _, TxReceipt as _};
use alloy_primitives::Address;
use alloy_rpc_types_trace::otterscan::{OtsTransactionReceipt, TransactionsWithReceipts};
use jsonrpsee::proc_macros::rpc;
use op_alloy_rpc_types::Transaction as RpcTransaction;

use crate::{
    BlockInfo, RpcError,
    context::Context,
    convert,
    ots::{MAX_PAGE, ots_receipt},
};

/// The transactions of an address, newest first.
#[rpc(server, namespace = "ots")]
pub trait OtterscanSearch {
    /// Those before a block; block 0 stands for the end of the chain. A page has whole blocks, until it has `size` transactions.
    #[method(name = "searchTransactionsBefore", blocking)]
    fn search_before(
        &self,
        address: Address,
        block: u64,
        size: usize,
    ) -> Result<TransactionsWithReceipts<RpcTransaction>, RpcError>;
    /// Those after a block, the nearest ones; block 0 stands for the begin of the chain.
    #[method(name = "searchTransactionsAfter", blocking)]
    fn search_after(
        &self,
        address: Address,
        block: u64,
        size: usize,
    ) -> Result<TransactionsWithReceipts<RpcTransaction>, RpcError>;
}

impl OtterscanSearchServer for Context {
    fn search_before(
        &self,
        address: Address,
        block: u64,
        size: usize,
    ) -> Result<TransactionsWithReceipts<RpcTransaction>, RpcError> {
        let head = self.chain.heads().latest.number;
        let end = if block == 0 { head + 1 } else { block.min(head + 1) };
        let (found, last) = self.search(address, (1..end).rev(), size)?;
        let (txs, receipts) = found.into_iter().flat_map(|block| page(&block, address)).unzip();
        Ok(TransactionsWithReceipts { txs, receipts, first_page: end > head, last_page: last })
    }

    fn search_after(
        &self,
        address: Address,
        block: u64,
        size: usize,
    ) -> Result<TransactionsWithReceipts<RpcTransaction>, RpcError> {
        let head = self.chain.heads().latest.number;
        let (found, first) = self.search(address, block.saturating_add(1)..=head, size)?;
        let (txs, receipts) = found.into_iter().rev().flat_map(|block| page(&block, address)).unzip();
        Ok(TransactionsWithReceipts { txs, receipts, first_page: first, last_page: block == 0 })
    }
}

impl Context {
    /// The blocks with transactions of an address, in the order of `numbers`, and whether all of these were read. Genesis has
    /// no transactions.
    fn search(
        &self,
        address: Address,
        mut numbers: impl Iterator<Item = u64>,
        size: usize,
    ) -> Result<(Vec<Arc<BlockInfo>>, bool), RpcError> {
        if size > MAX_PAGE {
            return Err(RpcError::LimitExceeded(format!(
                "a page has at most {MAX_PAGE} transactions, {size} were asked"
            )));
        }
        let _place = self.begin_trace()?;
        let (mut found, mut count) = (Vec::new(), 0);
        let deadline = self.deadline();
        for number in numbers.by_ref().take(usize::try_from(self.limits.max_log_blocks).unwrap_or(usize::MAX)) {
            let Some(info) = self.chain.block(number)? else { continue };
            let here = (0..info.senders.len()).filter(|index| reaches(&info, *index, address)).count();
            if here > 0 {
                count += here;
                found.push(info);
            }
            // At least one block is read, so that whoever goes on comes to an end.
            if count >= size || deadline.is_over() {
                break;
            }
        }
        Ok((found, numbers.next().is_none()))
    }
}

/// The transactions of an address in a block with their receipts, newest first.
fn page(info: &BlockInfo, address: Address) -> Vec<(RpcTransaction, OtsTransactionReceipt)> {
    let indices = (0..info.senders.len()).rev().filter(|index| reaches(info, *index, address));
    indices.map(|index| (convert::transaction(info, index), ots_receipt(info, index))).collect()
}

fn reaches(info: &BlockInfo, index: usize, address: Address) -> bool {
    let (tx, sender) = (&info.block.body.transactions[index], info.senders[index]);
    let word = address.into_word();
    sender == address
        || tx.to() == Some(address)
        || (tx.to().is_none() && convert::receipt(info, index).inner.contract_address == Some(address))
        || info.receipts[index].logs().iter().any(|log| log.address == address || log.topics().contains(&word))
}
