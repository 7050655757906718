//! Which blocks a request asks for: their numbers and timestamps, and what fills the gaps.

use alloy_rpc_types_eth::{
    BlockOverrides, TransactionRequest,
    simulate::{MAX_SIMULATE_BLOCKS, SimBlock},
    state::StateOverride,
};
use openledger_primitives::Header;

use crate::{RpcError, SimulationRule};

/// A block that is going to be simulated.
#[derive(Debug, Default)]
pub(super) struct Planned {
    pub(super) number: u64,
    pub(super) timestamp: u64,
    pub(super) overrides: BlockOverrides,
    pub(super) state: StateOverride,
    pub(super) calls: Vec<TransactionRequest>,
}

/// The blocks after `base`, without a gap. Number and timestamp ascend; what is not given is that of the block before, one
/// more and `block_time` seconds later.
pub(super) fn plan(blocks: Vec<SimBlock>, base: &Header, block_time: u64) -> Result<Vec<Planned>, RpcError> {
    if blocks.is_empty() {
        return Err(RpcError::InvalidParams("blockStateCalls is empty: name at least one block".to_owned()));
    }
    let broken = |rule, message| Err(RpcError::Simulation { rule, message });
    let mut planned = Vec::new();
    let (mut number, mut timestamp) = (base.number, base.timestamp);
    for block in blocks {
        let overrides = block.block_overrides.unwrap_or_default();
        let wanted = overrides.number.map_or(number.saturating_add(1), |wanted| wanted.saturating_to());
        if wanted <= number {
            let message = format!("block numbers must be in order: {wanted} <= {number}");
            return broken(SimulationRule::BlockNumber, message);
        }
        if wanted - base.number > MAX_SIMULATE_BLOCKS {
            let message = format!("too many blocks: at most {MAX_SIMULATE_BLOCKS} after the base, gaps included");
            return broken(SimulationRule::Limit, message);
        }
        for number in number + 1..wanted {
            timestamp = timestamp.saturating_add(block_time);
            planned.push(Planned { number, timestamp, ..Default::default() });
        }
        let time = overrides.time.unwrap_or(timestamp.saturating_add(block_time));
        if time <= timestamp {
            let message = format!("block timestamps must be in order: {time} <= {timestamp}");
            return broken(SimulationRule::Timestamp, message);
        }
        (number, timestamp) = (wanted, time);
        let state = block.state_overrides.unwrap_or_default();
        planned.push(Planned { number, timestamp, overrides, state, calls: block.calls });
    }
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    fn block(number: Option<u64>, time: Option<u64>) -> SimBlock {
        let number = number.map(U256::from);
        SimBlock { block_overrides: Some(BlockOverrides { number, time, ..Default::default() }), ..Default::default() }
    }

    /// Numbers and timestamps, or the code.
    fn planned(blocks: Vec<SimBlock>) -> Result<Vec<(u64, u64)>, i32> {
        let base = Header { number: 10, timestamp: 100, ..Default::default() };
        let planned = plan(blocks, &base, 2).map_err(|error| error.code())?;
        Ok(planned.iter().map(|block| (block.number, block.timestamp)).collect())
    }

    #[test]
    fn gaps_are_filled_with_empty_blocks() {
        let blocks = vec![block(Some(13), None), block(None, Some(200)), SimBlock::default()];
        assert_eq!(planned(blocks), Ok(vec![(11, 102), (12, 104), (13, 106), (14, 200), (15, 202)]));
    }

    #[test]
    fn order_and_number_of_blocks_are_checked() {
        assert_eq!(planned(vec![]), Err(-32602));
        assert_eq!(planned(vec![block(Some(10), None)]), Err(-38020));
        assert_eq!(planned(vec![block(None, Some(100))]), Err(-38021));
        // The blocks in the gap take their time, too.
        assert_eq!(planned(vec![block(Some(12), Some(102))]), Err(-38021));
        assert_eq!(planned(vec![block(Some(266), None)]).map(|blocks| blocks.len()), Ok(256));
        assert_eq!(planned(vec![block(Some(267), None)]), Err(-38026));
        assert_eq!(planned(vec![block(Some(u64::MAX), None)]), Err(-38026));
        assert_eq!(planned(vec![SimBlock::default(); 257]), Err(-38026));
        assert_eq!(planned(vec![block(None, Some(u64::MAX)), SimBlock::default()]), Err(-38021));
    }
}
