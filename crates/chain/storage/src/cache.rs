use alloy_primitives::{B256, Bytes, map::HashMap};

use crate::tables::Versioned;

/// What an entry takes besides key and value, about: it bounds memory, nothing else.
const ENTRY_BYTES: usize = 96;

/// Values of one state, that after the newest block, for whoever makes the next one: what a block reads or writes, the blocks after
/// it are likely to read, above all the upper nodes of the tries.
///
/// It names its block by hash and gives nothing to whoever works on another one. So after an unwind, or when a block was not
/// written, it is not wrong but useless, until it begins again.
pub(crate) struct StateCache {
    block: B256,
    /// What was used since the generations changed last, and what was used before that and may go.
    young: Generation,
    old: Generation,
    limit: usize,
}

/// Values of each versioned table by key; `None` where the key does not exist.
#[derive(Default)]
struct Generation {
    tables: [HashMap<Box<[u8]>, Option<Bytes>>; 4],
    bytes: usize,
}

/// A key that a block changed, with its new value.
pub(crate) type Changed = (Versioned, Box<[u8]>, Option<Bytes>);

impl StateCache {
    /// An empty cache of about so many bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { block: B256::ZERO, young: Generation::default(), old: Generation::default(), limit: bytes / 2 }
    }

    /// Makes it the cache of the state after a block. If it is that already, everything stays.
    pub(crate) fn begin(&mut self, block: B256) {
        if self.block != block {
            (self.young, self.old) = Default::default();
            self.block = block;
        }
    }

    /// The value in the state after `block`, if it is known: `Some(None)` where there is none.
    pub(crate) fn get(&mut self, block: &B256, table: Versioned, key: &[u8]) -> Option<Option<Bytes>> {
        if self.block != *block {
            return None;
        }
        if let Some(value) = self.young.tables[index(table)].get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.tables[index(table)].remove_entry(key)?;
        self.put((table, key, value.clone()));
        Some(value)
    }

    /// Remembers what the state after `block` holds.
    pub(crate) fn insert(&mut self, block: &B256, table: Versioned, key: &[u8], value: Option<&[u8]>) {
        if self.block == *block {
            self.put((table, key.into(), value.map(Bytes::copy_from_slice)));
        }
    }

    /// Follows from the state after `parent` to the one after `block`.
    pub(crate) fn advance(&mut self, parent: B256, block: B256, changed: Vec<Changed>) {
        self.begin(parent);
        self.block = block;
        changed.into_iter().for_each(|change| self.put(change));
    }

    fn put(&mut self, (table, key, value): Changed) {
        self.young.bytes += key.len() + value.as_ref().map_or(0, |value| value.len()) + ENTRY_BYTES;
        self.young.tables[index(table)].insert(key, value);
        if self.young.bytes > self.limit {
            self.old = std::mem::take(&mut self.young);
        }
    }
}

const fn index(table: Versioned) -> usize {
    table as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: B256 = B256::repeat_byte(1);
    const B: B256 = B256::repeat_byte(2);

    #[test]
    fn knows_the_state_of_one_block_alone() {
        let mut cache = StateCache::new(1 << 20);
        cache.begin(A);
        cache.insert(&A, Versioned::Slots, b"k", Some(b"a"));
        cache.insert(&B, Versioned::Slots, b"other", Some(b"b"));
        assert_eq!(cache.get(&A, Versioned::Slots, b"k"), Some(Some(Bytes::from_static(b"a"))));
        assert_eq!(cache.get(&A, Versioned::Accounts, b"k"), None);
        assert_eq!(cache.get(&A, Versioned::Slots, b"other"), None);
        assert_eq!(cache.get(&B, Versioned::Slots, b"k"), None);

        cache.advance(A, B, vec![(Versioned::Slots, (*b"new").into(), Some(Bytes::from_static(b"n")))]);
        assert_eq!(cache.get(&A, Versioned::Slots, b"k"), None);
        assert_eq!(cache.get(&B, Versioned::Slots, b"k"), Some(Some(Bytes::from_static(b"a"))));
        cache.advance(B, A, vec![(Versioned::Slots, (*b"k").into(), None)]);
        assert_eq!(cache.get(&A, Versioned::Slots, b"k"), Some(None));
        // From a block that it does not know: nothing of before counts.
        cache.advance(B, A, vec![]);
        assert_eq!(cache.get(&A, Versioned::Slots, b"new"), None);
    }

    #[test]
    fn what_is_not_used_goes_first() {
        let mut cache = StateCache::new(2 * 10 * (ENTRY_BYTES + 2));
        cache.begin(A);
        cache.insert(&A, Versioned::Slots, b"k", Some(b"v"));
        for other in 0..100u8 {
            assert!(cache.get(&A, Versioned::Slots, b"k").is_some(), "{other}");
            cache.insert(&A, Versioned::Accounts, &[other], Some(b"v"));
        }
        assert_eq!(cache.get(&A, Versioned::Accounts, &[0]), None);
        assert!(cache.young.bytes + cache.old.bytes <= 2 * 11 * (ENTRY_BYTES + 2));
    }
}
