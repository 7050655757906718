//! `eth_` methods about gas prices.

use alloy_consensus::{BlockHeader as _, Transaction as _, TxReceipt as _};
use alloy_eips::BlockNumberOrTag;
use alloy_primitives::{U64, U256};
use alloy_rpc_types_eth::FeeHistory;
use jsonrpsee::proc_macros::rpc;

use crate::{BlockInfo, RpcError, context::Context};

/// Longest fee history served, as in geth. Longer requests are shortened, not refused: wallets ask for 20,000.
const MAX_HISTORY: u64 = 1024;
/// Most percentiles in one fee history request.
const MAX_PERCENTILES: usize = 100;
/// The tip that is suggested while blocks have room, in wei per gas.
const MINIMUM_TIP: u128 = 1_000_000;

/// Gas prices.
#[rpc(server, namespace = "eth")]
pub trait EthFees {
    /// Price for a legacy transaction in the next block, in wei per gas.
    #[method(name = "gasPrice", blocking)]
    fn gas_price(&self) -> Result<U256, RpcError>;
    /// Base fee of the next block, in wei per gas.
    #[method(name = "baseFee", blocking)]
    fn base_fee(&self) -> Result<U256, RpcError>;
    /// Suggested priority fee, in wei per gas.
    #[method(name = "maxPriorityFeePerGas", blocking)]
    fn tip(&self) -> Result<U256, RpcError>;
    /// Blob base fee of the next block: the L2 has no blobs, their price is the least one.
    #[method(name = "blobBaseFee")]
    fn blob_base_fee(&self) -> Result<U256, RpcError>;
    /// Base fees, fullness and tips of past blocks.
    #[method(name = "feeHistory", blocking)]
    fn history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> Result<FeeHistory, RpcError>;
}

impl EthFeesServer for Context {
    fn gas_price(&self) -> Result<U256, RpcError> {
        let latest = self.latest()?;
        Ok(U256::from(self.chain.next_base_fee(&latest.block.header)) + U256::from(suggest_tip(&latest)))
    }

    fn base_fee(&self) -> Result<U256, RpcError> {
        Ok(U256::from(self.chain.next_base_fee(&self.latest()?.block.header)))
    }

    fn tip(&self) -> Result<U256, RpcError> {
        Ok(U256::from(suggest_tip(&*self.latest()?)))
    }

    fn blob_base_fee(&self) -> Result<U256, RpcError> {
        Ok(U256::from(1))
    }

    fn history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> Result<FeeHistory, RpcError> {
        let percentiles = checked(percentiles)?;
        let (newest, head) = (self.tag(newest), self.chain.heads().latest.number);
        if newest > head {
            return Err(RpcError::Execution(format!("request beyond head block: requested {newest}, head {head}")));
        }
        let count = count.to::<u64>().min(MAX_HISTORY).min(newest + 1);
        let oldest = newest + 1 - count;
        // No blocks begin nowhere, as in geth.
        let mut history = FeeHistory { oldest_block: if count == 0 { 0 } else { oldest }, ..Default::default() };
        let mut rewards = Vec::new();
        let deadline = self.deadline();
        for number in oldest..=newest {
            deadline.check("ask for fewer blocks, or for no percentiles")?;
            let (header, _) = self.chain.header(number)?.ok_or_else(|| RpcError::BlockNotFound(number.to_string()))?;
            history.base_fee_per_gas.push(header.base_fee_per_gas.unwrap_or_default().into());
            history.gas_used_ratio.push(header.gas_used as f64 / header.gas_limit as f64);
            history.base_fee_per_blob_gas.push(1);
            history.blob_gas_used_ratio.push(0.0);
            if let Some(percentiles) = &percentiles {
                let block = self.chain.block(number)?.ok_or_else(|| RpcError::BlockNotFound(number.to_string()))?;
                rewards.push(tips_at(&block, percentiles));
            }
        }
        let (header, _) = self.chain.header(newest)?.ok_or_else(|| RpcError::BlockNotFound(newest.to_string()))?;
        history.base_fee_per_gas.push(self.chain.next_base_fee(&header).into());
        history.base_fee_per_blob_gas.push(1);
        history.reward = percentiles.map(|_| rewards);
        Ok(history)
    }
}

