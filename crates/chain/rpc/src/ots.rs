//! `ots_` (level 8) and the one `erigon_` method that Otterscan asks for; the search is in `ots_search.rs`.

use std::sync::Arc;

use alloy_consensus::{Transaction as _, TxReceipt as _, constants::KECCAK_EMPTY};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::{BlockTransactions, Header as RpcHeader, TransactionReceipt};
use alloy_rpc_types_trace::{
    geth::{CallFrame, GethDebugBuiltInTracerType, GethDebugTracingOptions, GethTrace},
    otterscan::{
        BlockDetails, ContractCreator, InternalIssuance, InternalOperation, OperationType, OtsBlock,
        OtsBlockTransactions, OtsReceipt, OtsTransactionReceipt, TraceEntry,
    },
};
use jsonrpsee::proc_macros::rpc;
use op_alloy_rpc_types::Transaction as RpcTransaction;
use openledger_primitives::Receipt;
use revm::context::result::ExecutionResult;
use revm_inspectors::transfer::{TransferInspector, TransferKind};
use serde::{Deserialize, Serialize};

use crate::{
    BlockInfo, RpcError,
    budget::Budget,
    context::Context,
    convert,
    debug::DebugServer as _,
    replay::{Inspected, Observer, Replay},
};

/// Version of the interface that Otterscan asks for.
const API_LEVEL: u64 = 8;
/// Most transactions on one page.
pub(crate) const MAX_PAGE: usize = 1000;

/// A block number or tag, as hex or, as Otterscan sends it, as a plain number.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(
    #[serde(deserialize_with = "alloy_eips::eip1898::lenient_block_number_or_tag::deserialize")] BlockNumberOrTag,
);

impl From<Height> for BlockId {
    fn from(height: Height) -> Self {
        height.0.into()
    }
}

/// Headers as Erigon names them.
#[rpc(server, namespace = "erigon")]
pub trait Erigon {
    /// A header; `null` when there is none.
    #[method(name = "getHeaderByNumber", blocking)]
    fn header_by_number(&self, block: Height) -> Result<Option<RpcHeader>, RpcError>;
}

impl ErigonServer for Context {
    fn header_by_number(&self, block: Height) -> Result<Option<RpcHeader>, RpcError> {
        let header = self.chain.header(self.tag(block.0))?;
        Ok(header.map(|(header, hash)| convert::header(&header, hash)))
    }
}

/// What the explorer Otterscan asks for.
#[rpc(server, namespace = "ots")]
pub trait Otterscan {
    /// Version of this interface.
    #[method(name = "getApiLevel")]
    fn api_level(&self) -> Result<u64, RpcError>;
    /// A header; `null` when there is none.
    #[method(name = "getHeaderByNumber", blocking)]
    fn ots_header(&self, block: Height) -> Result<Option<RpcHeader>, RpcError>;
    /// Whether there is code at an address after a block.
    #[method(name = "hasCode", blocking)]
    fn has_code(&self, address: Address, block: Option<Height>) -> Result<bool, RpcError>;
    /// A block without its transactions, with the sum of its fees.
    #[method(name = "getBlockDetails", blocking)]
    fn block_details(&self, block: Height) -> Result<Option<BlockDetails>, RpcError>;
    /// A block without its transactions, with the sum of its fees.
    #[method(name = "getBlockDetailsByHash", blocking)]
    fn block_details_by_hash(&self, block: B256) -> Result<Option<BlockDetails>, RpcError>;
    /// A page of a block's transactions, the last page first; inputs are cut to the selector.
    #[method(name = "getBlockTransactions", blocking)]
    fn block_transactions(
        &self,
        block: Height,
        page: usize,
        size: usize,
    ) -> Result<Option<OtsBlockTransactions<RpcTransaction>>, RpcError>;
    /// Hash of the transaction that used a nonce.
    #[method(name = "getTransactionBySenderAndNonce", blocking)]
    fn by_sender_and_nonce(&self, sender: Address, nonce: u64) -> Result<Option<B256>, RpcError>;
    /// Value that moved, and contracts that came and went, within a transaction.
    #[method(name = "getInternalOperations", blocking)]
    fn internal_operations(&self, hash: B256) -> Result<Vec<InternalOperation>, RpcError>;
    /// Output of a transaction that reverted; empty for any other.
    #[method(name = "getTransactionError", blocking)]
    fn transaction_error(&self, hash: B256) -> Result<Bytes, RpcError>;
    /// All calls of a transaction, in order.
    #[method(name = "traceTransaction", blocking)]
    fn ots_trace(&self, hash: B256) -> Result<Vec<TraceEntry>, RpcError>;
    /// Who created a contract, and in which transaction; `null` for what genesis holds and for what is no contract.
    #[method(name = "getContractCreator", blocking)]
    fn contract_creator(&self, address: Address) -> Result<Option<ContractCreator>, RpcError>;
}

