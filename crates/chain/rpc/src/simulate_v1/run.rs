//! Executes the planned blocks.

use std::collections::BTreeMap;

use alloy_consensus::EMPTY_OMMER_ROOT_HASH;
use alloy_eips::{Encodable2718 as _, eip7685::EMPTY_REQUESTS_HASH};
use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, precompiles::PrecompilesMap};
use alloy_primitives::{Address, B256, Bytes, Log as EvmLog, TxKind, U256};
use alloy_rpc_types_eth::{
    Log, TransactionRequest,
    simulate::{SimCallResult, SimulateError, SimulatePayload, SimulatedBlock},
};
use op_revm::OpTransaction;
use openledger_evm::{OpHaltReason, OpSpecId, OpTransactionError, OpTx, OpenLedgerEvmFactory, block_env, precompiles};
use openledger_primitives::{Header, Receipt, Transaction};
use openledger_stf::{Account, BlockState, ExecutedBlock, StateError, StateReader, begin_block, receipt};
use revm::{
    DatabaseCommit as _,
    context::result::{EVMError, ExecutionResult, InvalidTransaction},
};

use super::{
    plan::{Planned, plan},
    transfers::TransferLogs,
};
use crate::{
    BlockInfo, BoxedState, RpcError, SimulationRule,
    context::{Context, Deadline},
    convert::{self, RpcBlock},
    overrides, simulate,
};

/// Simulates what is asked on top of the block `base`.
pub(crate) fn simulate(
    context: &Context,
    payload: SimulatePayload,
    base: u64,
) -> Result<Vec<SimulatedBlock<RpcBlock>>, RpcError> {
    let _place = context.begin_trace()?;
    let (header, hash) = context.chain.header(base)?.ok_or_else(|| RpcError::BlockNotFound(base.to_string()))?;
    let planned = plan(payload.block_state_calls, &header, context.chain.rollup_config().block_time)?;
    let reader = Chained { base: context.chain.state_at(base)?, hashes: BTreeMap::new() };
    let mut run = Run {
        context,
        base: header.clone(),
        parent: (header, hash),
        state: BlockState::new(reader),
        gas_left: context.limits.max_call_gas,
        deadline: context.deadline(),
        validation: payload.validation,
        trace_transfers: payload.trace_transfers,
        full: payload.return_full_transactions,
    };
    planned.into_iter().map(|block| run.block(block)).collect()
}

/// The state after the base block, with the hashes of the simulated blocks above it.
struct Chained {
    base: BoxedState,
    hashes: BTreeMap<u64, B256>,
}

impl StateReader for Chained {
    fn account(&self, address: &Address) -> Result<Option<Account>, StateError> {
        self.base.account(address)
    }

    fn storage(&self, address: &Address, slot: &B256) -> Result<U256, StateError> {
        self.base.storage(address, slot)
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        self.base.code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        match self.hashes.get(&number) {
            Some(hash) => Ok(*hash),
            None => self.base.block_hash(number),
        }
    }
}

/// A simulation between two blocks.
struct Run<'a> {
    context: &'a Context,
    base: Header,
    parent: (Header, B256),
    state: BlockState<Chained>,
    /// Gas that is left for all calls together.
    gas_left: u64,
    deadline: Deadline,
    validation: bool,
    trace_transfers: bool,
    full: bool,
}

/// A block in the making.
struct Building {
    header: Header,
    env: EvmEnv<OpSpecId>,
    precompiles: PrecompilesMap,
    transactions: Vec<Transaction>,
    senders: Vec<Address>,
    receipts: Vec<Receipt>,
    calls: Vec<(SimCallResult, Vec<EvmLog>)>,
}

