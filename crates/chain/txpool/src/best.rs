use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use alloy_primitives::Address;

use crate::{PoolTransaction, sender::Sender};

/// Pending transactions, the highest effective tip first (the earlier of equals), each sender's in order of nonce.
///
/// It holds its transactions by itself, as they waited when it was made: the pool may change while a block is being filled.
pub struct Best {
    base_fee: u64,
    /// Transactions with their order of arrival, each sender's one after the other.
    waiting: Vec<(u64, Arc<PoolTransaction>)>,
    heap: BinaryHeap<Head>,
    last: Option<Head>,
}

/// The next transaction of one sender. No two arrive as the same, so the order is by tip and arrival alone.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    tip: u128,
    arrival: Reverse<u64>,
    /// Where it is, and where the sender's later ones end.
    at: usize,
    end: usize,
}

impl Best {
    pub(crate) fn new<'a>(base_fee: u64, pending: usize, senders: impl Iterator<Item = &'a Sender>) -> Self {
        let mut best = Self { base_fee, waiting: Vec::with_capacity(pending), heap: BinaryHeap::new(), last: None };
        let mut heads = Vec::new();
        for sender in senders {
            let first = best.waiting.len();
            best.waiting.extend(sender.pending().map(|entry| (entry.arrival, entry.transaction.clone())));
            heads.extend(best.head(first, best.waiting.len()));
        }
        best.heap = heads.into();
        best
    }

    /// Leaves out the remaining transactions of whoever sent the last one: it did not fit or was not valid.
    pub fn skip_sender(&mut self) {
        self.last = None;
    }

    /// Who sent the last transaction.
    pub fn last_sender(&self) -> Option<Address> {
        self.last.as_ref().map(|head| self.waiting[head.at].1.sender())
    }

    /// The transaction at `at`, unless the sender has no more or it cannot pay the base fee.
    fn head(&self, at: usize, end: usize) -> Option<Head> {
        let (arrival, transaction) = self.waiting[at..end].first()?;
        let tip = transaction.effective_tip(self.base_fee)?;
        Some(Head { tip, arrival: Reverse(*arrival), at, end })
    }
}

impl Iterator for Best {
    type Item = Arc<PoolTransaction>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(last) = self.last.take() {
            self.heap.extend(self.head(last.at + 1, last.end));
        }
        let next = self.heap.pop()?;
        let transaction = self.waiting[next.at].1.clone();
        self.last = Some(next);
        Some(transaction)
    }

    /// Any of them may be left out, so only the most is known.
    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.waiting.len()))
    }
}

impl std::fmt::Debug for Best {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Best").field("base_fee", &self.base_fee).field("senders", &self.heap.len()).finish()
    }
}
