use crate::{
    AttributesError, ExecutedBlock, ExecutionError, StateCommitter, StateReader, TransactionError,
    fees::{extra_data, next_base_fee},
    header,
    state::BlockState,
};
use alloc::vec::Vec;
use alloy_consensus::{Eip658Value, Receipt as CoreReceipt, Sealed, Transaction as _, transaction::Recovered};
use alloy_eips::{
    Encodable2718, Typed2718,
    eip2935::HISTORY_STORAGE_ADDRESS,
    eip4788::{BEACON_ROOTS_ADDRESS, SYSTEM_ADDRESS},
};
use alloy_evm::{Evm, EvmFactory, FromTxWithEncoded, precompiles::PrecompilesMap};
use alloy_primitives::{Address, B256, Bytes};
use core::fmt;
use op_alloy_consensus::{OpDepositReceipt, OpTxType};
use op_revm::{L1BlockInfo, estimate_tx_compressed_size};
use openledger_evm::{OpEvm, OpHaltReason, OpTx, OpenLedgerEvmFactory, next_block_env};
use openledger_primitives::{BlockAttributes, ChainSpec, Header, Receipt, Transaction};
use revm::{DatabaseCommit, context_interface::result::ExecutionResult, inspector::NoOpInspector};

/// Estimated sizes are in millionths of a byte.
const SIZE_SCALE: u64 = 1_000_000;

/// Executes the transactions of one block, one by one.
///
/// Begin with the parent and the attributes, hand it transactions in order, and finish. A transaction that is refused
/// leaves no trace, and the next can be tried: a block built around refused ones is the block without them.
pub struct BlockExecutor<R: StateReader> {
    evm: OpEvm<BlockState<R>, NoOpInspector, PrecompilesMap>,
    /// The header with all that the attributes decide.
    header: Header,
    transactions: Vec<Transaction>,
    senders: Vec<Address>,
    receipts: Vec<Receipt>,
    gas_used: u64,
    da_footprint: u64,
}

/// What became of a transaction that is in the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it did what it was meant to; otherwise it reverted or ran out of gas.
    pub success: bool,
    /// Gas it used.
    pub gas_used: u64,
}

impl<R: StateReader> BlockExecutor<R> {
    /// Checks the attributes and applies what precedes the transactions: the parent's hash goes to the history contract
    /// (EIP-2935) and the beacon root to its own (EIP-4788).
    ///
    /// `attributes.transactions` are not executed here: hand them to [`Self::execute`] first.
    pub fn begin(
        state: R,
        spec: &ChainSpec,
        parent: &Sealed<Header>,
        attributes: &BlockAttributes,
    ) -> Result<Self, ExecutionError> {
        if attributes.timestamp <= parent.timestamp {
            let (timestamp, parent) = (attributes.timestamp, parent.timestamp);
            return Err(AttributesError::Timestamp { timestamp, parent }.into());
        }
        if attributes.gas_limit == 0 {
            return Err(AttributesError::GasLimit.into());
        }
        let base_fee = next_base_fee(spec, parent);
        let header = header::begin(parent, attributes, extra_data(spec, attributes)?, base_fee);
        let env = next_block_env(spec, parent, attributes, base_fee);
        let evm = OpenLedgerEvmFactory.create_evm(BlockState::new(state), env);
        let (transactions, senders, receipts) = Default::default();
        let mut executor = Self { evm, header, transactions, senders, receipts, gas_used: 0, da_footprint: 0 };
        begin_block(&mut executor.evm, parent.hash(), attributes.parent_beacon_block_root)
            .map_err(|error| ExecutionError::from_evm(error, B256::ZERO))?;
        Ok(executor)
    }

    /// Makes room for so many transactions at once: a block of tens of thousands would be moved again and again as it grows.
    pub fn reserve(&mut self, transactions: usize) {
        self.transactions.reserve(transactions);
        self.senders.reserve(transactions);
        self.receipts.reserve(transactions);
    }

