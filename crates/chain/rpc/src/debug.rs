//! `debug_`: traces of transactions and calls as geth answers them, and raw encodings.

use std::sync::Arc;

use alloy_consensus::TxReceipt as _;
use alloy_eips::{BlockId, BlockNumberOrTag, Encodable2718 as _};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_trace::geth::{
    GethDebugBuiltInTracerType as Tracer, GethDebugTracerType, GethDebugTracingCallOptions, GethDebugTracingOptions,
    GethTrace, TraceResult,
};
use jsonrpsee::proc_macros::rpc;
use openledger_witness::Witness;
use revm_inspectors::tracing::{DebugInspector, TransactionContext};
use serde::Deserialize;

use crate::{
    BlockInfo, RpcError,
    budget::Budget,
    context::Context,
    convert::{self, RpcBlock},
    replay::{Database, Inspected, Replay},
    simulate::Simulation,
};

/// A hash that must begin with `0x`: ethereum/execution-apis wants any other refused here.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub struct PrefixedHash(B256);

impl TryFrom<String> for PrefixedHash {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let hash = text.starts_with("0x").then(|| text.parse().ok()).flatten();
        hash.map(Self).ok_or_else(|| "a hash is 0x and 32 bytes in hex".to_owned())
    }
}

/// Traces and encodings. A trace is bounded by [`crate::Limits`]; the options `timeout` and `reexec` change nothing.
#[rpc(server, namespace = "debug")]
pub trait Debug {
    /// What a transaction of a block did.
    #[method(name = "traceTransaction", blocking)]
    fn trace_transaction(&self, hash: B256, options: Option<GethDebugTracingOptions>) -> Result<GethTrace, RpcError>;
    /// What a call would do on the state after a block.
    #[method(name = "traceCall", blocking)]
    fn trace_call(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        options: Option<GethDebugTracingCallOptions>,
    ) -> Result<GethTrace, RpcError>;
    /// What each transaction of a block did.
    #[method(name = "traceBlockByNumber", blocking)]
    fn trace_block_by_number(
        &self,
        block: BlockNumberOrTag,
        options: Option<GethDebugTracingOptions>,
    ) -> Result<Vec<TraceResult>, RpcError>;
    /// What each transaction of a block did.
    #[method(name = "traceBlockByHash", blocking)]
    fn trace_block_by_hash(
        &self,
        block: B256,
        options: Option<GethDebugTracingOptions>,
    ) -> Result<Vec<TraceResult>, RpcError>;
    /// What a block reads of the state before it: enough to execute it without a database.
    #[method(name = "executionWitness", blocking)]
    fn execution_witness(&self, block: BlockNumberOrTag) -> Result<Witness, RpcError>;
    /// What a block reads of the state before it.
    #[method(name = "executionWitnessByBlockHash", blocking)]
    fn execution_witness_by_hash(&self, block: B256) -> Result<Witness, RpcError>;
    /// RLP of a header.
    #[method(name = "getRawHeader", blocking)]
    fn raw_header(&self, block: BlockId) -> Result<Bytes, RpcError>;
    /// RLP of a block.
    #[method(name = "getRawBlock", blocking)]
    fn raw_block(&self, block: BlockId) -> Result<Bytes, RpcError>;
    /// EIP-2718 bytes of the receipts of a block.
    #[method(name = "getRawReceipts", blocking)]
    fn raw_receipts(&self, block: BlockId) -> Result<Vec<Bytes>, RpcError>;
    /// Blocks that were refused: none, because a block that is not valid is not kept. What the verifier found wrong is in
    /// `openledger_faults`.
    #[method(name = "getBadBlocks")]
    fn bad_blocks(&self) -> Result<Vec<RpcBlock>, RpcError>;
    /// EIP-2718 bytes of a transaction.
    #[method(name = "getRawTransaction", blocking)]
    fn raw_transaction(&self, hash: PrefixedHash) -> Result<Option<Bytes>, RpcError>;
}

impl DebugServer for Context {
    fn trace_transaction(&self, hash: B256, options: Option<GethDebugTracingOptions>) -> Result<GethTrace, RpcError> {
        let (info, index) = self.mined(hash)?;
        let _place = self.begin_trace()?;
        let mut tracing = Tracing::new(self, options.unwrap_or_default())?;
        let mut replay = Replay::before(self, info.clone(), index)?;
        let inspected = replay.run(&mut tracing.inspectors)?;
        tracing.result(Some(place(&info, index)), &inspected, replay.db())
    }

    fn trace_call(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        options: Option<GethDebugTracingCallOptions>,
    ) -> Result<GethTrace, RpcError> {
        let options = options.unwrap_or_default();
        if options.tx_index.is_some() {
            return Err(RpcError::InvalidParams(
                "txIndex is not served: calls are traced on the state after the whole block".to_owned(),
            ));
        }
        let _place = self.begin_trace()?;
        let mut tracing = Tracing::new(self, options.tracing_options)?;
        let number = self.existing(block)?;
        let mut simulation = Simulation::new(self, number, options.state_overrides, options.block_overrides)?;
        let gas = call.gas.unwrap_or(self.limits.max_call_gas).min(self.limits.max_call_gas);
        let inspected = simulation.inspect(&call, gas, &mut tracing.inspectors)?;
        tracing.result(None, &inspected, simulation.db())
    }

    fn trace_block_by_number(
        &self,
        block: BlockNumberOrTag,
        options: Option<GethDebugTracingOptions>,
    ) -> Result<Vec<TraceResult>, RpcError> {
        self.trace_block(&self.whole(block.into())?, options)
    }

