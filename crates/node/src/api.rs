//! The node as its RPC layer sees it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes};
use openledger_primitives::{Header, L2BlockRef, RollupConfig, Transaction};
use openledger_rpc::{
    BatchLocation, BlockInfo, BoxedState, ChainApi, ChainEvent, Fault, Heads, Health, PoolCounts, Proof, Readiness,
    RpcError, SenderTransactions, SyncStatus, TransactionLocation,
};
use openledger_stf::{ExecutionError, StateChanges, StateRoots, next_base_fee};
use openledger_storage::StorageError;
use openledger_txpool::{PoolTransaction, SenderContent};
use openledger_witness::{Witness, WitnessError, record};
use tokio::sync::broadcast;

use crate::{
    Chain, NodeError, control::SequencerControl, l1::L1Status, phases::Phase, process, readiness::Position,
    upstream::Upstream,
};

/// Chain and L1 status together answer everything.
pub(crate) struct NodeApi {
    pub(crate) chain: Arc<Chain>,
    pub(crate) status: Arc<L1Status>,
    /// What makes blocks here: transactions sent to a sequencer reach one.
    pub(crate) control: Option<SequencerControl>,
    /// Where they are forwarded to instead.
    pub(crate) forward: Option<Upstream>,
    /// Whether it should have a block for each of the chain's times, as it builds them or follows a node that does.
    pub(crate) is_live: bool,
}

impl NodeApi {
    fn heads_or_genesis(&self) -> openledger_storage::Heads {
        self.chain.heads().unwrap_or_else(|error| {
            tracing::error!(%error, "the heads could not be read");
            let genesis = self.chain.config().genesis.l2;
            openledger_storage::Heads { unsafe_head: genesis, safe: genesis, finalized: genesis }
        })
    }

    fn reference(&self, id: BlockNumHash) -> Result<L2BlockRef, RpcError> {
        let found = self.chain.block_ref(id.number).map_err(node_error)?;
        found.ok_or_else(|| RpcError::BlockNotFound(id.number.to_string()))
    }
}

impl ChainApi for NodeApi {
    fn rollup_config(&self) -> &RollupConfig {
        self.chain.config()
    }

    fn client_version(&self) -> String {
        let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
        format!("openledger/v{version}/{os}-{arch}")
    }

    fn heads(&self) -> Heads {
        let heads = self.heads_or_genesis();
        Heads { latest: heads.unsafe_head, safe: heads.safe, finalized: heads.finalized }
    }

    fn header(&self, number: u64) -> Result<Option<(Header, B256)>, RpcError> {
        let header = self.chain.db().header(number).map_err(storage_error)?;
        Ok(header.map(|header| header.into_parts()))
    }

    fn block_number(&self, hash: B256) -> Result<Option<u64>, RpcError> {
        self.chain.db().number(&hash).map_err(storage_error)
    }

    fn block(&self, number: u64) -> Result<Option<Arc<BlockInfo>>, RpcError> {
        self.chain.block(number).map_err(node_error)
    }

    fn transaction_location(&self, hash: B256) -> Result<Option<TransactionLocation>, RpcError> {
        let place = self.chain.db().transaction_place(&hash).map_err(storage_error)?;
        Ok(place.map(|(block_number, index)| TransactionLocation { block_number, index: index.into() }))
    }

    fn state_at(&self, number: u64) -> Result<BoxedState, RpcError> {
        Ok(Box::new(self.chain.db().state_at(number).map_err(storage_error)?))
    }

    fn state_of(&self, number: u64, address: &Address) -> Result<BoxedState, RpcError> {
        Ok(Box::new(self.chain.db().state_of(number, address).map_err(storage_error)?))
    }

    fn proof(&self, number: u64, address: Address, slots: &[B256]) -> Result<Proof, RpcError> {
        let proof = self.chain.db().proof_at(number, address, slots).map_err(storage_error)?;
        let account = proof.account.unwrap_or_default();
        Ok(Proof {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            storage_root: account.storage_root,
            account_proof: proof.nodes,
            storage_proofs: proof.storage.into_iter().map(|slot| (slot.slot, slot.value, slot.nodes)).collect(),
        })
    }

    fn oldest_state(&self) -> u64 {
        self.chain.db().oldest_state()
    }

    fn roots(&self, number: u64, changes: &StateChanges) -> Result<StateRoots, RpcError> {
        let state = self.chain.db().state_at(number).map_err(storage_error)?;
        Ok(state.hypothetical_roots(changes)?)
    }

