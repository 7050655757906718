//! Calls that change nothing: `eth_call` and `eth_estimateGas` run here.

use alloy_evm::{Evm as _, EvmEnv, EvmFactory as _, overrides::OverrideBlockHashes as _, precompiles::PrecompilesMap};
use alloy_primitives::{Address, TxKind, U256};
use alloy_rpc_types_eth::{BlockOverrides, TransactionRequest, state::StateOverride};
use op_revm::OpTransaction;
use openledger_evm::{OpHaltReason, OpSpecId, OpTransactionError, OpTx, OpenLedgerEvmFactory, block_env, precompiles};
use openledger_stf::StateError;
use revm::{
    Database as _,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    database::State,
    inspector::NoOpInspector,
};

use crate::{
    RpcError,
    context::{Context, Deadline},
    database::StateDatabase,
    overrides,
    replay::{Database, Inspected, Observer},
};

/// Outcome of one run.
pub(crate) type Outcome = ExecutionResult<OpHaltReason>;

/// A state and a block environment in which calls are tried.
pub(crate) struct Simulation {
    db: Database,
    env: EvmEnv<OpSpecId>,
    precompiles: PrecompilesMap,
    deadline: Deadline,
}

impl Simulation {
    /// The state after block `number`, in the environment of that block, with what the caller wants changed.
    pub(crate) fn new(
        context: &Context,
        number: u64,
        state: Option<StateOverride>,
        block: Option<BlockOverrides>,
    ) -> Result<Self, RpcError> {
        let (header, _) = context.chain.header(number)?.ok_or_else(|| RpcError::BlockNotFound(number.to_string()))?;
        let mut env = block_env(&context.chain.rollup_config().chain_spec(), &header);
        // Nobody signs a call, so nonces, the sender's code and the block's gas limit are not looked at.
        env.cfg_env.disable_nonce_check = true;
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_block_gas_limit = true;
        let mut db = State::builder().with_database(StateDatabase(context.chain.state_at(number)?)).build();
        if let Some(overrides) = block {
            db.apply_block_overrides(overrides, &mut env.block_env);
        }
        let mut precompiles = precompiles(env.cfg_env.spec);
        if let Some(state) = state {
            overrides::apply(state, &mut db, &mut precompiles)?;
        }
        Ok(Self { db, env, precompiles, deadline: context.deadline() })
    }

    /// Gas limit of the block.
    pub(crate) const fn block_gas_limit(&self) -> u64 {
        self.env.block_env.gas_limit
    }

    /// The state, as it is before every call.
    pub(crate) const fn db(&mut self) -> &mut Database {
        &mut self.db
    }

    /// Balance of an account, overrides included.
    pub(crate) fn balance(&mut self, address: Address) -> Result<U256, RpcError> {
        Ok(self.db.basic(address).map_err(RpcError::internal)?.map(|account| account.balance).unwrap_or_default())
    }

    /// Whether a call to this address runs no code.
    pub(crate) fn is_plain_account(&mut self, address: Address) -> Result<bool, RpcError> {
        let empty =
            self.db.basic(address).map_err(RpcError::internal)?.is_none_or(|account| account.is_empty_code_hash());
        Ok(empty && self.precompiles.get(&address).is_none())
    }

    /// Runs a call with this gas limit, and throws the changes away.
    pub(crate) fn run(&mut self, call: &TransactionRequest, gas_limit: u64) -> Result<Outcome, CallError> {
        Ok(self.inspect(call, gas_limit, &mut NoOpInspector)?.outcome.result)
    }

    /// Runs a call as [`Self::run`] does, and lets an inspector look on.
    pub(crate) fn inspect<I: Observer>(
        &mut self,
        call: &TransactionRequest,
        gas_limit: u64,
        inspector: &mut I,
    ) -> Result<Inspected, CallError> {
        // What is tried again and again, to find its gas or what it reaches, is not tried for ever.
        self.deadline.check("ask with less gas")?;
        let tx = transaction(&self.env, call, gas_limit)?;
        let mut env = self.env.clone();
        if tx.gas_price == 0 {
            // As geth: a call that offers no price sees no base fee.
            env.block_env.basefee = 0;
        }
        let mut evm = OpenLedgerEvmFactory.create_evm_with_inspector(&mut self.db, env.clone(), inspector);
        *evm.precompiles_mut() = self.precompiles.clone();
        // No encoded transaction: a call pays no L1 data fee.
        let op =
            OpTransaction { base: tx.clone(), enveloped_tx: Some(Default::default()), deposit: Default::default() };
        match evm.transact_raw(OpTx(op)) {
            Ok(outcome) => Ok(Inspected { tx, block: env.block_env, outcome }),
            Err(EVMError::Transaction(error)) => Err(invalid(error.0, call)),
            Err(error) => Err(CallError::Rpc(RpcError::internal(error))),
        }
    }
}

