//! `eth_call`, `eth_estimateGas` and `eth_createAccessList`.

use alloy_eips::BlockId;
use alloy_primitives::{Bytes, TxKind, U64, U256};
use alloy_rpc_types_eth::{
    AccessList, AccessListResult, BlockOverrides, TransactionRequest,
    simulate::{SimulatePayload, SimulatedBlock},
    state::StateOverride,
};
use jsonrpsee::proc_macros::rpc;
use openledger_evm::OpHaltReason;
use revm::context::result::{ExecutionResult, HaltReason};
use revm_inspectors::access_list::AccessListInspector;

use crate::{
    RpcError,
    context::Context,
    convert::RpcBlock,
    simulate::{CallError, Outcome, Simulation, output},
    simulate_v1::simulate,
};

/// Gas of a transfer that runs no code.
const TRANSFER_GAS: u64 = 21_000;
/// The search stops when what is left to decide is below this share of the answer, as in geth.
const ESTIMATE_ERROR_RATIO: f64 = 0.015;
/// How often a call is run to find what it reaches. Two times suffice where that does not depend on gas.
const ACCESS_LIST_ROUNDS: usize = 8;

/// Calls that change nothing.
#[rpc(server, namespace = "eth")]
pub trait EthCall {
    /// Runs a call on the state after a block.
    #[method(name = "call", blocking)]
    fn call(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<Bytes, RpcError>;
    /// The least gas limit, within 1.5 %, with which a transaction succeeds.
    #[method(name = "estimateGas", blocking)]
    fn estimate(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<U64, RpcError>;
    /// The accounts and slots that a call reaches (EIP-2930), and the gas it uses when they are announced. A call that fails
    /// has an `error` beside them.
    #[method(name = "createAccessList", blocking)]
    fn create_access_list(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
    ) -> Result<AccessListResult, RpcError>;
    /// Runs calls in blocks that could follow a block, and answers these blocks.
    #[method(name = "simulateV1", blocking)]
    fn simulate_v1(
        &self,
        payload: SimulatePayload,
        block: Option<BlockId>,
    ) -> Result<Vec<SimulatedBlock<RpcBlock>>, RpcError>;
}

impl EthCallServer for Context {
    fn call(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<Bytes, RpcError> {
        let mut simulation = Simulation::new(self, self.existing(block)?, state, overrides.map(|boxed| *boxed))?;
        let gas = call.gas.unwrap_or(self.limits.max_call_gas).min(self.limits.max_call_gas);
        output(simulation.run(&call, gas)?)
    }

    fn estimate(
        &self,
        call: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<U64, RpcError> {
        let mut simulation = Simulation::new(self, self.existing(block)?, state, overrides.map(|boxed| *boxed))?;
        estimate(&mut simulation, &call, self.limits.max_call_gas).map(U64::from)
    }

    fn create_access_list(
        &self,
        mut call: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
    ) -> Result<AccessListResult, RpcError> {
        let mut simulation = Simulation::new(self, self.existing(block)?, state, None)?;
        let gas = call.gas.unwrap_or(self.limits.max_call_gas).min(self.limits.max_call_gas);
        // What is announced costs less gas, and a contract that looks at its gas may then reach something else.
        for _ in 0..ACCESS_LIST_ROUNDS {
            let before = call.access_list.clone().unwrap_or_default();
            let mut inspector = AccessListInspector::new(before.clone());
            let outcome = simulation.inspect(&call, gas, &mut inspector)?.outcome.result;
            let access_list = sorted(inspector.into_access_list());
            if access_list == sorted(before) {
                let gas_used = U256::from(outcome.tx_gas_used());
                let error = output(outcome).err().map(|error| error.to_string());
                return Ok(AccessListResult { access_list, gas_used, error });
            }
            call.access_list = Some(access_list);
        }
        Err(RpcError::Execution("what the call reaches changes with every list that is announced".to_owned()))
    }

    fn simulate_v1(
        &self,
        payload: SimulatePayload,
        block: Option<BlockId>,
    ) -> Result<Vec<SimulatedBlock<RpcBlock>>, RpcError> {
        // The codes of this method have no place for the one that other methods answer.
        let base = self.existing(block).map_err(|error| match error {
            RpcError::BlockNotFound(_) => RpcError::Execution(error.to_string()),
            error => error,
        })?;
        simulate(self, payload, base)
    }
}

/// In the order of addresses and slots, so that the same call always has the same answer.
fn sorted(mut list: AccessList) -> AccessList {
    list.0.sort_unstable_by_key(|item| item.address);
    for item in &mut list.0 {
        item.storage_keys.sort_unstable();
        item.storage_keys.dedup();
    }
    list
}

/// Binary search between what the call used and the most it may use.
fn estimate(simulation: &mut Simulation, call: &TransactionRequest, cap: u64) -> Result<u64, RpcError> {
    let mut high = call.gas.filter(|gas| *gas >= TRANSFER_GAS).unwrap_or(simulation.block_gas_limit()).min(cap);
    let price = call.max_fee_per_gas.or(call.gas_price).unwrap_or_default();
    if price > 0 {
        high = high.min(affordable(simulation, call, price)?);
    }
    // Most estimates are for plain transfers; they need no search.
    if let Some(TxKind::Call(to)) = call.to
        && call.input.input().is_none_or(|data| data.is_empty())
        && call.access_list.is_none()
        && call.authorization_list.is_none()
        && simulation.is_plain_account(to)?
        && matches!(simulation.run(call, TRANSFER_GAS), Ok(outcome) if outcome.is_success())
    {
        return Ok(TRANSFER_GAS);
    }

    let outcome = simulation.run(call, high)?;
    if !outcome.is_success() {
        return Err(match outcome {
            ExecutionResult::Halt { reason: OpHaltReason::Base(HaltReason::OutOfGas(_)), .. } => {
                RpcError::Execution(format!("gas required exceeds allowance ({high})"))
            }
            other => output(other).expect_err("the call failed"),
        });
    }
    // Gas that is refunded at the end must still be there before, and a call may leave only 63/64 of it to a callee.
    let spent = outcome.gas().total_gas_spent();
    let mut low = outcome.tx_gas_used().saturating_sub(1);
    let optimistic = (spent + 2_300) * 64 / 63;
    if optimistic < high {
        if enough(simulation.run(call, optimistic))? {
            high = optimistic;
        } else {
            low = optimistic;
        }
    }
    while low + 1 < high {
        if (high - low) as f64 / (high as f64) < ESTIMATE_ERROR_RATIO {
            break;
        }
        // Most calls need little more than they used: look near the low end first.
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
        if enough(simulation.run(call, middle))? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

/// The most gas that the sender can pay for at this price.
fn affordable(simulation: &mut Simulation, call: &TransactionRequest, price: u128) -> Result<u64, RpcError> {
    let balance = simulation.balance(call.from.unwrap_or_default())?;
    let value = call.value.unwrap_or_default();
    let Some(left) = balance.checked_sub(value) else {
        return Err(RpcError::Execution("insufficient funds for transfer".to_owned()));
    };
    Ok((left / U256::from(price)).saturating_to())
}

/// Whether a run with less gas still succeeded. A failure for another reason than gas was seen at the high end already.
fn enough(outcome: Result<Outcome, CallError>) -> Result<bool, RpcError> {
    match outcome {
        Ok(outcome) => Ok(outcome.is_success()),
        Err(CallError::IntrinsicGas(_)) => Ok(false),
        Err(CallError::Rpc(error)) => Err(error),
    }
}
