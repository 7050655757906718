use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use alloy_eips::BlockNumHash;
use alloy_primitives::B256;
use openledger_primitives::Block;
use openledger_stf::{StateChanges, StateRoots};
use parking_lot::Mutex;

use crate::{
    StateView, StorageError,
    cache::StateCache,
    codec,
    commit::{self, Prepared},
    history::Recorder,
    store::Store,
    tables::{Table, meta},
};

/// Version of the layout on disk. Raise it with every change that an older program would misread.
const SCHEMA: u64 = 1;

/// How the database uses the machine.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseOptions {
    /// Bytes of memory for blocks read from disk.
    pub cache_bytes: usize,
    /// Files kept open; -1 for all.
    pub max_open_files: i32,
    /// Bytes of memory, about, for what the newest blocks read and wrote of the state.
    pub state_cache_bytes: usize,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { cache_bytes: 256 << 20, max_open_files: 512, state_cache_bytes: 128 << 20 }
    }
}

/// The chain on disk. A cheap handle: clones share one open database, which closes with the last of them.
#[derive(Clone)]
pub struct Database {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    /// Number of the newest block, raised *before* its batch is written: a reader that still finds its own block here
    /// after it has read a value knows that no newer block had touched it.
    pub(crate) tip: AtomicU64,
    /// The oldest block whose state is known.
    pub(crate) oldest: AtomicU64,
    /// The oldest block at which the `L2ToL1MessagePasser` is known: never above `oldest`.
    pub(crate) oldest_withdrawals: AtomicU64,
    /// Counts unwinds twice, before and after: odd while one runs.
    pub(crate) epoch: AtomicU64,
    /// Held by whoever writes blocks.
    pub(crate) writing: Mutex<()>,
    /// What the latest calls of `roots` computed, for `commit_block`.
    pub(crate) prepared: Mutex<VecDeque<Arc<Prepared>>>,
    /// What `building` views read and `commit_block` wrote.
    pub(crate) cache: Mutex<StateCache>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.inner.store.path()).finish_non_exhaustive()
    }
}

impl Database {
    /// Opens or creates the database in a directory. One process at a time may have it open.
    pub fn open(path: impl AsRef<Path>, options: &DatabaseOptions) -> Result<Self, StorageError> {
        let path = path.as_ref();
        let store = Store::open(path, options)?;
        let schema = store.get(Table::Meta, meta::SCHEMA)?.map(|value| codec::number(&value)).transpose()?;
        let genesis = store.get(Table::Meta, meta::GENESIS)?.map(|value| codec::decode_id(&value)).transpose()?;
        match schema {
            Some(SCHEMA) => {}
            None if genesis.is_none() => store.put(Table::Meta, meta::SCHEMA, &SCHEMA.to_be_bytes())?,
            found => {
                return Err(StorageError::Schema {
                    path: path.to_path_buf(),
                    found: found.map_or_else(|| "none".into(), |schema| schema.to_string()),
                    expected: SCHEMA,
                });
            }
        }
        let head = store.get(Table::Meta, meta::UNSAFE)?.map(|value| codec::decode_id(&value)).transpose()?;
        let number = |key| store.get(Table::Meta, key)?.map(|value| codec::number(&value)).transpose();
        let tip = head.map_or(0, |head| head.number);
        let oldest = number(meta::HISTORY_FROM)?.unwrap_or(tip);
        let oldest_withdrawals = number(meta::WITHDRAWALS_FROM)?.or(genesis.map(|id| id.number)).unwrap_or(tip);
        if let Some(head) = head {
            tracing::info!(path = %path.display(), number = head.number, hash = %head.hash, "opened the database");
        } else {
            tracing::info!(path = %path.display(), "created the database");
        }
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                tip: AtomicU64::new(tip),
                oldest: AtomicU64::new(oldest),
                oldest_withdrawals: AtomicU64::new(oldest_withdrawals),
                epoch: AtomicU64::new(0),
                writing: Mutex::new(()),
                prepared: Mutex::new(VecDeque::new()),
                cache: Mutex::new(StateCache::new(options.state_cache_bytes)),
            }),
        })
    }

    /// Writes the first block and its state. Does nothing (and says `false`) if this very genesis is already there; any
    /// other one is [`StorageError::Genesis`]. The header must carry the roots of `changes`: see [`Self::genesis_roots`].
    pub fn init_genesis(&self, block: &Block, changes: &StateChanges) -> Result<bool, StorageError> {
        let _writing = self.inner.writing.lock();
        let store = &self.inner.store;
        let id = BlockNumHash::new(block.header.number, block.header.hash_slow());
        if let Some(found) = self.genesis()? {
            if found == id {
                return Ok(false);
            }
            return Err(StorageError::Genesis {
                path: store.path().to_path_buf(),
                found: found.hash,
                expected: id.hash,
            });
        }
        let prepared = Prepared::genesis(changes)?;
        commit::check_roots(&block.header, prepared.roots)?;
        let mut recorder = Recorder::new(store, id.number, false);
        commit::write_state(&mut recorder, store, changes, &prepared)?;
        commit::write_block(&mut recorder, block, id.hash, &[], &[]);
        for key in [meta::GENESIS, meta::UNSAFE, meta::SAFE, meta::FINALIZED] {
            recorder.put(Table::Meta, key, &codec::encode_id(id));
        }
        recorder.put(Table::Meta, meta::HISTORY_FROM, &id.number.to_be_bytes());
        store.write(recorder.finish().0, true)?;
        self.inner.tip.store(id.number, SeqCst);
        self.inner.oldest.store(id.number, SeqCst);
        self.inner.oldest_withdrawals.store(id.number, SeqCst);
        tracing::info!(number = id.number, hash = %id.hash, accounts = changes.accounts.len(), "wrote the genesis");
        Ok(true)
    }

    /// The roots of a genesis state, computed from nothing.
    pub fn genesis_roots(changes: &StateChanges) -> Result<StateRoots, StorageError> {
        Ok(Prepared::genesis(changes)?.roots)
    }

    /// The state after the newest block.
    pub fn latest(&self) -> Result<StateView, StorageError> {
        self.state_at(self.head()?.number)
    }

    /// The state after the newest block, for whoever makes the next one, one at a time: what it reads is kept in memory, for the
    /// roots, the commit and the blocks that follow.
    pub fn building(&self) -> Result<StateView, StorageError> {
        let view = self.latest()?.cached();
        self.inner.cache.lock().begin(view.block().hash);
        Ok(view)
    }

    /// The state after a canonical block.
    pub fn state_at(&self, number: u64) -> Result<StateView, StorageError> {
        StateView::new(self.clone(), number, false)
    }

    /// The state after the canonical block with this hash.
    pub fn state_at_hash(&self, hash: &B256) -> Result<StateView, StorageError> {
        let number = self.number(hash)?.ok_or_else(|| StorageError::UnknownBlock(hash.to_string()))?;
        self.state_at(number)
    }
}