    /// Executes a transaction and puts it in the block, or says why it cannot be there.
    pub fn execute(&mut self, transaction: Recovered<Transaction>) -> Result<Outcome, ExecutionError> {
        let (transaction, sender) = transaction.into_parts();
        let hash = transaction.tx_hash();
        let refuse = |error| ExecutionError::Transaction { hash, error };
        if matches!(transaction, Transaction::PostExec(_)) {
            return Err(refuse(TransactionError::Type(transaction.ty())));
        }
        let (limit, available) = (transaction.gas_limit(), self.gas_left());
        if limit > available {
            return Err(refuse(TransactionError::BlockGas { limit, available }));
        }
        let encoded: Bytes = transaction.encoded_2718().into();
        let footprint = if transaction.is_deposit() { 0 } else { self.footprint(&encoded)? };
        let available = self.header.gas_limit - self.da_footprint;
        if footprint > available {
            return Err(refuse(TransactionError::DaFootprint { footprint, available }));
        }
        let nonce = self.evm.db_mut().nonce(sender)?;
        let outcome = self
            .evm
            .transact_raw(OpTx::from_encoded_tx(&transaction, sender, encoded))
            .map_err(|error| ExecutionError::from_evm(error, hash))?;
        self.evm.db_mut().commit(outcome.state);
        let (success, gas_used) = (outcome.result.is_success(), outcome.result.tx_gas_used());
        self.gas_used += gas_used;
        self.da_footprint += footprint;
        self.receipts.push(receipt(&transaction, outcome.result, self.gas_used, nonce));
        self.transactions.push(transaction);
        self.senders.push(sender);
        Ok(Outcome { success, gas_used })
    }

    /// Jovian: the estimated compressed size times the scalar that the L1 attributes of this block have set.
    fn footprint(&mut self, encoded: &[u8]) -> Result<u64, ExecutionError> {
        let scalar = L1BlockInfo::fetch_da_footprint_gas_scalar(self.evm.db_mut())?;
        Ok((estimate_tx_compressed_size(encoded) / SIZE_SCALE).saturating_mul(scalar.into()))
    }

    /// Gas that the block has left.
    pub const fn gas_left(&self) -> u64 {
        self.header.gas_limit - self.gas_used
    }

    /// The base fee of the block, in wei per gas.
    pub fn base_fee(&self) -> u64 {
        self.header.base_fee_per_gas.unwrap_or_default()
    }

    /// The receipts so far.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Commits to the state and makes the block.
    pub fn finish(self, committer: &impl StateCommitter) -> Result<ExecutedBlock, ExecutionError> {
        let Self { evm, header, transactions, senders, receipts, gas_used, da_footprint } = self;
        let changes = evm.finish().0.into_changes();
        let roots = committer.roots(&changes)?;
        let header = Header { gas_used, blob_gas_used: Some(da_footprint), ..header };
        Ok(ExecutedBlock::seal(header, roots, transactions, senders, receipts, changes))
    }
}

/// What precedes the transactions of every block, in an EVM of that block on the state after its parent: the parent's hash
/// goes to the history contract (EIP-2935) and the beacon root to its own (EIP-4788). Whoever executes a block's
/// transactions again, one by one, begins with this.
pub fn begin_block<E: Evm<DB: DatabaseCommit>>(evm: &mut E, parent: B256, beacon_root: B256) -> Result<(), E::Error> {
    for (contract, data) in [(HISTORY_STORAGE_ADDRESS, parent), (BEACON_ROOTS_ADDRESS, beacon_root)] {
        let outcome = evm.transact_system_call(SYSTEM_ADDRESS, contract, data.0.into())?;
        evm.db_mut().commit(outcome.state);
    }
    Ok(())
}

/// The receipt of a transaction. `nonce` is the sender's before it, which the receipt of a deposit carries, because a
/// deposit has none of its own (Regolith, version 1 since Canyon).
pub fn receipt(
    transaction: &Transaction,
    result: ExecutionResult<OpHaltReason>,
    cumulative_gas_used: u64,
    nonce: u64,
) -> Receipt {
    let status = Eip658Value::Eip658(result.is_success());
    let inner = CoreReceipt { status, cumulative_gas_used, logs: result.into_logs() };
    match transaction.tx_type() {
        OpTxType::Legacy => Receipt::Legacy(inner),
        OpTxType::Eip2930 => Receipt::Eip2930(inner),
        OpTxType::Eip1559 => Receipt::Eip1559(inner),
        OpTxType::Eip7702 => Receipt::Eip7702(inner),
        OpTxType::PostExec => Receipt::PostExec(inner),
        OpTxType::Deposit => {
            let deposit = OpDepositReceipt { inner, deposit_nonce: Some(nonce), deposit_receipt_version: Some(1) };
            Receipt::Deposit(deposit)
        }
    }
}

impl<R: StateReader> fmt::Debug for BlockExecutor<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transactions = self.transactions.len();
        f.debug_struct("BlockExecutor")
            .field("number", &self.header.number)
            .field("transactions", &transactions)
            .field("gas_used", &self.gas_used)
            .finish_non_exhaustive()
    }
}
