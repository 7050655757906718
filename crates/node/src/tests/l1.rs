//! An L1 in memory, whose blocks are made on demand and can be taken back.

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use openledger_derivation::{InboxTransaction, L1BlockInfo, L1Input};
use openledger_l1::TxError;
use openledger_primitives::L1BlockRef;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    driver::{
        batcher::{BatchPoster, Posted, PosterAccount},
        proposer::{Output, OutputOracle},
    },
    l1::{L1Error, L1Source},
};

/// Seconds between L1 blocks.
pub(super) const L1_BLOCK_TIME: u64 = 2;

/// Gas that each batch uses.
pub(super) const BATCH_GAS: u64 = 30_000;
/// What each batch costs, in wei: more than 64 bits hold.
pub(super) const BATCH_COST: u128 = 20_000_000_000_000_000_001;

/// The L1.
pub(super) struct MemoryL1 {
    inner: Mutex<Inner>,
    height: watch::Sender<u64>,
    batcher: Address,
    proposal_interval: u64,
}

struct Inner {
    blocks: Vec<L1Input>,
    outputs: Vec<(u64, Output)>,
    waiting: Vec<InboxTransaction>,
    /// Makes the hashes of blocks after a rollback differ from those before.
    salt: u64,
    away: bool,
}

impl MemoryL1 {
    pub(super) fn new(timestamp: u64, batcher: Address) -> Self {
        let genesis = block(0, B256::ZERO, timestamp, 0);
        let blocks = vec![genesis];
        Self {
            inner: Mutex::new(Inner { blocks, outputs: Vec::new(), waiting: Vec::new(), salt: 0, away: false }),
            height: watch::Sender::new(0),
            batcher,
            proposal_interval: 4,
        }
    }

    pub(super) fn genesis(&self) -> BlockNumHash {
        self.inner.lock().blocks[0].info.block.id()
    }

    /// Makes a block of the transactions that wait.
    pub(super) fn mine(&self) {
        let mut inner = self.inner.lock();
        let parent = inner.blocks.last().unwrap().info.block;
        let mut next = block(parent.number + 1, parent.hash, parent.timestamp + L1_BLOCK_TIME, inner.salt);
        next.inbox = std::mem::take(&mut inner.waiting);
        inner.blocks.push(next);
        self.height.send_replace(parent.number + 1);
    }

    /// Forgets the blocks above `height`, as an L1 does that is started from an older state.
    pub(super) fn roll_back(&self, height: u64) {
        let mut inner = self.inner.lock();
        inner.blocks.truncate(height as usize + 1);
        inner.outputs.retain(|(at, _)| *at <= height);
        inner.waiting.clear();
        inner.salt += 1;
    }

    /// Becomes another chain.
    pub(super) fn replace_genesis(&self) {
        let mut inner = self.inner.lock();
        let timestamp = inner.blocks[0].info.block.timestamp;
        inner.blocks = vec![block(0, B256::ZERO, timestamp, u64::MAX)];
    }

    /// Stops or goes on answering.
    pub(super) fn set_away(&self, away: bool) {
        self.inner.lock().away = away;
    }

    fn answering(&self) -> Result<parking_lot::MutexGuard<'_, Inner>, L1Error> {
        let inner = self.inner.lock();
        if inner.away {
            Err(L1Error::Unreachable { method: "test", reason: "connection refused".to_owned() })
        } else {
            Ok(inner)
        }
    }
}

fn block(number: u64, parent_hash: B256, timestamp: u64, salt: u64) -> L1Input {
    let hash = keccak256([number.to_be_bytes(), salt.to_be_bytes()].concat());
    let block = L1BlockRef { hash, number, parent_hash, timestamp };
    let info = L1BlockInfo {
        block,
        base_fee: 7,
        blob_base_fee: 1,
        prev_randao: keccak256(hash),
        parent_beacon_block_root: B256::ZERO,
    };
    L1Input { info, ..Default::default() }
}

impl L1Source for MemoryL1 {
    async fn head(&self) -> Result<L1BlockRef, L1Error> {
        Ok(self.answering()?.blocks.last().unwrap().info.block)
    }

    async fn settled(&self) -> Result<(L1BlockRef, L1BlockRef), L1Error> {
        let inner = self.answering()?;
        let back = |count: usize| inner.blocks[inner.blocks.len().saturating_sub(1 + count)].info.block;
        Ok((back(1), back(2)))
    }

    async fn block(&self, number: u64) -> Result<Option<L1BlockRef>, L1Error> {
        Ok(self.answering()?.blocks.get(number as usize).map(|block| block.info.block))
    }

    async fn input(&self, number: u64) -> Result<Option<L1Input>, L1Error> {
        Ok(self.answering()?.blocks.get(number as usize).cloned())
    }
}

impl BatchPoster for MemoryL1 {
    fn post(&self, data: Bytes) -> impl Future<Output = Result<Posted, TxError>> + Send + 'static {
        let mut height = self.height.subscribe();
        let transaction = InboxTransaction { hash: keccak256(&data), sender: self.batcher, payload: data };
        self.inner.lock().waiting.push(transaction);
        async move {
            height.changed().await.map_err(|_| TxError::Stopped)?;
            let l1_block = *height.borrow();
            Ok(Posted { l1_block, gas_used: BATCH_GAS, cost: BATCH_COST })
        }
    }

    fn account(&self) -> PosterAccount {
        PosterAccount { balance: Some(U256::from(5_500_000_000u64)), replaced: 3 }
    }
}

impl OutputOracle for MemoryL1 {
    async fn next_block(&self) -> Result<u64, L1Error> {
        Ok((self.answering()?.outputs.len() as u64 + 1) * self.proposal_interval)
    }

    async fn propose(&self, output: Output, l1_block: BlockNumHash) -> Result<u64, TxError> {
        let mut inner = self.inner.lock();
        let tip = inner.blocks.last().unwrap().info.block.number;
        let canonical =
            inner.blocks.get(l1_block.number as usize).is_some_and(|block| block.info.block.hash == l1_block.hash);
        if !canonical {
            return Err(TxError::WouldRevert("the L1 block is not canonical".to_owned()));
        }
        inner.outputs.push((tip, output));
        Ok(tip)
    }

    async fn outputs(&self, first: u64) -> Result<(u64, Vec<Output>), L1Error> {
        let inner = self.answering()?;
        let outputs = inner.outputs.iter().skip(first as usize).map(|(_, output)| *output).collect();
        Ok((inner.outputs.len() as u64, outputs))
    }
}