impl Run<'_> {
    fn block(&mut self, planned: Planned) -> Result<SimulatedBlock<RpcBlock>, RpcError> {
        let header = self.header(&planned);
        let mut env = block_env(&self.context.chain.rollup_config().chain_spec(), &header);
        // Contracts may send, as in calls. Without validation, any nonce does.
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_nonce_check = !self.validation;
        let mut precompiles = precompiles(env.cfg_env.spec);

        let hashes = &mut self.state.reader_mut().hashes;
        hashes.insert(self.parent.0.number, self.parent.1);
        hashes.extend(planned.overrides.block_hash.unwrap_or_default());
        overrides::apply(planned.state, &mut self.state, &mut precompiles)?;
        let beacon_root = header.parent_beacon_block_root.unwrap_or_default();
        let mut evm = OpenLedgerEvmFactory.create_evm(&mut self.state, env.clone());
        begin_block(&mut evm, header.parent_hash, beacon_root).map_err(RpcError::internal)?;
        drop(evm);

        let (transactions, senders, receipts, calls) = Default::default();
        let mut block = Building { header, env, precompiles, transactions, senders, receipts, calls };
        for call in planned.calls {
            self.call(&mut block, call)?;
        }
        self.seal(block)
    }

    fn header(&self, planned: &Planned) -> Header {
        let overrides = &planned.overrides;
        let (parent, hash) = &self.parent;
        let base_fee = match overrides.base_fee {
            Some(base_fee) => base_fee.saturating_to(),
            None if self.validation => self.context.chain.next_base_fee(parent),
            None => 0,
        };
        Header {
            parent_hash: *hash,
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: overrides.coinbase.unwrap_or_default(),
            number: planned.number,
            gas_limit: overrides.gas_limit.unwrap_or(parent.gas_limit),
            timestamp: planned.timestamp,
            // The parameters of the base fee.
            extra_data: self.base.extra_data.clone(),
            mix_hash: overrides.random.unwrap_or_default(),
            base_fee_per_gas: Some(base_fee),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(0),
            parent_beacon_block_root: Some(overrides.beacon_root.unwrap_or_default()),
            requests_hash: Some(EMPTY_REQUESTS_HASH),
            ..Default::default()
        }
    }

    fn call(&mut self, block: &mut Building, mut call: TransactionRequest) -> Result<(), RpcError> {
        self.check_time()?;
        let sender = call.from.unwrap_or_default();
        let nonce = self.state.nonce(sender)?;
        self.complete(block, &mut call, nonce)?;
        let transaction = unsigned(&call)?;

        let mut env = block.env.clone();
        let mut base = simulate::transaction(&env, &call, call.gas.unwrap_or_default())?;
        if !self.validation && base.gas_price == 0 {
            // As in a call: who offers no price sees no base fee.
            env.block_env.basefee = 0;
        }
        // Without validation not looked at, so that the last nonce there is does not stop a call.
        base.nonce = call.nonce.filter(|_| self.validation).unwrap_or_default();
        // A call pays no L1 data fee, a transaction does.
        let encoded = if self.validation { transaction.encoded_2718() } else { Vec::new() };
        let op = OpTransaction { base, enveloped_tx: Some(encoded.into()), deposit: Default::default() };
        let mut evm = OpenLedgerEvmFactory.create_evm_with_inspector(&mut self.state, env, TransferLogs::default());
        *evm.precompiles_mut() = block.precompiles.clone();
        evm.set_inspector_enabled(self.trace_transfers);
        let outcome = evm.transact_raw(OpTx(op)).map_err(|error| match error {
            EVMError::Transaction(error) => refused(&error.0, &call),
            error => RpcError::internal(error),
        })?;
        let traced = evm.inspector_mut().take();
        drop(evm);
        self.state.commit(outcome.state);

        let result = outcome.result;
        let gas_used = result.tx_gas_used();
        self.gas_left = self.gas_left.saturating_sub(gas_used);
        block.header.gas_used += gas_used;
        let logs = if self.trace_transfers { traced } else { result.logs().to_vec() };
        block.calls.push((call_result(&result), logs));
        block.receipts.push(receipt(&transaction, result, block.header.gas_used, nonce));
        block.transactions.push(transaction);
        block.senders.push(sender);
        Ok(())
    }

    /// Fills in what a transaction has and the call does not name.
    fn complete(&self, block: &Building, call: &mut TransactionRequest, nonce: u64) -> Result<(), RpcError> {
        let left = block.header.gas_limit.saturating_sub(block.header.gas_used);
        let gas = call.gas.unwrap_or(left);
        if gas > left {
            let limit = block.header.gas_limit;
            let message = format!("block gas limit reached: the call asks for {gas}, {left} of {limit} are left");
            return Err(RpcError::Simulation { rule: SimulationRule::BlockGasLimit, message });
        }
        if self.gas_left == 0 {
            let limit = self.context.limits.max_call_gas;
            let message = format!("the calls use more than {limit} gas, which is the most for one request");
            return Err(RpcError::Simulation { rule: SimulationRule::Limit, message });
        }
        call.gas = Some(gas.min(self.gas_left));
        call.nonce.get_or_insert(nonce);
        call.to.get_or_insert(TxKind::Create);
        if call.gas_price.is_none() {
            let tip = *call.max_priority_fee_per_gas.get_or_insert(0);
            let base_fee = if tip == 0 { 0 } else { block.env.block_env.basefee.into() };
            call.max_fee_per_gas.get_or_insert(tip.saturating_add(base_fee));
        }
        call.chain_id.get_or_insert(block.env.cfg_env.chain_id);
        // No blobs is no kind of transaction.
        call.blob_versioned_hashes.take_if(|hashes| hashes.is_empty());
        call.max_fee_per_blob_gas = None;
        Ok(())
    }

    fn seal(&mut self, block: Building) -> Result<SimulatedBlock<RpcBlock>, RpcError> {
        self.check_time()?;
        let changes = self.state.changes();
        let roots = self.context.chain.roots(self.base.number, &changes)?;
        let Building { header, transactions, senders, receipts, calls, .. } = block;
        let executed = ExecutedBlock::seal(header, roots, transactions, senders, receipts, changes);
        self.parent = (executed.block.header.clone(), executed.hash);

        let ExecutedBlock { block, hash, receipts, senders, .. } = executed;
        let info = BlockInfo { hash, block, senders, receipts };
        let mut log_index = 0;
        let calls = calls
            .into_iter()
            .enumerate()
            .map(|(index, (mut call, logs))| {
                call.logs =
                    logs.into_iter().zip(log_index..).map(|(log, place)| rpc_log(&info, index, log, place)).collect();
                log_index += call.logs.len() as u64;
                call
            })
            .collect();
        Ok(SimulatedBlock { inner: convert::block(&info, self.full), calls })
    }

    fn check_time(&self) -> Result<(), RpcError> {
        if self.deadline.is_over() {
            let limit = self.context.limits.max_call_time;
            let message = format!("the simulation takes longer than {} ms: ask for less", limit.as_millis());
            return Err(RpcError::Simulation { rule: SimulationRule::Limit, message });
        }
        Ok(())
    }
}

