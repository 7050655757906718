//! The pool with its journal: a transaction is on disk before it is acknowledged.

use std::path::Path;

use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::{Address, B256, Bytes};
use openledger_primitives::{ChainSpec, Header};
use openledger_rpc::{ChainEvent, RpcError};
use openledger_stf::{StateReader as _, next_base_fee};
use openledger_storage::{Database, StateView};
use openledger_txpool::{
    AccountCode, AccountState, BlockContext, Origin, Pool, PoolConfig, PoolError, PoolTransaction,
};
use parking_lot::Mutex;

use super::Chain;
use crate::{NodeError, journal::Journal};

/// First bytes of the code of an account that delegates (EIP-7702).
const DELEGATION: &[u8] = &[0xef, 0x01, 0x00];

/// Pool and journal behind one lock.
#[derive(Debug)]
pub(crate) struct GuardedPool(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    journal: Journal,
}

impl GuardedPool {
    /// Opens the journal and takes back what still waits.
    pub(super) fn open(path: &Path, db: &Database, spec: &ChainSpec) -> Result<Self, NodeError> {
        let (mut journal, old) =
            Journal::open(path).map_err(|source| NodeError::Datadir { path: path.into(), source })?;
        let head = db.head()?;
        let header = db.header(head.number)?.ok_or(NodeError::Unwound(head))?;
        let config = PoolConfig::new(spec.chain_id);
        let mut pool = Pool::new(config, context(spec, &header));
        let state = accounts(db.state_at(head.number)?);
        let mut restored = 0;
        for raw in old {
            match PoolTransaction::decode(raw, &config).and_then(|tx| pool.add(tx, Origin::Local, &state)) {
                Ok(_) => restored += 1,
                // Included or replaced meanwhile: what a journal is expected to hold.
                Err(error) => tracing::debug!(%error, "a journalled transaction is not needed any more"),
            }
        }
        if restored > 0 {
            tracing::info!(restored, "transactions that waited before the restart wait again");
        }
        journal
            .rewrite(pool.local().iter().map(|tx| tx.raw().clone()))
            .map_err(|source| NodeError::Datadir { path: path.into(), source })?;
        Ok(Self(Mutex::new(Inner { pool, journal })))
    }

    /// Reads from the pool.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Pool) -> T) -> T {
        read(&self.0.lock().pool)
    }

    /// Takes a transaction out that turned out to be invalid when a block was built.
    pub(super) fn remove(&self, hash: &B256) {
        self.0.lock().pool.remove(hash);
    }
}

impl Chain {
    /// Takes a signed transaction into pool and journal. When this returns, it survives the end of the process.
    pub fn submit(&self, raw: Bytes) -> Result<B256, RpcError> {
        let config = PoolConfig::new(self.spec.chain_id);
        // The signature is recovered outside the lock.
        let transaction = PoolTransaction::decode(raw.clone(), &config).map_err(|error| reject(&error))?;
        let hash = {
            let mut inner = self.pool.0.lock();
            // Read under the lock: the pool keeps the account until a block touches it, so it must not be older than the newest
            // block that the pool has followed.
            let state = accounts(self.db.latest().map_err(RpcError::internal)?);
            let added = inner.pool.add(transaction, Origin::Local, &state).map_err(|error| reject(&error))?;
            if let Err(error) = inner.journal.append(&raw) {
                inner.pool.remove(&added.hash);
                return Err(RpcError::internal(format!(
                    "the transaction could not be written to disk ({error}) and was not accepted"
                )));
            }
            added.hash
        };
        // Nobody may be listening.
        let _ = self.pending.send(hash);
        Ok(hash)
    }

    /// Lets the pool follow one new block.
    pub(super) fn pool_on_block(&self, header: &Header, changed: Vec<Address>) -> Result<(), NodeError> {
        let state = accounts(self.db.state_at(header.number)?);
        let mut inner = self.pool.0.lock();
        let context = context(&self.spec, header);
        inner.pool.on_block(context, changed, &state).map_err(|error| NodeError::Pool(error.to_string()))?;
        if inner.journal.is_large() {
            let waiting = inner.pool.local();
            let rewritten = inner.journal.rewrite(waiting.iter().map(|tx| tx.raw().clone()));
            log_journal(rewritten);
        } else {
            log_journal(inner.journal.sync());
        }
        Ok(())
    }

    /// Lets the pool follow an unwind and puts the transactions of the removed blocks back.
    pub(super) fn pool_on_unwind(&self, header: &Header, removed: &[ChainEvent]) -> Result<(), NodeError> {
        use alloy_eips::Encodable2718 as _;
        let state = accounts(self.db.state_at(header.number)?);
        let config = PoolConfig::new(self.spec.chain_id);
        let mut inner = self.pool.0.lock();
        let context = context(&self.spec, header);
        inner.pool.on_reorg(context, &state).map_err(|error| NodeError::Pool(error.to_string()))?;
        for event in removed.iter().rev() {
            let (ChainEvent::Removed(info) | ChainEvent::Added(info)) = event;
            for tx in info.block.body.transactions.iter().filter(|tx| !tx.is_deposit()) {
                let again = PoolTransaction::decode(tx.encoded_2718().into(), &config);
                if let Err(error) = again.and_then(|tx| inner.pool.add(tx, Origin::Local, &state)) {
                    tracing::debug!(hash = %tx.tx_hash(), %error, "a transaction of a removed block does not wait again");
                }
            }
        }
        let waiting = inner.pool.local();
        let rewritten = inner.journal.rewrite(waiting.iter().map(|tx| tx.raw().clone()));
        log_journal(rewritten);
        Ok(())
    }
}

/// What the pool needs to know of the newest block.
fn context(spec: &ChainSpec, header: &Header) -> BlockContext {
    BlockContext {
        gas_limit: header.gas_limit,
        base_fee: next_base_fee(spec, header),
        min_base_fee: openledger_stf::min_base_fee(header),
    }
}

/// Accounts of a state as the pool reads them.
fn accounts(state: StateView) -> impl Fn(&Address) -> Result<AccountState, String> {
    move |address| {
        let account = state.account(address).map_err(|error| error.to_string())?.unwrap_or_default();
        let code = if account.code_hash == KECCAK_EMPTY {
            AccountCode::None
        } else if state.code(&account.code_hash).map_err(|error| error.to_string())?.starts_with(DELEGATION) {
            AccountCode::Delegation
        } else {
            AccountCode::Contract
        };
        Ok(AccountState { nonce: account.nonce, balance: account.balance, code })
    }
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
