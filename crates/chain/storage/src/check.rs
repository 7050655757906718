use alloy_consensus::{proofs::calculate_transaction_root, transaction::SignerRecoverable as _};
use alloy_primitives::B256;
use openledger_stf::receipts_root;
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::{Database, StorageError, check_state::StateCheck};

/// How many blocks are given to all cores at once.
const AT_ONCE: u64 = 64;

/// How far a long piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is counted, in the plural.
    pub what: &'static str,
    /// How many are done.
    pub done: u64,
    /// How many there are; an estimate for those of the state.
    pub total: u64,
}

/// What [`Database::check`] went through and found sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// Blocks, from the first to the newest.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Accounts of the newest state.
    pub accounts: u64,
    /// Storage slots of the newest state.
    pub slots: u64,
    /// Nodes of the newest state's tries.
    pub nodes: u64,
    /// The newest block's state root, to which all of them lead.
    pub state_root: B256,
}

/// A block that is right by itself.
struct CheckedBlock {
    hash: B256,
    parent: B256,
    transactions: u64,
}

impl Database {
    /// Computes again, from the first block on, what the headers commit to (hashes, parents, transactions, receipts and blooms) and
    /// who signed each transaction; then compares accounts, slots and trie nodes of the newest state with its root. The first
    /// block that is not what it should be is [`StorageError::WrongBlock`]. Blocks are checked on all cores; no more than a block
    /// for each core, or one way down a trie, is in memory.
    pub fn check(&self, mut progress: impl FnMut(Progress)) -> Result<Checked, StorageError> {
        let first = self.genesis()?.ok_or(StorageError::NoGenesis)?;
        let head = self.head()?;
        let blocks = head.number - first.number + 1;
        let (mut transactions, mut last) = (0, None);
        for from in (first.number..=head.number).step_by(AT_ONCE as usize) {
            progress(Progress { what: "blocks", done: from - first.number, total: blocks });
            let numbers = from..=head.number.min(from + AT_ONCE - 1);
            let checked: Vec<_> = numbers.clone().into_par_iter().map(|number| self.check_block(number)).collect();
            for (number, block) in numbers.zip(checked) {
                let block = block.map_err(|error| in_block(number, error))?;
                if let Some(parent) = last {
                    same(number, "parent hash", block.parent, parent)?;
                }
                last = Some(block.hash);
                transactions += block.transactions;
            }
        }
        if last != Some(head.hash) {
            return Err(wrong(head.number, format!("the head is noted as {}, the block there is another", head.hash)));
        }
        let view = self.latest()?;
        let state = StateCheck::new(self, &view, progress).run().map_err(|error| in_block(head.number, error))?;
        let (accounts, slots, nodes) = (state.accounts, state.slots, state.nodes);
        Ok(Checked { blocks, transactions, accounts, slots, nodes, state_root: view.state_root() })
    }

    fn check_block(&self, number: u64) -> Result<CheckedBlock, StorageError> {
        let block = self.block(number)?.ok_or_else(|| wrong(number, "the block is missing"))?;
        let receipts = self.receipts(number)?.ok_or_else(|| wrong(number, "the receipts are missing"))?;
        let (header, hash) = (block.header.inner(), block.header.hash());
        same(number, "hash", hash, header.hash_slow())?;
        if header.number != number || self.number(&hash)? != Some(number) {
            return Err(wrong(number, format!("its hash {hash} does not lead back to it")));
        }
        same(number, "transactions root", header.transactions_root, calculate_transaction_root(&block.transactions))?;
        let (receipts_root, bloom) = receipts_root(&receipts);
        same(number, "receipts root", header.receipts_root, receipts_root)?;
        if bloom != header.logs_bloom {
            return Err(wrong(number, "its bloom filter is not that of its logs"));
        }
        let count = block.transactions.len();
        if receipts.len() != count || block.senders.len() != count {
            let (receipts, senders) = (receipts.len(), block.senders.len());
            return Err(wrong(number, format!("{count} transactions have {receipts} receipts and {senders} senders")));
        }
        for (index, (transaction, sender)) in block.transactions.iter().zip(&block.senders).enumerate() {
            let id = transaction.tx_hash();
            let signer = transaction
                .recover_signer()
                .map_err(|_| wrong(number, format!("the signature of transaction {id} is not valid")))?;
            if signer != *sender {
                let what = format!("transaction {id} is from {signer}, stored as its sender is {sender}");
                return Err(wrong(number, what));
            }
            if self.transaction_place(&id)? != Some((number, index as u32)) {
                return Err(wrong(number, format!("transaction {id} is not found by its hash")));
            }
        }
        Ok(CheckedBlock { hash, parent: header.parent_hash, transactions: count as u64 })
    }
}

fn same(number: u64, what: &str, header: B256, computed: B256) -> Result<(), StorageError> {
    if header == computed {
        return Ok(());
    }
    Err(wrong(number, format!("its {what} is {header}, computed from what is stored it is {computed}")))
}

fn wrong(number: u64, reason: impl Into<String>) -> StorageError {
    StorageError::WrongBlock { number, reason: reason.into() }
}

/// Damage that was found on the way to a block is this block's.
fn in_block(number: u64, error: StorageError) -> StorageError {
    match error {
        StorageError::Corrupted(reason) => wrong(number, reason),
        other => other,
    }
}
