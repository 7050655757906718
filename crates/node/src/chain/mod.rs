//! The one owner of the chain's state: database, pool and journal behind one writer lock.

mod blocks;
mod pace;
mod pool;
mod read;
mod write;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use alloy_eips::BlockNumHash;
use alloy_genesis::Genesis;
use alloy_primitives::B256;
use openledger_primitives::{ChainSpec, L2BlockRef, RollupConfig};
use openledger_rpc::ChainEvent;
use openledger_stf::genesis;
use openledger_storage::{Database, Heads};
use parking_lot::Mutex;
use tokio::sync::broadcast;

pub use write::WriteError;

use crate::{NodeError, maintenance, metrics::Metrics, records::Records};
use blocks::Blocks;
use pace::Pace;
use pool::GuardedPool;

/// Blocks that a slow receiver may lag behind before it misses some.
const EVENT_CAPACITY: usize = 1024;
/// Hashes of transactions that a slow receiver may lag behind: half a second of them at 32,000 a second.
const PENDING_CAPACITY: usize = 1 << 14;

/// The chain of this node. Reads need no lock; whoever changes the chain holds `writer`.
#[derive(Debug)]
pub struct Chain {
    config: Arc<RollupConfig>,
    spec: ChainSpec,
    db: Database,
    records: Records,
    pool: GuardedPool,
    writer: Mutex<()>,
    blocks: Blocks,
    events: broadcast::Sender<ChainEvent>,
    pending: broadcast::Sender<B256>,
    metrics: Arc<Metrics>,
    pace: Pace,
    /// Bytes of blocks that the batcher still has to post to L1.
    backlog: AtomicU64,
    /// Test hook: the block in which one wei appears out of nowhere.
    corrupt_state_at: Option<u64>,
}

impl Chain {
    /// Opens the chain in `datadir`, writes the genesis if it is new, and takes the journalled transactions back into the pool.
    pub fn open(
        datadir: &Path,
        genesis: &Genesis,
        config: Arc<RollupConfig>,
        corrupt_state_at: Option<u64>,
    ) -> Result<Self, NodeError> {
        config.validate()?;
        let (block, changes) = genesis::block_and_state(genesis)?;
        maintenance::check_genesis(block.header.hash_slow(), &config)?;
        let db = maintenance::create(datadir)?;
        db.init_genesis(&block, &changes)?;
        let spec = config.chain_spec();
        let pool = GuardedPool::open(&datadir.join("transactions.journal"), &db, &spec)?;
        Ok(Self {
            records: Records::new(db.clone()),
            config,
            spec,
            db,
            pool,
            writer: Mutex::new(()),
            blocks: Blocks::default(),
            events: broadcast::channel(EVENT_CAPACITY).0,
            pending: broadcast::channel(PENDING_CAPACITY).0,
            metrics: Arc::default(),
            pace: Pace::new(),
            backlog: AtomicU64::new(0),
            corrupt_state_at,
        })
    }

    /// The rollup configuration.
    pub const fn config(&self) -> &Arc<RollupConfig> {
        &self.config
    }

    /// Changes of the canonical chain from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<ChainEvent> {
        self.events.subscribe()
    }

    pub(crate) fn subscribe_pending(&self) -> broadcast::Receiver<B256> {
        self.pending.subscribe()
    }

    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(crate) const fn records(&self) -> &Records {
        &self.records
    }

    pub(crate) const fn db(&self) -> &Database {
        &self.db
    }

    pub(crate) const fn pool(&self) -> &GuardedPool {
        &self.pool
    }

    /// The batcher has so many bytes to post: blocks become smaller when it does not keep up.
    pub(crate) fn set_backlog(&self, bytes: u64) {
        self.backlog.store(bytes, Relaxed);
    }

    pub(crate) fn backlog(&self) -> u64 {
        self.backlog.load(Relaxed)
    }

    /// The heads.
    pub fn heads(&self) -> Result<Heads, NodeError> {
        Ok(self.db.heads()?)
    }

    /// The newest block.
    pub fn head(&self) -> Result<L2BlockRef, NodeError> {
        self.existing_ref(self.db.head()?)
    }

    /// The newest block derived from L1.
    pub fn safe_head(&self) -> Result<L2BlockRef, NodeError> {
        self.existing_ref(self.db.heads()?.safe)
    }

    fn existing_ref(&self, id: BlockNumHash) -> Result<L2BlockRef, NodeError> {
        let found = self.block_ref(id.number)?.filter(|block| block.hash == id.hash);
        // Between the two reads the chain may have been unwound; whoever asked looks again.
        found.ok_or(NodeError::Unwound(id))
    }
}
