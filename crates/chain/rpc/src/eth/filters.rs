//! `eth_newFilter` and its family: what a client without a WebSocket polls.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use alloy_primitives::{B256, U128};
use alloy_rpc_types_eth::{Filter, FilterBlockOption, Log};
use jsonrpsee::proc_macros::rpc;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::broadcast::{self, error::TryRecvError};

use crate::{RpcError, context::Context, eth::logs::checked};

/// A filter that nobody polls for this long is dropped, as in geth.
const LIFETIME: Duration = Duration::from_secs(300);
/// Most filters at once, over all clients.
const MAX_FILTERS: usize = 1000;

/// What a poll answers: hashes of blocks or transactions, or logs.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Changes {
    /// Hashes, oldest first.
    Hashes(Vec<B256>),
    /// Logs, oldest first.
    Logs(Vec<Log>),
}

/// Filters that are polled.
#[rpc(server, namespace = "eth")]
pub trait EthFilters {
    /// Follows logs.
    #[method(name = "newFilter")]
    fn new_filter(&self, filter: Filter) -> Result<U128, RpcError>;
    /// Follows block hashes.
    #[method(name = "newBlockFilter")]
    fn new_block_filter(&self) -> Result<U128, RpcError>;
    /// Follows hashes of waiting transactions.
    #[method(name = "newPendingTransactionFilter")]
    fn new_pending_filter(&self) -> Result<U128, RpcError>;
    /// What happened since the last poll.
    #[method(name = "getFilterChanges", blocking)]
    fn changes(&self, id: U128) -> Result<Changes, RpcError>;
    /// All logs of a log filter.
    #[method(name = "getFilterLogs", blocking)]
    fn all_logs(&self, id: U128) -> Result<Vec<Log>, RpcError>;
    /// Forgets a filter; says whether it existed.
    #[method(name = "uninstallFilter")]
    fn uninstall(&self, id: U128) -> Result<bool, RpcError>;
}

/// What a filter has left to say: the next block to look at, or hashes as they come.
enum Kind {
    Logs { filter: Box<Filter>, next: u64 },
    Blocks { next: u64 },
    Pending(broadcast::Receiver<B256>),
}

struct Entry {
    kind: Kind,
    polled: Instant,
}

/// The filters namespace.
#[derive(Clone)]
pub(crate) struct Filters {
    context: Context,
    entries: Arc<Mutex<HashMap<U128, Entry>>>,
}

impl Filters {
    pub(crate) fn new(context: Context) -> Self {
        Self { context, entries: Arc::default() }
    }

    fn add(&self, kind: Kind) -> Result<U128, RpcError> {
        let mut entries = self.entries.lock();
        entries.retain(|_, entry| entry.polled.elapsed() < LIFETIME);
        if entries.len() >= MAX_FILTERS {
            return Err(RpcError::LimitExceeded(format!(
                "this node holds {MAX_FILTERS} filters already: uninstall unused ones, or subscribe over WebSocket"
            )));
        }
        let id = U128::from(rand::random::<u128>());
        entries.insert(id, Entry { kind, polled: Instant::now() });
        Ok(id)
    }

    fn next_block(&self) -> u64 {
        self.context.chain.heads().latest.number + 1
    }
}

impl EthFiltersServer for Filters {
    fn new_filter(&self, filter: Filter) -> Result<U128, RpcError> {
        checked(&filter)?;
        if let FilterBlockOption::Range { from_block: Some(from), to_block: Some(to) } = filter.block_option
            && self.context.tag(from) > self.context.tag(to)
        {
            return Err(RpcError::InvalidParams("invalid block range: fromBlock is after toBlock".to_owned()));
        }
        let next = match filter.block_option {
            FilterBlockOption::Range { from_block: Some(from), .. } => self.context.tag(from).max(self.next_block()),
            _ => self.next_block(),
        };
        self.add(Kind::Logs { filter: Box::new(filter), next })
    }

    fn new_block_filter(&self) -> Result<U128, RpcError> {
        self.add(Kind::Blocks { next: self.next_block() })
    }

    fn new_pending_filter(&self) -> Result<U128, RpcError> {
        self.add(Kind::Pending(self.context.chain.subscribe_pending()))
    }

    fn changes(&self, id: U128) -> Result<Changes, RpcError> {
        let latest = self.context.chain.heads().latest.number;
        let mut entries = self.entries.lock();
        let entry = entries.get_mut(&id).ok_or_else(not_found)?;
        entry.polled = Instant::now();
        match &mut entry.kind {
            Kind::Blocks { next } => {
                let from = (*next).max((latest + 1).saturating_sub(self.context.limits.max_log_blocks));
                *next = latest + 1;
                drop(entries);
                let mut hashes = Vec::new();
                for number in from..=latest {
                    hashes.extend(self.context.chain.header(number)?.map(|(_, hash)| hash));
                }
                Ok(Changes::Hashes(hashes))
            }
            Kind::Logs { filter, next } => {
                let from = *next;
                let to = match filter.block_option {
                    FilterBlockOption::Range { to_block: Some(to), .. } => self.context.tag(to).min(latest),
                    _ => latest,
                };
                let filter = filter.clone();
                if from > to {
                    return Ok(Changes::Logs(Vec::new()));
                }
                let logs = {
                    drop(entries);
                    self.context.logs_between(&filter, from, to)?
                };
                // Only now: a poll that failed is asked again from the same place.
                if let Some(Entry { kind: Kind::Logs { next, .. }, .. }) = self.entries.lock().get_mut(&id) {
                    *next = to + 1;
                }
                Ok(Changes::Logs(logs))
            }
            Kind::Pending(hashes) => {
                let mut new = Vec::new();
                loop {
                    match hashes.try_recv() {
                        Ok(hash) => new.push(hash),
                        Err(TryRecvError::Lagged(_)) => {}
                        Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(Changes::Hashes(new)),
                    }
                }
            }
        }
    }

    fn all_logs(&self, id: U128) -> Result<Vec<Log>, RpcError> {
        let filter = {
            let mut entries = self.entries.lock();
            let entry = entries.get_mut(&id).ok_or_else(not_found)?;
            entry.polled = Instant::now();
            match &entry.kind {
                Kind::Logs { filter, .. } => filter.clone(),
                _ => return Err(not_found()),
            }
        };
        self.context.matching_logs(&filter)
    }

    fn uninstall(&self, id: U128) -> Result<bool, RpcError> {
        Ok(self.entries.lock().remove(&id).is_some())
    }
}

fn not_found() -> RpcError {
    RpcError::Rejected("filter not found".to_owned())
}
