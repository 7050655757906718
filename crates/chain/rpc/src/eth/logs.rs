//! `eth_getLogs`.

use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::proc_macros::rpc;

use crate::{RpcError, context::Context, convert};

/// Most addresses, and most topics at one position, in a filter, as in geth.
const MAX_ALTERNATIVES: usize = 1000;

/// Logs.
#[rpc(server, namespace = "eth")]
pub trait EthLogs {
    /// Logs of canonical blocks that match a filter.
    #[method(name = "getLogs", blocking)]
    fn logs(&self, filter: Filter) -> Result<Vec<Log>, RpcError>;
}

impl EthLogsServer for Context {
    fn logs(&self, filter: Filter) -> Result<Vec<Log>, RpcError> {
        checked(&filter)?;
        let latest = self.chain.heads().latest.number;
        if let FilterBlockOption::Range { from_block, to_block } = filter.block_option
            && [from_block, to_block].into_iter().flatten().any(|block| self.tag(block) > latest)
        {
            return Err(RpcError::InvalidParams(format!("block range extends beyond current head block {latest}")));
        }
        self.matching_logs(&filter)
    }
}

/// Refuses filters that cost too much to compare with.
pub(crate) fn checked(filter: &Filter) -> Result<(), RpcError> {
    let most = filter.topics.iter().map(|topic| topic.len()).chain([filter.address.len()]).max().unwrap_or_default();
    if most > MAX_ALTERNATIVES {
        return Err(RpcError::InvalidParams(format!(
            "exceed max addresses or topics per search position: {most} are given, at most {MAX_ALTERNATIVES} are compared"
        )));
    }
    Ok(())
}

impl Context {
    /// Logs of a filter's range, bounded in blocks and in number.
    pub(crate) fn matching_logs(&self, filter: &Filter) -> Result<Vec<Log>, RpcError> {
        let (from, to) = match filter.block_option {
            FilterBlockOption::AtBlockHash(hash) => {
                let number = self.chain.block_number(hash)?.ok_or_else(|| RpcError::BlockNotFound(hash.to_string()))?;
                (number, number)
            }
            FilterBlockOption::Range { from_block, to_block } => {
                (self.tag(from_block.unwrap_or_default()), self.tag(to_block.unwrap_or_default()))
            }
        };
        if from > to {
            return Err(RpcError::InvalidParams(format!(
                "invalid block range: fromBlock {from} is after toBlock {to}"
            )));
        }
        self.logs_between(filter, from, to)
    }

    /// Logs of canonical blocks `from..=to`, `to` being shortened to the newest block.
    pub(crate) fn logs_between(&self, filter: &Filter, from: u64, to: u64) -> Result<Vec<Log>, RpcError> {
        let latest = self.chain.heads().latest.number;
        if from > latest {
            return Ok(Vec::new());
        }
        let to = to.min(latest);
        if to - from >= self.limits.max_log_blocks {
            return Err(RpcError::LimitExceeded(format!(
                "the range has {} blocks, at most {} are searched at once: ask for a smaller range",
                to - from + 1,
                self.limits.max_log_blocks
            )));
        }
        let mut logs = Vec::new();
        let deadline = self.deadline();
        for number in from..=to {
            deadline.check("ask for a smaller range or a narrower filter")?;
            // The bloom in the header lets most blocks be skipped without reading their receipts.
            let Some((header, _)) = self.chain.header(number)? else { break };
            if !filter.matches_bloom(header.logs_bloom) {
                continue;
            }
            let Some(block) = self.chain.block(number)? else { break };
            logs.extend(convert::matching_logs(&block, filter, false));
            if logs.len() > self.limits.max_logs {
                return Err(RpcError::LimitExceeded(format!(
                    "more than {} logs match up to block {number}: ask for a smaller range or a narrower filter",
                    self.limits.max_logs
                )));
            }
        }
        Ok(logs)
    }
}