/// The call as a transaction that nobody signed.
pub(crate) fn unsigned(call: &TransactionRequest) -> Result<Transaction, RpcError> {
    let invalid = |error: String| RpcError::InvalidParams(format!("the call is no transaction: {error}"));
    let typed = call.clone().build_typed_simulate_transaction().map_err(|error| invalid(error.to_string()))?;
    Transaction::try_from(typed).map_err(|_| invalid("blob transactions do not exist on this chain".to_owned()))
}

/// What is answered about a call, without its logs.
fn call_result(result: &ExecutionResult<OpHaltReason>) -> SimCallResult {
    let error = match result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { output, .. } => Some(SimulateError {
            code: SimulateError::EXECUTION_REVERTED_CODE,
            message: RpcError::reverted(output.clone()).to_string(),
            data: Some(output.clone()),
        }),
        ExecutionResult::Halt { reason, .. } => Some(SimulateError {
            code: SimulateError::VM_EXECUTION_ERROR_CODE,
            message: format!("vm execution error: {}", simulate::halt_message(reason)),
            data: None,
        }),
    };
    let gas_used = result.tx_gas_used();
    SimCallResult {
        // What a revert answers is in its error.
        return_data: result.output().filter(|_| result.is_success()).cloned().unwrap_or_default(),
        logs: Vec::new(),
        gas_used,
        // Calldata may cost more than execution (EIP-7623).
        max_used_gas: Some(result.gas().total_gas_spent().max(gas_used)),
        status: result.is_success(),
        error,
    }
}

fn rpc_log(info: &BlockInfo, index: usize, inner: EvmLog, place: u64) -> Log {
    Log {
        inner,
        block_hash: Some(info.hash),
        block_number: Some(info.block.header.number),
        block_timestamp: Some(info.block.header.timestamp),
        transaction_hash: Some(info.block.body.transactions[index].tx_hash()),
        transaction_index: Some(index as u64),
        log_index: Some(place),
        removed: false,
    }
}

/// A transaction that cannot be in the block ends the simulation.
fn refused(error: &OpTransactionError, call: &TransactionRequest) -> RpcError {
    use InvalidTransaction as Invalid;
    let message = simulate::refusal(error, call);
    let OpTransactionError::Base(error) = error else { return RpcError::Execution(message) };
    let rule = match error {
        Invalid::NonceTooLow { .. } => SimulationRule::NonceTooLow,
        Invalid::NonceTooHigh { .. } => SimulationRule::NonceTooHigh,
        Invalid::GasPriceLessThanBasefee => SimulationRule::BaseFeeTooLow,
        Invalid::CallGasCostMoreThanGasLimit { .. } | Invalid::GasFloorMoreThanGasLimit { .. } => {
            SimulationRule::IntrinsicGas
        }
        Invalid::LackOfFundForMaxFee { .. } | Invalid::OverflowPaymentInTransaction => {
            SimulationRule::InsufficientFunds
        }
        Invalid::CallerGasLimitMoreThanBlock => SimulationRule::BlockGasLimit,
        Invalid::CreateInitCodeSizeLimit => SimulationRule::InitCodeSize,
        _ => return RpcError::Execution(message),
    };
    RpcError::Simulation { rule, message }
}
