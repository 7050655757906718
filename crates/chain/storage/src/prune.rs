use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use alloy_primitives::{Address, B256, keccak256};
use openledger_primitives::addresses::L2_TO_L1_MESSAGE_PASSER;
use openledger_trie::{Nibbles, account_key};
use rocksdb::WriteBatch;

use crate::{
    Database, StateView, StorageError, codec,
    database::Inner,
    history::{changed_keys, history_key, push_changed},
    tables::{Key, Table, Versioned, meta},
};

/// How much of the past is kept, counted in blocks below the newest. Blocks that are not finalized keep theirs in any case, as
/// a reorganisation may unwind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Blocks at which the whole state can be read and proven.
    pub state: u64,
    /// Blocks at which the `L2ToL1MessagePasser` can be read and proven, so that withdrawals can be. Fewer than `state` mean
    /// as many as `state`.
    pub withdrawals: u64,
}

/// A batch is written once it forgets this many keys: a block that is to be committed waits for no more than one batch.
const BATCH_KEYS: usize = 2048;

/// The two pasts, which end at different heights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// Everything but the message passer.
    State,
    /// The message passer.
    Withdrawals,
}

impl Past {
    const fn oldest(self, inner: &Inner) -> &AtomicU64 {
        match self {
            Self::State => &inner.oldest,
            Self::Withdrawals => &inner.oldest_withdrawals,
        }
    }

    const fn meta(self) -> &'static [u8] {
        match self {
            Self::State => meta::HISTORY_FROM,
            Self::Withdrawals => meta::WITHDRAWALS_FROM,
        }
    }
}

impl Database {
    /// Forgets, in one bounded batch, some of what is older than `keep` asks for, and returns how many blocks' histories it
    /// forgot. Call it again until that is 0. Interrupted, it goes on where it stopped; what was forgotten stays so when
    /// `keep` is raised later.
    pub fn prune_history(&self, keep: &Retention) -> Result<u64, StorageError> {
        let _writing = self.inner.writing.lock();
        let heads = self.heads()?;
        let below_head = |blocks| heads.unsafe_head.number.saturating_sub(blocks).min(heads.finalized.number);
        match self.forget(Past::State, below_head(keep.state))? {
            0 => self.forget(Past::Withdrawals, below_head(keep.withdrawals.max(keep.state))),
            forgotten => Ok(forgotten),
        }
    }

    /// Moves the end of a past towards `target`, as far as one batch goes.
    ///
    /// What the state forgets of a block, the message passer may still need: its keys stay in the block's changeset.
    fn forget(&self, past: Past, target: u64) -> Result<u64, StorageError> {
        let store = &self.inner.store;
        let oldest = past.oldest(&self.inner);
        let from = oldest.load(SeqCst);
        if target <= from {
            return Ok(0);
        }
        let mut batch = WriteBatch::default();
        let mut iterator = store.iterator(Table::Changesets);
        iterator.seek((from + 1).to_be_bytes());
        let mut to = target;
        while let Some((at, changeset)) = iterator.item() {
            let number = codec::number(at)?;
            if number > target {
                break;
            }
            if batch.len() >= BATCH_KEYS {
                to = number - 1;
                break;
            }
            let mut kept = Vec::new();
            for entry in changed_keys(changeset) {
                let (table, key) = entry?;
                if past == Past::State && is_withdrawals(table, key) {
                    push_changed(&mut kept, table, key);
                } else {
                    batch.delete_cf(store.family(Table::History), history_key(table, key, number));
                }
            }
            if kept.is_empty() {
                batch.delete_cf(store.family(Table::Changesets), at);
            } else {
                batch.put_cf(store.family(Table::Changesets), at, kept);
            }
            iterator.next();
        }
        iterator.status().map_err(|error| store.error(&error))?;
        batch.put_cf(store.family(Table::Meta), past.meta(), to.to_be_bytes());
        // Nobody may begin to read what is about to go.
        oldest.store(to, SeqCst);
        let written = store.write(batch, false);
        if written.is_err() {
            oldest.store(from, SeqCst);
        }
        written.map(|()| to - from)
    }

    /// The state after a canonical block, to read and prove this one account in: the `L2ToL1MessagePasser` is kept for longer
    /// than the others.
    pub fn state_of(&self, number: u64, address: &Address) -> Result<StateView, StorageError> {
        StateView::new(self.clone(), number, *address == L2_TO_L1_MESSAGE_PASSER)
    }
}

impl Inner {
    /// Checks that the state after block `number` is kept, or at least the part of it that is about `withdrawals`.
    pub(crate) fn check_kept(&self, number: u64, withdrawals: impl FnOnce() -> bool) -> Result<(), StorageError> {
        let mut oldest = self.oldest.load(SeqCst);
        if number < oldest && withdrawals() {
            oldest = self.oldest_withdrawals.load(SeqCst);
        }
        if number < oldest { Err(StorageError::Pruned { number, oldest }) } else { Ok(()) }
    }
}

/// The hashed address of the message passer, and its path in the account trie.
static MESSAGE_PASSER: LazyLock<(B256, Nibbles)> =
    LazyLock::new(|| (keccak256(L2_TO_L1_MESSAGE_PASSER), account_key(&L2_TO_L1_MESSAGE_PASSER)));

/// Whether a key is needed to read or prove the message passer: itself, its storage, or a node on the way to it.
pub(crate) fn is_withdrawals(table: Versioned, key: &[u8]) -> bool {
    let (hash, path) = &*MESSAGE_PASSER;
    match table {
        Versioned::Accounts => key == L2_TO_L1_MESSAGE_PASSER,
        Versioned::Slots => key.starts_with(L2_TO_L1_MESSAGE_PASSER.as_slice()),
        Versioned::StorageNodes => key.starts_with(hash.as_slice()),
        Versioned::AccountNodes => match key.first() {
            Some(&length) if usize::from(length) <= path.len() => {
                key == &*Key::node(None, &path.slice(..usize::from(length)))
            }
            _ => false,
        },
    }
}
