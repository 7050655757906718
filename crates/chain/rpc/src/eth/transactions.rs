//! `eth_` methods that send and find transactions.

use std::time::Duration;

use alloy_consensus::Transaction as _;
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{B256, Bytes, U64};
use alloy_rpc_types_eth::Index;
use jsonrpsee::{core::async_trait, proc_macros::rpc};
use op_alloy_rpc_types::{OpTransactionReceipt, Transaction as RpcTransaction};
use tokio::sync::broadcast::error::RecvError;

use crate::{BlockInfo, ChainEvent, RpcError, context::Context, convert};

/// Longest wait of `eth_sendRawTransactionSync`.
const MAX_SYNC_WAIT: Duration = Duration::from_secs(30);
/// Wait of `eth_sendRawTransactionSync` when the caller names none (EIP-7966 suggests 2 s; a block is made each second).
const DEFAULT_SYNC_WAIT: Duration = Duration::from_secs(10);

/// Transactions and their receipts.
#[rpc(server, namespace = "eth")]
pub trait EthTransactions {
    /// Takes a signed transaction; answers its hash once it is safe on disk.
    #[method(name = "sendRawTransaction", blocking)]
    fn send_raw(&self, raw: Bytes) -> Result<B256, RpcError>;
    /// Takes a signed transaction and answers its receipt (EIP-7966). The wait is in milliseconds.
    #[method(name = "sendRawTransactionSync")]
    async fn send_raw_sync(&self, raw: Bytes, timeout_ms: Option<U64>) -> Result<OpTransactionReceipt, RpcError>;
    /// A transaction, waiting or in a block.
    #[method(name = "getTransactionByHash", blocking)]
    fn by_hash(&self, hash: B256) -> Result<Option<RpcTransaction>, RpcError>;
    /// The EIP-2718 bytes of a transaction.
    #[method(name = "getRawTransactionByHash", blocking)]
    fn raw_by_hash(&self, hash: B256) -> Result<Option<Bytes>, RpcError>;
    /// A transaction by its place.
    #[method(name = "getTransactionByBlockHashAndIndex", blocking)]
    fn by_block_hash(&self, block: B256, index: Index) -> Result<Option<RpcTransaction>, RpcError>;
    /// A transaction by its place.
    #[method(name = "getTransactionByBlockNumberAndIndex", blocking)]
    fn by_block_number(&self, block: BlockNumberOrTag, index: Index) -> Result<Option<RpcTransaction>, RpcError>;
    /// The EIP-2718 bytes of a transaction by its place.
    #[method(name = "getRawTransactionByBlockHashAndIndex", blocking)]
    fn raw_by_block_hash(&self, block: B256, index: Index) -> Result<Option<Bytes>, RpcError>;
    /// The EIP-2718 bytes of a transaction by its place.
    #[method(name = "getRawTransactionByBlockNumberAndIndex", blocking)]
    fn raw_by_block_number(&self, block: BlockNumberOrTag, index: Index) -> Result<Option<Bytes>, RpcError>;
    /// The receipt of a transaction in a block; `null` while it waits.
    #[method(name = "getTransactionReceipt", blocking)]
    fn receipt(&self, hash: B256) -> Result<Option<OpTransactionReceipt>, RpcError>;
}

#[async_trait]
impl EthTransactionsServer for Context {
    fn send_raw(&self, raw: Bytes) -> Result<B256, RpcError> {
        self.chain.submit(raw)
    }

    async fn send_raw_sync(&self, raw: Bytes, timeout_ms: Option<U64>) -> Result<OpTransactionReceipt, RpcError> {
        let wait = timeout_ms.map_or(DEFAULT_SYNC_WAIT, |ms| Duration::from_millis(ms.to())).min(MAX_SYNC_WAIT);
        // Subscribe before sending and look at the chain after it: in any other order an inclusion can be missed.
        let mut events = self.chain.subscribe();
        let this = self.clone();
        let hash = blocking(move || {
            let hash = this.chain.submit(raw)?;
            // What is not in the pool any more was included. The pool has to have all transactions before it.
            if let Some((tx, sender)) = this.chain.pooled(hash) {
                let expected = this.next_nonce(sender)?;
                if tx.nonce() > expected {
                    return Err(RpcError::NonceGap { expected });
                }
            }
            Ok(hash)
        })
        .await?;
        let included = async {
            loop {
                let this = self.clone();
                let receipt = blocking(move || EthTransactionsServer::receipt(&this, hash)).await?;
                if let Some(receipt) = receipt {
                    return Ok(receipt);
                }
                loop {
                    match events.recv().await {
                        Ok(ChainEvent::Added(_)) | Err(RecvError::Lagged(_)) => break,
                        Ok(ChainEvent::Removed(_)) => {}
                        Err(RecvError::Closed) => {
                            return Err(RpcError::Internal("the node is stopping; the transaction is safe and waits"));
                        }
                    }
                }
            }
        };
        tokio::time::timeout(wait, included).await.unwrap_or(Err(RpcError::NotIncludedInTime(hash)))
    }

    fn by_hash(&self, hash: B256) -> Result<Option<RpcTransaction>, RpcError> {
        if let Some((info, index)) = self.located(hash)? {
            return Ok(Some(convert::transaction(&info, index)));
        }
        Ok(self.chain.pooled(hash).map(|(tx, sender)| convert::pending_transaction(tx, sender)))
    }

    fn raw_by_hash(&self, hash: B256) -> Result<Option<Bytes>, RpcError> {
        if let Some((info, index)) = self.located(hash)? {
            return Ok(Some(convert::raw(&info.block.body.transactions[index]).into()));
        }
        Ok(self.chain.pooled(hash).map(|(tx, _)| convert::raw(&tx).into()))
    }

    fn by_block_hash(&self, block: B256, index: Index) -> Result<Option<RpcTransaction>, RpcError> {
        let info = self.block(block.into())?;
        Ok(info.filter(|info| index.0 < info.senders.len()).map(|info| convert::transaction(&info, index.0)))
    }

    fn by_block_number(&self, block: BlockNumberOrTag, index: Index) -> Result<Option<RpcTransaction>, RpcError> {
        let info = self.block(block.into())?;
        Ok(info.filter(|info| index.0 < info.senders.len()).map(|info| convert::transaction(&info, index.0)))
    }

    fn raw_by_block_hash(&self, block: B256, index: Index) -> Result<Option<Bytes>, RpcError> {
        raw_at(self.block(block.into())?.as_deref(), index)
    }

    fn raw_by_block_number(&self, block: BlockNumberOrTag, index: Index) -> Result<Option<Bytes>, RpcError> {
        raw_at(self.block(block.into())?.as_deref(), index)
    }

    fn receipt(&self, hash: B256) -> Result<Option<OpTransactionReceipt>, RpcError> {
        Ok(self.located(hash)?.map(|(info, index)| convert::receipt(&info, index)))
    }
}

fn raw_at(info: Option<&BlockInfo>, index: Index) -> Result<Option<Bytes>, RpcError> {
    let transaction = info.and_then(|info| info.block.body.transactions.get(index.0));
    Ok(transaction.map(|tx| convert::raw(tx).into()))
}

/// Runs a synchronous database access where blocking is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RpcError> + Send + 'static,
) -> Result<T, RpcError> {
    tokio::task::spawn_blocking(work).await.map_err(RpcError::internal)?
}