    fn execution_witness(&self, number: u64, max_bytes: usize) -> Result<Witness, RpcError> {
        let Some(parent) = number.checked_sub(1) else {
            return Err(RpcError::Execution("the genesis block is not executed: it has no witness".to_owned()));
        };
        let missing = |number: u64| RpcError::BlockNotFound(number.to_string());
        let db = self.chain.db();
        let block = self.chain.block(number).map_err(node_error)?.ok_or_else(|| missing(number))?;
        let state = db.state_at(parent).map_err(storage_error)?;
        let parent = db.header(parent).map_err(storage_error)?.ok_or_else(|| missing(parent))?;
        let header = |number: u64| {
            let found = db.header(number)?.ok_or_else(|| StorageError::UnknownBlock(number.to_string()))?;
            Ok(found.into_inner())
        };
        record(&state, &parent, &self.chain.config().chain_spec(), &block.block, header, max_bytes)
            .map_err(witness_error)
    }

    fn next_base_fee(&self, parent: &Header) -> u64 {
        next_base_fee(&self.chain.config().chain_spec(), parent)
    }

    fn submit_all(&self, raw: Vec<Bytes>) -> Vec<Result<B256, RpcError>> {
        if self.control.is_some() {
            return self.chain.submit_all(raw);
        }
        if let Some(upstream) = &self.forward {
            let answers = tokio::runtime::Handle::current().block_on(upstream.forward(&raw));
            let accepted = raw.into_iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).map(|(raw, _)| raw);
            // Kept here as well, so that it is seen as pending; the sequencer's answer is what counts.
            for refused in self.chain.submit_all(accepted.collect()).into_iter().filter_map(Result::err) {
                tracing::debug!(%refused, "a transaction that the sequencer took is not pending here");
            }
            return answers;
        }
        let reason = "this node verifies and does not produce blocks: send the transaction to the sequencer's RPC";
        vec![Err(RpcError::Unsupported(reason.to_owned())); raw.len()]
    }

    fn pooled(&self, hash: B256) -> Option<(Transaction, Address)> {
        self.chain.pool().read(|pool| pool.get(&hash).map(|tx| (tx.transaction().clone(), tx.sender())))
    }

    fn pooled_nonce(&self, sender: Address) -> Option<u64> {
        self.chain.pool().read(|pool| pool.pending_nonce(&sender))
    }

    fn pool_counts(&self) -> PoolCounts {
        let status = self.chain.pool().read(|pool| pool.status());
        PoolCounts { pending: status.pending, queued: status.queued }
    }

    fn pool_content(&self) -> BTreeMap<Address, SenderTransactions> {
        let content = self.chain.pool().read(|pool| pool.content());
        content.into_iter().map(|(sender, waiting)| (sender, transactions(&waiting))).collect()
    }

    fn pool_content_of(&self, sender: Address) -> SenderTransactions {
        transactions(&self.chain.pool().read(|pool| pool.content_of(&sender)))
    }

    fn subscribe(&self) -> broadcast::Receiver<ChainEvent> {
        self.chain.subscribe()
    }

    fn subscribe_pending(&self) -> broadcast::Receiver<B256> {
        self.chain.subscribe_pending()
    }

    fn sync_status(&self) -> Result<SyncStatus, RpcError> {
        let heads = self.chain.heads().map_err(node_error)?;
        let l1 = self.status.heads();
        Ok(SyncStatus {
            current_l1: self.status.derived(),
            head_l1: l1.head,
            safe_l1: l1.safe,
            finalized_l1: l1.finalized,
            unsafe_l2: self.reference(heads.unsafe_head)?,
            safe_l2: self.reference(heads.safe)?,
            finalized_l2: self.reference(heads.finalized)?,
        })
    }

    fn l2_block_ref(&self, number: u64) -> Result<Option<L2BlockRef>, RpcError> {
        self.chain.block_ref(number).map_err(node_error)
    }

    fn faults(&self) -> Result<Vec<Fault>, RpcError> {
        self.chain.faults().map_err(node_error)
    }

    fn batch_of(&self, number: u64) -> Result<Option<BatchLocation>, RpcError> {
        let derived = self.chain.records().derived(number).map_err(storage_error)?;
        Ok(derived.map(|derived| BatchLocation {
            l2_block_number: number,
            l1_block: derived.l1_block(),
            l1_transactions: derived.l1_transactions,
        }))
    }

    fn health(&self) -> Health {
        let heads = self.heads_or_genesis();
        let faults = self.chain.faults().unwrap_or_default();
        let l1_reachable = self.status.is_reachable();
        let status = match faults.first() {
            Some(fault) => format!("fault: the sequencer's claims on L1 differ from block {} on", fault.block_number),
            None if !l1_reachable => "L1 does not answer".to_owned(),
            None => "ok".to_owned(),
        };
        Health {
            status,
            latest: heads.unsafe_head.number,
            safe: heads.safe.number,
            finalized: heads.finalized.number,
            l1_reachable,
            faults: faults.len(),
        }
    }

    fn readiness(&self) -> Readiness {
        let timestamp = match self.chain.head() {
            Ok(head) => head.timestamp,
            Err(error) => return Readiness { ready: false, reason: Some(error.to_string()) },
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let position = Position {
            l1_reachable: self.status.is_reachable(),
            synced: self.status.is_synced(),
            l1_head: self.status.heads().head.number,
            l1_derived: self.status.derived().number,
            age: self.is_live.then(|| now.saturating_sub(timestamp)),
            stopped: self.control.as_ref().is_some_and(|control| !control.sequencer.is_on()),
            block_time: self.chain.config().block_time,
        };
        position.readiness()
    }

    fn spent_on_rpc(&self, spent: Duration) {
        self.chain.metrics().phases.add(Phase::Rpc, spent);
    }

    fn metrics(&self) -> String {
        let (heads, l1, pool) = (self.heads_or_genesis(), self.status.heads(), self.pool_counts());
        let faults = self.chain.faults().map_or(0, |faults| faults.len() as u64);
        let (memory, files) = process::usage();
        let lag = l1.head.number.saturating_sub(self.status.derived().number);
        let active = |on: fn(&SequencerControl) -> bool| u64::from(self.control.as_ref().is_some_and(on));
        let timestamp = self.chain.head().map_or(0, |head| head.timestamp);
        self.chain.metrics().render(&[
            ("l2_latest", "Newest L2 block", heads.unsafe_head.number),
            ("l2_latest_timestamp_seconds", "Unix time of the newest L2 block", timestamp),
            ("l2_oldest_state", "Oldest L2 block whose state is kept", self.chain.db().oldest_state()),
            ("l2_safe", "Newest L2 block derived from L1", heads.safe.number),
            ("l2_finalized", "Newest L2 block derived from finalized L1 blocks", heads.finalized.number),
            ("l1_head", "Newest L1 block seen", l1.head.number),
            ("l1_head_timestamp_seconds", "Unix time of the newest L1 block seen", l1.head.timestamp),
            ("l1_derived", "L1 block up to which everything is derived", self.status.derived().number),
            ("derivation_lag_l1_blocks", "L1 blocks that are seen and not derived yet", lag),
            ("ready", "Whether GET /ready answers 200", self.readiness().ready.into()),
            ("database_bytes", "Bytes of the database's files", self.chain.db().disk_bytes()),
            ("process_resident_memory_bytes", "Bytes of memory in use", memory),
            ("process_open_fds", "Open files and sockets", files),
            ("l1_reachable", "Whether L1 answered the last request", self.status.is_reachable().into()),
            ("pool_pending", "Transactions that can be included in the next block", pool.pending as u64),
            ("pool_queued", "Transactions that wait for an earlier nonce", pool.queued as u64),
            ("batcher_backlog_bytes", "Bytes of blocks that are not on L1 yet, compressed", self.chain.backlog()),
            ("sequencer_active", "Whether blocks are made here", active(|control| control.sequencer.is_on())),
            (
                "batcher_active",
                "Whether batches are posted from here",
                active(|control| control.batcher.switch.is_on()),
            ),
            ("faults", "Wrong claims of the sequencer that were found", faults),
        ])
    }
}

fn transactions(waiting: &SenderContent) -> SenderTransactions {
    let all = |from: &[Arc<PoolTransaction>]| from.iter().map(|tx| tx.transaction().clone()).collect();
    SenderTransactions { pending: all(&waiting.pending), queued: all(&waiting.queued) }
}

pub(crate) fn node_error(error: NodeError) -> RpcError {
    match error {
        NodeError::Storage(error) => storage_error(error),
        other => RpcError::internal(other),
    }
}

fn witness_error(error: WitnessError) -> RpcError {
    match error {
        WitnessError::TooLarge { .. } => RpcError::LimitExceeded(error.to_string()),
        WitnessError::State(error) | WitnessError::Execution(ExecutionError::State(error)) => error.into(),
        other => RpcError::internal(other),
    }
}

fn storage_error(error: StorageError) -> RpcError {
    match error {
        StorageError::Pruned { number, oldest } => RpcError::StatePruned { number, oldest },
        StorageError::UnknownBlock(block) => RpcError::BlockNotFound(block),
        StorageError::Unwound { .. } => RpcError::Execution(error.to_string()),
        other => RpcError::internal(other),
    }
}
