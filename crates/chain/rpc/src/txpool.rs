//! `txpool_`: what waits, as geth answers it.

use std::collections::BTreeMap;

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, TxKind, U64};
use jsonrpsee::proc_macros::rpc;
use op_alloy_rpc_types::Transaction as RpcTransaction;
use openledger_primitives::Transaction;
use serde::{Deserialize, Serialize};

use crate::{RpcError, SenderTransactions, context::Context, convert};

/// Answer of `txpool_status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Executable now.
    pub pending: U64,
    /// Waiting for an earlier nonce.
    pub queued: U64,
}

/// Transactions of one sender by nonce in decimal.
pub type ByNonce<T> = BTreeMap<String, T>;

/// What waits. `T` is that of all senders by checksummed address, or of one sender.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PoolContent<T> {
    /// Executable now.
    pub pending: T,
    /// Waiting for an earlier nonce.
    pub queued: T,
}

/// The pool.
#[rpc(server, namespace = "txpool")]
pub trait TxPool {
    /// How many transactions wait.
    #[method(name = "status")]
    fn status(&self) -> Result<PoolStatus, RpcError>;
    /// All transactions that wait.
    #[method(name = "content", blocking)]
    fn content(&self) -> Result<PoolContent<BTreeMap<String, ByNonce<RpcTransaction>>>, RpcError>;
    /// The transactions of one sender that wait.
    #[method(name = "contentFrom", blocking)]
    fn content_from(&self, sender: Address) -> Result<PoolContent<ByNonce<RpcTransaction>>, RpcError>;
    /// All transactions that wait, one line each.
    #[method(name = "inspect", blocking)]
    fn inspect(&self) -> Result<PoolContent<BTreeMap<String, ByNonce<String>>>, RpcError>;
}

impl TxPoolServer for Context {
    fn status(&self) -> Result<PoolStatus, RpcError> {
        let counts = self.chain.pool_counts();
        Ok(PoolStatus { pending: U64::from(counts.pending), queued: U64::from(counts.queued) })
    }

    fn content(&self) -> Result<PoolContent<BTreeMap<String, ByNonce<RpcTransaction>>>, RpcError> {
        self.by_sender(convert::pending_transaction)
    }

    fn content_from(&self, sender: Address) -> Result<PoolContent<ByNonce<RpcTransaction>>, RpcError> {
        let SenderTransactions { pending, queued } = self.chain.pool_content_of(sender);
        self.check_pool_size(pending.len() + queued.len())?;
        let shown = |tx| convert::pending_transaction(tx, sender);
        Ok(PoolContent { pending: by_nonce(pending, shown), queued: by_nonce(queued, shown) })
    }

    fn inspect(&self) -> Result<PoolContent<BTreeMap<String, ByNonce<String>>>, RpcError> {
        self.by_sender(|tx, _| line(&tx))
    }
}

impl Context {
    /// Everything that waits, by checksummed sender and decimal nonce.
    fn by_sender<T>(
        &self,
        shown: impl Fn(Transaction, Address) -> T,
    ) -> Result<PoolContent<BTreeMap<String, ByNonce<T>>>, RpcError> {
        let counts = self.chain.pool_counts();
        self.check_pool_size(counts.pending + counts.queued)?;
        let mut content = PoolContent { pending: BTreeMap::new(), queued: BTreeMap::new() };
        for (sender, transactions) in self.chain.pool_content() {
            let name = sender.to_checksum(None);
            let SenderTransactions { pending, queued } = transactions;
            for (waiting, all) in [(pending, &mut content.pending), (queued, &mut content.queued)] {
                if !waiting.is_empty() {
                    all.insert(name.clone(), by_nonce(waiting, |tx| shown(tx, sender)));
                }
            }
        }
        Ok(content)
    }

    fn check_pool_size(&self, count: usize) -> Result<(), RpcError> {
        if count > self.limits.max_pool_content {
            return Err(RpcError::LimitExceeded(format!(
                "{count} transactions wait, at most {} are listed at once: ask txpool_status, or txpool_contentFrom for one \
                 sender",
                self.limits.max_pool_content
            )));
        }
        Ok(())
    }
}

fn by_nonce<T>(transactions: Vec<Transaction>, shown: impl Fn(Transaction) -> T) -> ByNonce<T> {
    transactions.into_iter().map(|tx| (tx.nonce().to_string(), shown(tx))).collect()
}

/// A transaction in geth's words.
fn line(tx: &Transaction) -> String {
    let to = match tx.kind() {
        TxKind::Call(to) => to.to_checksum(None),
        TxKind::Create => "contract creation".to_owned(),
    };
    format!("{to}: {} wei + {} gas × {} wei", tx.value(), tx.gas_limit(), tx.max_fee_per_gas())
}
