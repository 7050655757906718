use std::{
    cmp::Reverse,
    collections::{BinaryHeap, btree_map},
    sync::Arc,
};

use alloy_primitives::Address;

use crate::{
    PoolTransaction,
    sender::{Entry, Sender},
};

/// Pending transactions, the highest effective tip first (the earlier of equals), each sender's in order of nonce.
pub struct Best<'a> {
    base_fee: u64,
    heap: BinaryHeap<Head<'a>>,
    last: Option<Head<'a>>,
}

/// The next transaction of one sender.
struct Head<'a> {
    tip: u128,
    arrival: Reverse<u64>,
    entry: &'a Entry,
    rest: std::iter::Take<btree_map::Values<'a, u64, Entry>>,
}

impl<'a> Best<'a> {
    pub(crate) fn new(base_fee: u64, senders: impl Iterator<Item = &'a Sender>) -> Self {
        let heads = senders.filter_map(|sender| head(sender.entries.values().take(sender.ready()), base_fee));
        Self { base_fee, heap: heads.collect(), last: None }
    }

    /// Leaves out the remaining transactions of whoever sent the last one: it did not fit or was not valid.
    pub fn skip_sender(&mut self) {
        self.last = None;
    }

    /// Who sent the last transaction.
    pub fn last_sender(&self) -> Option<Address> {
        self.last.as_ref().map(|head| head.entry.transaction.sender())
    }
}

fn head<'a>(mut rest: std::iter::Take<btree_map::Values<'a, u64, Entry>>, base_fee: u64) -> Option<Head<'a>> {
    let entry = rest.next()?;
    let tip = entry.transaction.effective_tip(base_fee)?;
    Some(Head { tip, arrival: Reverse(entry.arrival), entry, rest })
}

impl Iterator for Best<'_> {
    type Item = Arc<PoolTransaction>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(last) = self.last.take() {
            self.heap.extend(head(last.rest, self.base_fee));
        }
        let next = self.heap.pop()?;
        let transaction = next.entry.transaction.clone();
        self.last = Some(next);
        Some(transaction)
    }
}

impl std::fmt::Debug for Best<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Best").field("base_fee", &self.base_fee).field("senders", &self.heap.len()).finish()
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.tip, self.arrival).cmp(&(other.tip, other.arrival))
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head<'_> {}
