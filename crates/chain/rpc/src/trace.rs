//! `trace_`: the flat traces of OpenEthereum, as `cast` and explorers ask for them.

use alloy_eips::BlockId;
use alloy_primitives::B256;
use alloy_rpc_types_trace::{
    geth::{GethDebugBuiltInTracerType::FlatCallTracer, GethDebugTracingOptions, GethTrace, TraceResult},
    parity::LocalizedTransactionTrace,
};
use jsonrpsee::proc_macros::rpc;

use crate::{RpcError, context::Context, debug::DebugServer as _};

/// Calls in the order in which they began. They are bounded as those of `debug_` are.
#[rpc(server, namespace = "trace")]
pub trait Trace {
    /// The calls of a transaction; `null` for one that is in no block.
    #[method(name = "transaction", blocking)]
    fn transaction(&self, hash: B256) -> Result<Option<Vec<LocalizedTransactionTrace>>, RpcError>;
    /// The calls of all transactions of a block; `null` for a block that does not exist.
    #[method(name = "block", blocking)]
    fn block_calls(&self, block: BlockId) -> Result<Option<Vec<LocalizedTransactionTrace>>, RpcError>;
}

impl TraceServer for Context {
    fn transaction(&self, hash: B256) -> Result<Option<Vec<LocalizedTransactionTrace>>, RpcError> {
        if self.located(hash)?.is_none() {
            return Ok(None);
        }
        flat(self.trace_transaction(hash, Some(tracer()))?).map(Some)
    }

    fn block_calls(&self, block: BlockId) -> Result<Option<Vec<LocalizedTransactionTrace>>, RpcError> {
        let Some(info) = self.block(block)? else { return Ok(None) };
        let mut calls = Vec::new();
        for trace in self.trace_block(&info, Some(tracer()))? {
            match trace {
                TraceResult::Success { result, .. } => calls.extend(flat(result)?),
                TraceResult::Error { error, .. } => return Err(RpcError::internal(error)),
            }
        }
        Ok(Some(calls))
    }
}

fn tracer() -> GethDebugTracingOptions {
    GethDebugTracingOptions::new_tracer(FlatCallTracer)
}

fn flat(trace: GethTrace) -> Result<Vec<LocalizedTransactionTrace>, RpcError> {
    trace.try_into_flat_call_frame().map_err(RpcError::internal)
}
