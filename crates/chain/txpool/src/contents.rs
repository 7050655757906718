//! Looking into the pool.

use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256};

use crate::{
    Best, Origin, Place, Pool, PoolStatus, PoolTransaction, SenderContent,
    sender::{Entry, Sender},
};

impl Pool {
    /// Pending transactions in the order in which a block should take them, as they are now.
    pub fn best(&self, base_fee: u64) -> Best {
        Best::new(base_fee, self.pending, self.senders.values())
    }

    /// The transaction with this hash.
    pub fn get(&self, hash: &B256) -> Option<&Arc<PoolTransaction>> {
        let (address, nonce) = self.places.get(hash)?;
        self.senders.get(address)?.entries.get(nonce).map(|entry| &entry.transaction)
    }

    /// Whether a transaction can be included in the next block or waits, or `None` if it is not here.
    pub fn place(&self, hash: &B256) -> Option<Place> {
        let (address, nonce) = self.places.get(hash)?;
        let ready = self.senders.get(address)?.is_ready(*nonce);
        Some(if ready { Place::Pending } else { Place::Queued })
    }

    /// The nonce that the sender's next transaction should have, if the sender has any here; otherwise the state's nonce counts.
    pub fn pending_nonce(&self, address: &Address) -> Option<u64> {
        self.senders.get(address).map(Sender::next_nonce)
    }

    /// Numbers of transactions and bytes.
    pub fn status(&self) -> PoolStatus {
        PoolStatus { pending: self.pending, queued: self.places.len() - self.pending, bytes: self.bytes }
    }

    /// One sender's transactions.
    pub fn content_of(&self, address: &Address) -> SenderContent {
        let transactions = |entry: &Entry| entry.transaction.clone();
        self.senders.get(address).map_or_else(SenderContent::default, |sender| SenderContent {
            pending: sender.pending().map(transactions).collect(),
            queued: sender.queued().map(transactions).collect(),
        })
    }

    /// Everything, by sender.
    pub fn content(&self) -> BTreeMap<Address, SenderContent> {
        self.senders.keys().map(|address| (*address, self.content_of(address))).collect()
    }

    /// Local transactions in the order in which they came: what the journal should hold.
    pub fn local(&self) -> Vec<Arc<PoolTransaction>> {
        let mut local: Vec<_> = self
            .senders
            .values()
            .flat_map(|sender| sender.entries.values())
            .filter(|entry| entry.origin == Origin::Local)
            .map(|entry| (entry.arrival, entry.transaction.clone()))
            .collect();
        local.sort_unstable_by_key(|(arrival, _)| *arrival);
        local.into_iter().map(|(_, transaction)| transaction).collect()
    }
}
