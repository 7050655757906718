use crate::{BlockExecutor, ExecutedBlock, ExecutionError, StateCommitter, StateReader, TransactionError};
use alloy_consensus::{
    Sealed,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::Decodable2718;
use alloy_primitives::keccak256;
use openledger_primitives::{BlockAttributes, ChainSpec, Header, Transaction};

/// Executes the transactions that the attributes name, and no others.
///
/// This is what a verifier does with derived attributes, and what makes a block final: with the same parent, the same
/// state and the same attributes, everybody gets the same block.
pub fn execute_block(
    state: impl StateReader,
    committer: &impl StateCommitter,
    spec: &ChainSpec,
    parent: &Sealed<Header>,
    attributes: &BlockAttributes,
) -> Result<ExecutedBlock, ExecutionError> {
    let mut executor = BlockExecutor::begin(state, spec, parent, attributes)?;
    for bytes in &attributes.transactions {
        executor.execute(decode_transaction(bytes)?)?;
    }
    executor.finish(committer)
}

/// Reads a transaction from its EIP-2718 bytes, all of them, and recovers its sender.
pub fn decode_transaction(bytes: &[u8]) -> Result<Recovered<Transaction>, ExecutionError> {
    let refuse = |error| ExecutionError::Transaction { hash: keccak256(bytes), error };
    let transaction = Transaction::decode_2718_exact(bytes)
        .map_err(|error| refuse(TransactionError::Decode(alloc::format!("{error}"))))?;
    transaction.try_into_recovered().map_err(|_| refuse(TransactionError::Signature))
}
