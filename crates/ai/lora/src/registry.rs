use std::{cell::Cell, collections::BTreeMap, ops::Deref, rc::Rc};

use tracing::debug;

use crate::{LoraAdapter, LoraError};

/// Adapters in memory, by content hash, within a budget in bytes. When a new one does not fit, those that nobody uses leave, least
/// recently used first. It belongs to the thread that owns the model: tensors are not shared between threads.
#[derive(Debug)]
pub struct AdapterRegistry {
    budget: usize,
    /// Bytes of all adapters that are alive: those listed below and those only leases still hold.
    used: Rc<Cell<usize>>,
    entries: BTreeMap<[u8; 32], Entry>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    resident: Rc<Resident>,
    last_used: u64,
}

/// An adapter with its share of the budget, which returns when the last holder lets go.
#[derive(Debug)]
struct Resident {
    adapter: LoraAdapter,
    bytes: usize,
    used: Rc<Cell<usize>>,
}

impl Drop for Resident {
    fn drop(&mut self) {
        self.used.set(self.used.get() - self.bytes);
    }
}

/// Holds an adapter in memory while a request uses it, also when the registry has forgotten it.
#[derive(Debug, Clone)]
pub struct Lease(Rc<Resident>);

impl Deref for Lease {
    type Target = LoraAdapter;

    fn deref(&self) -> &LoraAdapter {
        &self.0.adapter
    }
}

impl AdapterRegistry {
    /// An empty registry for `budget` bytes of weights.
    pub fn new(budget: usize) -> Self {
        Self { budget, used: Rc::default(), entries: BTreeMap::new(), clock: 0 }
    }

    /// The adapter with this hash, if it is in memory.
    pub fn get(&mut self, hash: &[u8; 32]) -> Option<Lease> {
        self.clock += 1;
        let entry = self.entries.get_mut(hash)?;
        entry.last_used = self.clock;
        Some(Lease(Rc::clone(&entry.resident)))
    }

    /// Takes an adapter in, or finds that it is there already.
    pub fn insert(&mut self, adapter: LoraAdapter) -> Result<Lease, LoraError> {
        let hash = adapter.content_hash();
        if let Some(lease) = self.get(&hash) {
            return Ok(lease);
        }
        let bytes = adapter.bytes();
        self.make_room(bytes)?;
        self.used.set(self.used.get() + bytes);
        let resident = Rc::new(Resident { adapter, bytes, used: Rc::clone(&self.used) });
        self.entries.insert(hash, Entry { resident: Rc::clone(&resident), last_used: self.clock });
        Ok(Lease(resident))
    }

    /// Forgets an adapter. Requests that hold it keep it, and its bytes count until they end.
    pub fn remove(&mut self, hash: &[u8; 32]) -> bool {
        self.entries.remove(hash).is_some()
    }

    /// Bytes of the adapters that are alive.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// Adapters in memory.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no adapter is in memory.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn make_room(&mut self, bytes: usize) -> Result<(), LoraError> {
        let idle = |entry: &Entry| Rc::strong_count(&entry.resident) == 1;
        let idle_bytes: usize = self.entries.values().filter(|entry| idle(entry)).map(|e| e.resident.bytes).sum();
        let pinned = self.used.get() - idle_bytes;
        // Known beforehand, so that nothing is thrown out in vain.
        if pinned + bytes > self.budget {
            return Err(LoraError::OutOfBudget { needed: bytes, budget: self.budget, pinned });
        }
        while self.used.get() + bytes > self.budget {
            let oldest = self.entries.iter().filter(|(_, entry)| idle(entry)).min_by_key(|(_, entry)| entry.last_used);
            let Some(hash) = oldest.map(|(hash, _)| *hash) else { break };
            debug!(adapter = hex::encode(hash), "adapter leaves memory");
            self.entries.remove(&hash);
        }
        Ok(())
    }
}