impl OtterscanServer for Context {
    fn api_level(&self) -> Result<u64, RpcError> {
        Ok(API_LEVEL)
    }

    fn ots_header(&self, block: Height) -> Result<Option<RpcHeader>, RpcError> {
        ErigonServer::header_by_number(self, block)
    }

    fn has_code(&self, address: Address, block: Option<Height>) -> Result<bool, RpcError> {
        self.has_code_at(address, self.existing(block.map(Into::into))?)
    }

    fn block_details(&self, block: Height) -> Result<Option<BlockDetails>, RpcError> {
        Ok(self.block(block.into())?.map(|info| details(&info)))
    }

    fn block_details_by_hash(&self, block: B256) -> Result<Option<BlockDetails>, RpcError> {
        Ok(self.block(block.into())?.map(|info| details(&info)))
    }

    fn block_transactions(
        &self,
        block: Height,
        page: usize,
        size: usize,
    ) -> Result<Option<OtsBlockTransactions<RpcTransaction>>, RpcError> {
        if size > MAX_PAGE {
            return Err(RpcError::LimitExceeded(format!(
                "a page has at most {MAX_PAGE} transactions, {size} were asked"
            )));
        }
        Ok(self.block(block.into())?.map(|info| transactions(&info, page, size)))
    }

    fn by_sender_and_nonce(&self, sender: Address, nonce: u64) -> Result<Option<B256>, RpcError> {
        let used = |number| {
            let account = self.chain.state_at(number)?.account(&sender)?;
            Ok(account.is_some_and(|account| account.nonce > nonce))
        };
        let Some(info) = self.first_block(used)? else { return Ok(None) };
        let index =
            (0..info.senders.len()).find(|index| info.senders[*index] == sender && nonce_of(&info, *index) == nonce);
        // A nonce may also be used by a contract that creates another, or by an authorisation (EIP-7702).
        Ok(index.map(|index| info.block.body.transactions[index].tx_hash()))
    }

    fn internal_operations(&self, hash: B256) -> Result<Vec<InternalOperation>, RpcError> {
        let mut inspectors = (TransferInspector::internal_only(), self.budget());
        let inspected = self.run_again(hash, &mut inspectors)?;
        inspectors.1.check()?;
        // What was undone did not move.
        if !inspected.outcome.result.is_success() {
            return Ok(Vec::new());
        }
        let operations = inspectors.0.into_transfers().into_iter().map(|transfer| InternalOperation {
            r#type: match transfer.kind {
                TransferKind::Call => OperationType::OpTransfer,
                TransferKind::Create => OperationType::OpCreate,
                TransferKind::Create2 => OperationType::OpCreate2,
                TransferKind::SelfDestruct => OperationType::OpSelfDestruct,
            },
            from: transfer.from,
            to: transfer.to,
            value: transfer.value,
        });
        Ok(operations.collect())
    }

    fn transaction_error(&self, hash: B256) -> Result<Bytes, RpcError> {
        let mut budget = self.budget();
        let inspected = self.run_again(hash, &mut budget)?;
        budget.check()?;
        Ok(match inspected.outcome.result {
            ExecutionResult::Revert { output, .. } => output,
            _ => Bytes::new(),
        })
    }

    fn ots_trace(&self, hash: B256) -> Result<Vec<TraceEntry>, RpcError> {
        let mut entries = Vec::new();
        if let GethTrace::CallTracer(frame) = self.trace_transaction(hash, Some(call_tracer()))? {
            flatten(frame, 0, &mut entries);
        }
        Ok(entries)
    }

    fn contract_creator(&self, address: Address) -> Result<Option<ContractCreator>, RpcError> {
        let Some(info) = self.first_block(|number| self.has_code_at(address, number))? else { return Ok(None) };
        let traces = self.trace_block_by_hash(info.hash, Some(call_tracer()))?;
        for (trace, tx) in traces.iter().zip(&info.block.body.transactions) {
            if let Some(GethTrace::CallTracer(frame)) = trace.success()
                && let Some(creator) = creator_of(frame, address)
            {
                return Ok(Some(ContractCreator { hash: tx.tx_hash(), creator }));
            }
        }
        // An account that delegates (EIP-7702) has code that nobody created.
        Ok(None)
    }
}

impl Context {
    fn has_code_at(&self, address: Address, number: u64) -> Result<bool, RpcError> {
        let account = self.chain.state_at(number)?.account(&address)?;
        Ok(account.is_some_and(|account| account.code_hash != KECCAK_EMPTY))
    }

