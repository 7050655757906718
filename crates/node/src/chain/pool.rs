//! The pool with its journal: a transaction is on disk before it is acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::{Address, B256, Bytes};
use openledger_batch::L1Info;
use openledger_primitives::{Block, ChainSpec};
use openledger_rpc::{ChainEvent, RpcError};
use openledger_stf::{Account, StateChanges, StateReader as _, next_base_fee};
use openledger_storage::{Database, StateView};
use openledger_txpool::{
    AccountCode, AccountState, BlockContext, Origin, Pool, PoolConfig, PoolError, PoolTransaction, RollupFees,
    journal::Record,
};
use parking_lot::Mutex;
use rayon::prelude::*;

use super::Chain;
use crate::{
    NodeError,
    journal::Journal,
    phases::{Phase, Phases},
};

/// First bytes of the code of an account that delegates (EIP-7702).
const DELEGATION: &[u8] = &[0xef, 0x01, 0x00];

/// Transactions whose signatures it is worth to wake another thread for: half a millisecond of work.
const TO_WAKE_FOR: usize = 16;

/// The pool, and its journal. No lock is held while a block is built, while the disk is written, or while a signature is recovered.
#[derive(Debug)]
pub(crate) struct GuardedPool {
    inner: Mutex<Inner>,
    journal: Journal,
}

#[derive(Debug)]
struct Inner {
    pool: Pool,
    /// The state after the block that the pool followed last. The pool keeps an account until a block touches it, so it must be
    /// read from this state, neither from an older nor from a newer one.
    state: Arc<StateView>,
}

/// Accounts as they are in a state.
struct Known {
    of: Arc<StateView>,
    accounts: BTreeMap<Address, Result<AccountState, String>>,
}

impl GuardedPool {
    /// Opens the journal and takes back what still waits.
    pub(super) fn open(path: &Path, db: &Database, spec: &ChainSpec) -> Result<Self, NodeError> {
        let (journal, old) = Journal::open(path).map_err(|source| NodeError::Datadir { path: path.into(), source })?;
        let head = db.head()?;
        let block = db.block(head.number)?.ok_or(NodeError::Unwound(head))?.into_block();
        let config = PoolConfig::new(spec.chain_id);
        let mut pool = Pool::new(config, context(spec, &block));
        let state = Arc::new(db.state_at(head.number)?);
        let mut restored = 0;
        for transaction in decode_all(old, &config, &Phases::default()) {
            match transaction.and_then(|tx| pool.add(tx, Origin::Local, &reader(&state))) {
                Ok(_) => restored += 1,
                // Included or replaced meanwhile: what a journal is expected to hold.
                Err(error) => tracing::debug!(%error, "a journalled transaction is not needed any more"),
            }
        }
        if restored > 0 {
            tracing::info!(restored, "transactions that waited before the restart wait again");
        }
        let opened = Self { inner: Mutex::new(Inner { pool, state }), journal };
        opened.rewrite_journal().map_err(|source| NodeError::Datadir { path: path.into(), source })?;
        Ok(opened)
    }

    /// Reads from the pool.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Pool) -> T) -> T {
        read(&self.inner.lock().pool)
    }

    /// Takes a transaction out that turned out to be invalid when a block was built.
    pub(super) fn remove(&self, hash: &B256) {
        self.inner.lock().pool.remove(hash);
    }

    /// Takes transactions into pool and journal, in order.
    fn submit(&self, transactions: Vec<PoolTransaction>) -> Vec<Result<B256, RpcError>> {
        let records: Vec<Record> = transactions.iter().map(Record::from).collect();
        let mut known = self.new_accounts(&transactions);
        let mut results: Vec<_> = {
            let Inner { pool, state } = &mut *self.inner.lock();
            if !Arc::ptr_eq(&known.of, state) {
                // A block came in between.
                known.accounts.clear();
            }
            let accounts = |address: &Address| match known.accounts.get(address) {
                Some(account) => account.clone(),
                None => account(state, address),
            };
            let add = |tx| Ok(pool.add(tx, Origin::Local, &accounts).map_err(|error| reject(&error))?.hash);
            transactions.into_iter().map(add).collect()
        };
        let taken: Vec<&Record> =
            records.iter().zip(&results).filter_map(|(record, result)| result.is_ok().then_some(record)).collect();
        if !taken.is_empty()
            && let Err(error) = self.journal.append(taken)
        {
            tracing::error!(%error, "transactions were refused, because the journal could not be written: check the disk");
            for result in &mut results {
                if let Ok(hash) = result {
                    self.remove(hash);
                    *result = Err(RpcError::Internal(
                        "the transaction could not be written to disk and was not accepted; try again later",
                    ));
                }
            }
        }
        results
    }

    /// Reads the senders that the pool does not know, without its lock, as the disk may have to be asked.
    fn new_accounts(&self, transactions: &[PoolTransaction]) -> Known {
        let (of, new) = {
            let inner = self.inner.lock();
            let is_new = |sender: &Address| inner.pool.pending_nonce(sender).is_none();
            (
                inner.state.clone(),
                transactions.iter().map(PoolTransaction::sender).filter(is_new).collect::<BTreeSet<_>>(),
            )
        };
        let accounts = new.into_iter().map(|address| (address, account(&of, &address))).collect();
        Known { of, accounts }
    }

    fn rewrite_journal(&self) -> std::io::Result<()> {
        self.journal.rewrite(|| self.read(Pool::local).into_iter().map(|tx| Record::from(&*tx)))
    }
}