    fn trace_block_by_hash(
        &self,
        block: B256,
        options: Option<GethDebugTracingOptions>,
    ) -> Result<Vec<TraceResult>, RpcError> {
        self.trace_block(&self.whole(block.into())?, options)
    }

    fn execution_witness(&self, block: BlockNumberOrTag) -> Result<Witness, RpcError> {
        self.witness(block.into())
    }

    fn execution_witness_by_hash(&self, block: B256) -> Result<Witness, RpcError> {
        self.witness(block.into())
    }

    fn raw_header(&self, block: BlockId) -> Result<Bytes, RpcError> {
        Ok(alloy_rlp::encode(&self.whole(block)?.block.header).into())
    }

    fn raw_block(&self, block: BlockId) -> Result<Bytes, RpcError> {
        Ok(alloy_rlp::encode(&self.whole(block)?.block).into())
    }

    fn raw_receipts(&self, block: BlockId) -> Result<Vec<Bytes>, RpcError> {
        Ok(self.whole(block)?.receipts.iter().map(|receipt| receipt.with_bloom_ref().encoded_2718().into()).collect())
    }

    fn bad_blocks(&self) -> Result<Vec<RpcBlock>, RpcError> {
        Ok(Vec::new())
    }

    fn raw_transaction(&self, PrefixedHash(hash): PrefixedHash) -> Result<Option<Bytes>, RpcError> {
        let pooled = || self.chain.pooled(hash).map(|(tx, _)| convert::raw(&tx).into());
        Ok(match self.located(hash)? {
            Some((info, index)) => Some(convert::raw(&info.block.body.transactions[index]).into()),
            None => pooled(),
        })
    }
}

impl Context {
    /// A transaction in a block, or the error that geth gives.
    pub(crate) fn mined(&self, hash: B256) -> Result<(Arc<BlockInfo>, usize), RpcError> {
        self.located(hash)?.ok_or_else(|| RpcError::Execution("transaction not found".to_owned()))
    }

    /// An existing block.
    pub(crate) fn whole(&self, id: BlockId) -> Result<Arc<BlockInfo>, RpcError> {
        let number = self.existing(Some(id))?;
        self.chain.block(number)?.ok_or_else(|| RpcError::BlockNotFound(number.to_string()))
    }

    fn witness(&self, block: BlockId) -> Result<Witness, RpcError> {
        let number = self.existing(Some(block))?;
        let _place = self.begin_trace()?;
        // It is answered in hex, two digits for each byte.
        let max_bytes = self.limits.max_trace_bytes.min(self.limits.max_response_bytes as usize / 2);
        self.chain.execution_witness(number, max_bytes)
    }

    pub(crate) fn trace_block(
        &self,
        info: &Arc<BlockInfo>,
        options: Option<GethDebugTracingOptions>,
    ) -> Result<Vec<TraceResult>, RpcError> {
        let _place = self.begin_trace()?;
        let mut tracing = Tracing::new(self, options.unwrap_or_default())?;
        let mut replay = Replay::new(self, info.clone())?;
        let mut traces = Vec::with_capacity(info.senders.len());
        for index in 0..info.senders.len() {
            tracing.inspectors.0.fuse().map_err(RpcError::internal)?;
            let inspected = replay.run(&mut tracing.inspectors)?;
            let place = place(info, index);
            let hash = place.tx_hash;
            traces.push(TraceResult::new_success(tracing.result(Some(place), &inspected, replay.db())?, hash));
            replay.commit(inspected);
        }
        Ok(traces)
    }
}

/// A tracer with its budget, which holds for all transactions of one request.
struct Tracing {
    inspectors: (DebugInspector, Budget),
    limit: usize,
}

impl Tracing {
    fn new(context: &Context, options: GethDebugTracingOptions) -> Result<Self, RpcError> {
        use Tracer::{CallTracer, FlatCallTracer, FourByteTracer, NoopTracer, PreStateTracer};
        let served = matches!(
            &options.tracer,
            None | Some(GethDebugTracerType::BuiltInTracer(
                CallTracer | FlatCallTracer | FourByteTracer | NoopTracer | PreStateTracer
            ))
        );
        if !served {
            return Err(RpcError::InvalidParams(
                "this tracer is not served; callTracer, flatCallTracer, prestateTracer, 4byteTracer, noopTracer and struct \
                 logs (no tracer) are"
                    .to_owned(),
            ));
        }
        let limit = options.config.limit.filter(|limit| *limit > 0).unwrap_or(u64::MAX);
        let budget = Budget::new(&options, context.limits.max_trace_bytes, context.deadline());
        let inspector = DebugInspector::new(options).map_err(|error| RpcError::InvalidParams(error.to_string()))?;
        Ok(Self { inspectors: (inspector, budget), limit: limit.try_into().unwrap_or(usize::MAX) })
    }

    /// The trace of what was run. `db` is the state before it.
    fn result(
        &mut self,
        place: Option<TransactionContext>,
        inspected: &Inspected,
        mut db: &mut Database,
    ) -> Result<GethTrace, RpcError> {
        let (inspector, budget) = &mut self.inspectors;
        budget.check()?;
        let Inspected { tx, block, outcome } = inspected;
        let mut trace = inspector.get_result(place, tx, block, outcome, &mut db).map_err(RpcError::internal)?;
        if let GethTrace::Default(frame) = &mut trace {
            frame.struct_logs.truncate(self.limit);
        }
        Ok(trace)
    }
}

fn place(info: &BlockInfo, index: usize) -> TransactionContext {
    let tx_hash = Some(info.block.body.transactions[index].tx_hash());
    TransactionContext { block_hash: Some(info.hash), tx_index: Some(index), tx_hash }
}