    /// The first block after which something holds, found by halving; `None` if it does not hold now, or has since genesis.
    fn first_block(&self, holds: impl Fn(u64) -> Result<bool, RpcError>) -> Result<Option<Arc<BlockInfo>>, RpcError> {
        let mut pruned = None;
        let mut holds = |number| match holds(number) {
            // It may have held already, or not: the answer is exact only if it turns out that it did not.
            Err(error @ RpcError::StatePruned { .. }) => {
                pruned = Some((number, error));
                Ok(false)
            }
            other => other,
        };
        let mut high = self.chain.heads().latest.number;
        if !holds(high)? || holds(0)? {
            return Ok(None);
        }
        let mut low = 0;
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if holds(middle)? {
                high = middle;
            } else {
                low = middle;
            }
        }
        match pruned {
            // Nothing is known of the state just before the block that was found.
            Some((number, error)) if number == low && low > 0 => Err(error),
            _ => self.chain.block(high),
        }
    }

    fn budget(&self) -> Budget {
        Budget::new(&call_tracer(), self.limits.max_trace_bytes, self.deadline())
    }

    /// Executes a transaction of a block once more.
    fn run_again(&self, hash: B256, inspector: &mut impl Observer) -> Result<Inspected, RpcError> {
        let (info, index) = self.mined(hash)?;
        let _place = self.begin_trace()?;
        Replay::before(self, info, index)?.run(inspector)
    }
}

fn call_tracer() -> GethDebugTracingOptions {
    GethDebugTracingOptions::new_tracer(GethDebugBuiltInTracerType::CallTracer)
}

/// The nonce that a transaction of a block used. Deposits carry none; their receipts do.
fn nonce_of(info: &BlockInfo, index: usize) -> u64 {
    match &info.receipts[index] {
        Receipt::Deposit(deposit) => deposit.deposit_nonce.unwrap_or_default(),
        _ => info.block.body.transactions[index].nonce(),
    }
}

fn details(info: &BlockInfo) -> BlockDetails {
    let fees = convert::receipts(info)
        .into_iter()
        .map(|receipt| U256::from(receipt.inner.gas_used) * U256::from(receipt.inner.effective_gas_price));
    // Nothing is issued: OPEN comes from L1.
    BlockDetails::new(convert::block(info, false), InternalIssuance::default(), fees.sum())
}

fn transactions(info: &BlockInfo, page: usize, size: usize) -> OtsBlockTransactions<RpcTransaction> {
    let count = info.senders.len();
    let end = count.saturating_sub(page.saturating_mul(size));
    let range = end.saturating_sub(size)..end;
    let mut block = convert::block(info, false);
    block.transactions =
        BlockTransactions::Full(range.clone().map(|index| convert::transaction(info, index)).collect());
    let receipts = range.map(|index| ots_receipt(info, index)).collect();
    OtsBlockTransactions { fullblock: OtsBlock { block, transaction_count: count }, receipts }
}

/// The receipt of a transaction without its logs.
pub(crate) fn ots_receipt(info: &BlockInfo, index: usize) -> OtsTransactionReceipt {
    let receipt = convert::receipt(info, index).inner;
    let inner = OtsReceipt {
        status: info.receipts[index].status(),
        cumulative_gas_used: info.receipts[index].cumulative_gas_used(),
        logs: None,
        logs_bloom: None,
        r#type: alloy_eips::Typed2718::ty(&info.block.body.transactions[index]),
    };
    let receipt = TransactionReceipt {
        inner,
        transaction_hash: receipt.transaction_hash,
        transaction_index: receipt.transaction_index,
        block_hash: receipt.block_hash,
        block_number: receipt.block_number,
        gas_used: receipt.gas_used,
        effective_gas_price: receipt.effective_gas_price,
        blob_gas_used: receipt.blob_gas_used,
        blob_gas_price: receipt.blob_gas_price,
        from: receipt.from,
        to: receipt.to,
        contract_address: receipt.contract_address,
    };
    OtsTransactionReceipt { receipt, timestamp: Some(info.block.header.timestamp) }
}

/// The frame and all that it called, in order, with their depth.
fn flatten(frame: CallFrame, depth: u32, entries: &mut Vec<TraceEntry>) {
    entries.push(TraceEntry {
        r#type: frame.typ,
        depth,
        from: frame.from,
        to: frame.to.unwrap_or_default(),
        value: frame.value,
        input: frame.input,
        output: frame.output.unwrap_or_default(),
    });
    for call in frame.calls {
        flatten(call, depth + 1, entries);
    }
}

/// Who created `address` in this frame or below it.
fn creator_of(frame: &CallFrame, address: Address) -> Option<Address> {
    if frame.error.is_some() {
        return None;
    }
    if frame.typ.starts_with("CREATE") && frame.to == Some(address) {
        return Some(frame.from);
    }
    frame.calls.iter().find_map(|call| creator_of(call, address))
}