impl Chain {
    /// Takes a signed transaction into pool and journal. When this returns, it survives the end of the process.
    pub fn submit(&self, raw: Bytes) -> Result<B256, RpcError> {
        self.submit_all(vec![raw]).pop().unwrap_or_else(|| Err(RpcError::internal("a transaction was lost")))
    }

    /// As [`Chain::submit`], for several at once and in order: their signatures are recovered on all cores, and they share one
    /// write.
    pub fn submit_all(&self, raw: Vec<Bytes>) -> Vec<Result<B256, RpcError>> {
        let config = PoolConfig::new(self.spec.chain_id);
        let phases = &self.metrics.phases;
        let mut valid = Vec::with_capacity(raw.len());
        let mut results = Vec::with_capacity(raw.len());
        for decoded in decode_all(raw, &config, phases) {
            results.push(decoded.map(|tx| valid.push(tx)).map_err(|error| reject(&error)));
        }
        let mut added = phases.time(Phase::Pool, || self.pool.submit(valid)).into_iter();
        let answer = |decoded: Result<(), RpcError>| {
            decoded?;
            added.next().unwrap_or_else(|| Err(RpcError::internal("a transaction was lost")))
        };
        let results: Vec<_> = results.into_iter().map(answer).collect();
        for hash in results.iter().flatten() {
            // Nobody may be listening.
            let _ = self.pending.send(*hash);
        }
        results
    }

    /// Lets the pool follow one new block.
    pub(super) fn pool_on_block(&self, block: &Block, changes: &StateChanges) -> Result<(), NodeError> {
        let state = Arc::new(self.db.state_at(block.header.number)?);
        let changed = |address: &Address| match changes.accounts.get(address) {
            Some(change) => account_state(&state, change.account),
            None => account(&state, address),
        };
        {
            let inner = &mut *self.pool.inner.lock();
            let followed = inner.pool.on_block(context(&self.spec, block), changes.accounts.keys().copied(), &changed);
            followed.map_err(|error| NodeError::Pool(error.to_string()))?;
            inner.state = state.clone();
        }
        let journal = &self.pool.journal;
        log_journal(if journal.is_large() { self.pool.rewrite_journal() } else { journal.sync() });
        Ok(())
    }

    /// Lets the pool follow an unwind and puts the transactions of the removed blocks back.
    pub(super) fn pool_on_unwind(&self, head: &Block, removed: &[ChainEvent]) -> Result<(), NodeError> {
        use alloy_eips::Encodable2718 as _;
        let state = Arc::new(self.db.state_at(head.header.number)?);
        let config = PoolConfig::new(self.spec.chain_id);
        let again = removed.iter().rev().flat_map(|(ChainEvent::Removed(info) | ChainEvent::Added(info))| {
            let transactions = info.block.body.transactions.iter().filter(|tx| !tx.is_deposit());
            transactions.map(|tx| tx.encoded_2718().into())
        });
        let again = decode_all(again.collect(), &config, &self.metrics.phases);
        {
            let inner = &mut *self.pool.inner.lock();
            let followed = inner.pool.on_reorg(context(&self.spec, head), &reader(&state));
            followed.map_err(|error| NodeError::Pool(error.to_string()))?;
            for transaction in again {
                if let Err(error) = transaction.and_then(|tx| inner.pool.add(tx, Origin::Local, &reader(&state))) {
                    tracing::debug!(%error, "a transaction of a removed block does not wait again");
                }
            }
            inner.state = state;
        }
        log_journal(self.pool.rewrite_journal());
        Ok(())
    }
}

/// Decodes transactions on all cores; their order stays.
fn decode_all(raw: Vec<Bytes>, config: &PoolConfig, phases: &Phases) -> Vec<Result<PoolTransaction, PoolError>> {
    let decode = |raw| phases.time(Phase::Recover, || PoolTransaction::decode(raw, config));
    match raw.len() {
        0..=TO_WAKE_FOR => raw.into_iter().map(decode).collect(),
        _ => raw.into_par_iter().with_min_len(TO_WAKE_FOR).map(decode).collect(),
    }
}

/// What the pool needs to know of the newest block.
fn context(spec: &ChainSpec, block: &Block) -> BlockContext {
    let header = &block.header;
    BlockContext {
        timestamp: header.timestamp,
        gas_limit: header.gas_limit,
        base_fee: next_base_fee(spec, header),
        min_base_fee: openledger_stf::min_base_fee(header),
        // Genesis has no L1 attributes.
        fees: L1Info::of_block(block).map_or(RollupFees::NONE, |info| RollupFees::from(&info)),
    }
}

/// Accounts of a state as the pool reads them.
fn reader(state: &StateView) -> impl Fn(&Address) -> Result<AccountState, String> {
    |address| account(state, address)
}

fn account(state: &StateView, address: &Address) -> Result<AccountState, String> {
    account_state(state, state.account(address).map_err(|error| error.to_string())?)
}

fn account_state(state: &StateView, account: Option<Account>) -> Result<AccountState, String> {
    let account = account.unwrap_or_default();
    let code = if account.code_hash == KECCAK_EMPTY {
        AccountCode::None
    } else if state.code(&account.code_hash).map_err(|error| error.to_string())?.starts_with(DELEGATION) {
        AccountCode::Delegation
    } else {
        AccountCode::Contract
    };
    Ok(AccountState { nonce: account.nonce, balance: account.balance, code })
}

fn reject(error: &PoolError) -> RpcError {
    match error {
        PoolError::State(_) => RpcError::internal(error),
        _ => RpcError::Rejected(error.to_string()),
    }
}

/// A journal that cannot be written does not stop the chain; new transactions are refused by `submit` meanwhile.
fn log_journal(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "the transaction journal could not be written: check the disk");
    }
}