/// What the EVM runs for a call, in the environment of its block.
pub(crate) fn transaction(
    env: &EvmEnv<OpSpecId>,
    call: &TransactionRequest,
    gas_limit: u64,
) -> Result<TxEnv, CallError> {
    let fees = call.max_fee_per_gas.is_some() || call.max_priority_fee_per_gas.is_some();
    if fees && call.gas_price.is_some() {
        return Err(refuse("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified"));
    }
    if call.blob_versioned_hashes.as_ref().is_some_and(|hashes| !hashes.is_empty()) {
        return Err(refuse("blob transactions do not exist on this chain"));
    }
    let expected = env.cfg_env.chain_id;
    if call.chain_id.is_some_and(|id| id != expected) {
        return Err(refuse(&format!(
            "chainId does not match node's (have={}, want={expected})",
            call.chain_id.unwrap_or_default()
        )));
    }
    let tip = call.max_priority_fee_per_gas.unwrap_or_default();
    let gas_price = call.gas_price.or(call.max_fee_per_gas).unwrap_or(if tip == 0 {
        0
    } else {
        tip.saturating_add(env.block_env.basefee.into())
    });
    let caller = call.from.unwrap_or_default();
    let authorizations = call.authorization_list.clone().unwrap_or_default();
    let mut tx = TxEnv {
        caller,
        gas_limit,
        gas_price,
        gas_priority_fee: fees.then_some(tip),
        kind: call.to.unwrap_or(TxKind::Create),
        value: call.value.unwrap_or_default(),
        data: call.input.input().cloned().unwrap_or_default(),
        nonce: call.nonce.unwrap_or_default(),
        chain_id: Some(expected),
        access_list: call.access_list.clone().unwrap_or_default(),
        ..Default::default()
    };
    tx.set_signed_authorization(authorizations);
    tx.derive_tx_type().map_err(|error| refuse(&format!("{error:?}")))?;
    Ok(tx)
}

/// Why a call could not be run.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The gas limit is below what the transaction costs before its first instruction.
    IntrinsicGas(RpcError),
    /// Anything else.
    Rpc(RpcError),
}

impl From<CallError> for RpcError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::IntrinsicGas(error) | CallError::Rpc(error) => error,
        }
    }
}

impl From<RpcError> for CallError {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

impl From<StateError> for CallError {
    fn from(error: StateError) -> Self {
        Self::Rpc(error.into())
    }
}

/// The result of a call, as clients expect it: bytes, or an error with the revert data.
pub(crate) fn output(outcome: Outcome) -> Result<alloy_primitives::Bytes, RpcError> {
    match outcome {
        ExecutionResult::Success { output, .. } => Ok(output.into_data()),
        ExecutionResult::Revert { output, .. } => Err(RpcError::reverted(output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::Execution(halt_message(&reason))),
    }
}

/// Why a call stopped.
pub(crate) fn halt_message(reason: &OpHaltReason) -> String {
    match reason {
        OpHaltReason::Base(revm::context::result::HaltReason::OutOfGas(_)) => "out of gas".to_owned(),
        OpHaltReason::Base(reason) => reason.to_string(),
        OpHaltReason::FailedDeposit => "the deposit failed".to_owned(),
    }
}

fn refuse(message: &str) -> CallError {
    CallError::Rpc(RpcError::InvalidParams(message.to_owned()))
}

fn invalid(error: OpTransactionError, call: &TransactionRequest) -> CallError {
    use InvalidTransaction::{CallGasCostMoreThanGasLimit, GasFloorMoreThanGasLimit};
    let refused = RpcError::Execution(refusal(&error, call));
    match error {
        OpTransactionError::Base(CallGasCostMoreThanGasLimit { .. } | GasFloorMoreThanGasLimit { .. }) => {
            CallError::IntrinsicGas(refused)
        }
        _ => CallError::Rpc(refused),
    }
}

/// Refusals in the words of geth, which clients match on.
pub(crate) fn refusal(error: &OpTransactionError, call: &TransactionRequest) -> String {
    let OpTransactionError::Base(error) = error else { return error.to_string() };
    let from = call.from.unwrap_or_default();
    match error {
        InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasFloorMoreThanGasLimit { gas_floor, gas_limit } => {
            format!("insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}")
        }
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => {
            format!("insufficient funds for gas * price + value: address {from} have {balance} want {fee}")
        }
        InvalidTransaction::NonceTooLow { tx, state } => {
            format!("nonce too low: address {from}, tx: {tx} state: {state}")
        }
        InvalidTransaction::NonceTooHigh { tx, state } => {
            format!("nonce too high: address {from}, tx: {tx} state: {state}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => "max fee per gas less than block base fee".to_owned(),
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            "max priority fee per gas higher than max fee per gas".to_owned()
        }
        InvalidTransaction::CreateInitCodeSizeLimit => "max initcode size exceeded".to_owned(),
        other => other.to_string(),
    }
}