impl Context {
    fn latest(&self) -> Result<std::sync::Arc<BlockInfo>, RpcError> {
        let number = self.chain.heads().latest.number;
        self.chain.block(number)?.ok_or_else(|| RpcError::BlockNotFound(number.to_string()))
    }
}

/// Refuses percentiles that are out of range or not ascending, with geth's wording.
fn checked(percentiles: Option<Vec<f64>>) -> Result<Option<Vec<f64>>, RpcError> {
    let Some(values) = percentiles else { return Ok(None) };
    if values.len() > MAX_PERCENTILES {
        return Err(RpcError::InvalidParams(format!(
            "at most {MAX_PERCENTILES} reward percentiles, got {}",
            values.len()
        )));
    }
    if let Some(value) = values.iter().find(|value| !(0.0..=100.0).contains(*value)) {
        return Err(RpcError::InvalidParams(format!("invalid reward percentile: {value}")));
    }
    if let Some(pair) = values.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(RpcError::InvalidParams(format!("invalid reward percentile: {} > {}", pair[0], pair[1])));
    }
    Ok((!values.is_empty()).then_some(values))
}

/// Tips of the transactions that pay one, as (tip, gas used), ascending by tip.
fn tips(block: &BlockInfo) -> Vec<(u128, u64)> {
    let base_fee = block.block.header.base_fee_per_gas().unwrap_or_default();
    let mut before = 0;
    let mut tips = Vec::new();
    for (tx, receipt) in block.block.body.transactions.iter().zip(&block.receipts) {
        let used = receipt.cumulative_gas_used() - before;
        before = receipt.cumulative_gas_used();
        if !tx.is_deposit() {
            tips.push((tx.effective_tip_per_gas(base_fee).unwrap_or_default(), used));
        }
    }
    tips.sort_unstable();
    tips
}

/// The tip at each percentile of the block's gas. Deposits pay nothing and are left out.
fn tips_at(block: &BlockInfo, percentiles: &[f64]) -> Vec<u128> {
    let tips = tips(block);
    let total: u64 = tips.iter().map(|(_, used)| used).sum();
    let mut index = 0;
    let mut sum = tips.first().map_or(0, |(_, used)| *used);
    percentiles
        .iter()
        .map(|percentile| {
            let threshold = (total as f64 * percentile / 100.0) as u64;
            while sum < threshold && index + 1 < tips.len() {
                index += 1;
                sum += tips[index].1;
            }
            tips.get(index).map_or(0, |(tip, _)| *tip)
        })
        .collect()
}

/// The least tip while the newest block has room for one more of its largest transactions; once blocks are full, the median
/// of its tips and a tenth more, so that a sender who follows the suggestion gets ahead.
fn suggest_tip(block: &BlockInfo) -> u128 {
    let tips = tips(block);
    let largest = tips.iter().map(|(_, used)| *used).max().unwrap_or_default();
    let header = &block.block.header;
    if tips.is_empty() || header.gas_used.saturating_add(largest) <= header.gas_limit {
        return MINIMUM_TIP;
    }
    let median = tips[tips.len() / 2].0;
    (median + median / 10).max(MINIMUM_TIP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_out_of_order_or_range_are_refused() {
        assert!(checked(Some(vec![10.0, 50.0, 90.0])).unwrap().is_some());
        assert!(checked(Some(vec![50.0, 10.0])).is_err());
        assert!(checked(Some(vec![-1.0])).is_err());
        assert!(checked(Some(vec![100.1])).is_err());
        assert!(checked(Some(vec![f64::NAN])).is_err());
        assert!(checked(Some(vec![1.0; 101])).is_err());
    }
}
