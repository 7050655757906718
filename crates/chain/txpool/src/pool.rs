use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, B256Map, Entry as MapEntry},
};

use crate::{
    AccountReader, AccountState, Best, BlockContext, PoolConfig, PoolError, PoolTransaction,
    sender::{Entry, Sender},
};

/// Where a transaction came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From this node's own users: journaled, and evicted last.
    Local,
    /// From another node, or from a block that was unwound.
    External,
}

/// Where a transaction is in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It can be included in the next block.
    Pending,
    /// It waits for an earlier nonce.
    Queued,
}

/// A transaction was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its hash.
    pub hash: B256,
    /// Where it is.
    pub place: Place,
    /// The transaction of the same nonce that it took the place of.
    pub replaced: Option<B256>,
    /// Transactions that had to go to make room.
    pub evicted: Vec<B256>,
}

/// Numbers of transactions and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Transactions that can be included in the next block.
    pub pending: usize,
    /// Transactions that wait for an earlier nonce or for funds.
    pub queued: usize,
    /// Bytes of all of them.
    pub bytes: usize,
}

/// One sender's transactions, by nonce.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderContent {
    /// Those that can be included in the next block.
    pub pending: Vec<Arc<PoolTransaction>>,
    /// The others.
    pub queued: Vec<Arc<PoolTransaction>>,
}

/// Order of eviction, first to go first: others before local ones, the lower tip, the later arrival.
type EvictionKey = (bool, Option<u128>, Reverse<u64>);

/// Transactions that wait for a block.
#[derive(Debug)]
pub struct Pool {
    config: PoolConfig,
    block: BlockContext,
    senders: AddressMap<Sender>,
    places: B256Map<(Address, u64)>,
    evictable: BTreeSet<(EvictionKey, B256)>,
    pending: usize,
    bytes: usize,
    arrivals: u64,
}

impl Pool {
    /// An empty pool.
    pub fn new(config: PoolConfig, block: BlockContext) -> Self {
        Self {
            config,
            block,
            senders: AddressMap::default(),
            places: B256Map::default(),
            evictable: BTreeSet::new(),
            pending: 0,
            bytes: 0,
            arrivals: 0,
        }
    }

    /// The limits.
    pub const fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Takes a transaction, or says why not. An error leaves the pool as it was.
    ///
    /// `state` is the newest one when this is called (get it after the pool's lock): the account is remembered until a block
    /// touches it, so an older one would be believed for too long.
    pub fn add(
        &mut self,
        transaction: PoolTransaction,
        origin: Origin,
        state: &impl AccountReader,
    ) -> Result<Added, PoolError> {
        let (hash, address, nonce) = (transaction.hash(), transaction.sender(), transaction.nonce());
        if self.places.contains_key(&hash) {
            return Err(PoolError::AlreadyKnown);
        }
        self.check_block(&transaction, origin)?;
        let unknown;
        let sender = match self.senders.get(&address) {
            Some(sender) => sender,
            None => {
                unknown = Sender::new(state.account(&address).map_err(PoolError::State)?);
                &unknown
            }
        };
        sender.check(&transaction)?;
        let account = sender.state;
        let old = sender.entries.get(&nonce);
        if let Some(old) = old {
            check_replacement(&old.transaction, &transaction, self.config.price_bump)?;
        } else if sender.entries.len() >= self.config.max_per_sender {
            return Err(PoolError::SenderFull { sender: address, limit: self.config.max_per_sender });
        } else if nonce != sender.next_nonce() && self.places.len() - self.pending >= self.config.max_queued {
            return Err(PoolError::QueueFull);
        }
        let entry = Entry {
            tip: transaction.effective_tip(self.block.base_fee),
            transaction: Arc::new(transaction),
            arrival: self.arrivals,
            origin,
        };
        let victims = self.room_for(&entry, old)?;
        self.arrivals += 1;

        let replaced = self.insert(address, account, entry);
        for victim in &victims {
            self.remove(victim);
        }
        let place = match self.senders.get(&address).is_some_and(|sender| sender.is_ready(nonce)) {
            true => Place::Pending,
            false => Place::Queued,
        };
        Ok(Added { hash, place, replaced, evicted: victims })
    }

    fn check_block(&self, transaction: &PoolTransaction, origin: Origin) -> Result<(), PoolError> {
        use alloy_consensus::Transaction as _;
        let (gas, limit) = (transaction.transaction().gas_limit(), self.block.gas_limit);
        if gas > limit {
            return Err(PoolError::BlockGasLimit { gas, limit });
        }
        let (have, want) = (transaction.max_fee(), u128::from(self.block.min_base_fee));
        if have < want {
            return Err(PoolError::Underpriced { what: "gas fee cap", have, want });
        }
        let (have, want) = (transaction.max_tip(), self.config.min_tip);
        if have < want && origin == Origin::External {
            return Err(PoolError::Underpriced { what: "gas tip cap", have, want });
        }
        Ok(())
    }

    /// Who has to go so that `entry` fits, or why it does not. Nobody goes for someone who pays no more.
    fn room_for(&self, entry: &Entry, replaced: Option<&Entry>) -> Result<Vec<B256>, PoolError> {
        let size = entry.transaction.raw().len();
        let freed = replaced.map_or(0, |old| old.transaction.raw().len());
        let mut count = self.places.len() + usize::from(replaced.is_none());
        let mut bytes = self.bytes + size - freed;
        let mut victims = Vec::new();
        let mut candidates = self.evictable.iter();
        while count > self.config.max_transactions || bytes > self.config.max_bytes {
            let (key, victim) = candidates.next().ok_or(PoolError::PoolUnderpriced)?;
            if *key >= eviction_key(entry) {
                return Err(PoolError::PoolUnderpriced);
            }
            if replaced.is_some_and(|old| old.transaction.hash() == *victim) {
                continue;
            }
            let Some(found) = self.get(victim) else { continue };
            count -= 1;
            bytes -= found.raw().len();
            victims.push(*victim);
        }
        Ok(victims)
    }

    fn insert(&mut self, address: Address, account: AccountState, entry: Entry) -> Option<B256> {
        self.places.insert(entry.transaction.hash(), (address, entry.transaction.nonce()));
        self.evictable.insert((eviction_key(&entry), entry.transaction.hash()));
        self.bytes += entry.transaction.raw().len();
        let sender = self.senders.entry(address).or_insert_with(|| Sender::new(account));
        let before = sender.ready();
        let replaced = sender.insert(entry);
        self.pending = self.pending + sender.ready() - before;
        replaced.map(|old| {
            self.forget(&old);
            old.transaction.hash()
        })
    }

    /// Takes a transaction out, for instance because it turned out to be invalid when a block was built. The sender's later
    /// ones go back to the queue.
    pub fn remove(&mut self, hash: &B256) -> Option<Arc<PoolTransaction>> {
        let (address, nonce) = *self.places.get(hash)?;
        let MapEntry::Occupied(mut sender) = self.senders.entry(address) else { return None };
        let before = sender.get().ready();
        let removed = sender.get_mut().remove(nonce)?;
        self.pending = self.pending + sender.get().ready() - before;
        if sender.get().entries.is_empty() {
            sender.remove();
        }
        self.forget(&removed);
        Some(removed.transaction)
    }

    /// Removes the traces of an entry that no sender holds any more.
    fn forget(&mut self, entry: &Entry) {
        let hash = entry.transaction.hash();
        self.places.remove(&hash);
        self.evictable.remove(&(eviction_key(entry), hash));
        self.bytes -= entry.transaction.raw().len();
    }

    /// Follows the chain by one block (or by several): `changed` are accounts whose nonce, balance or code may differ, of
    /// which only those with transactions here are read. Returns what was included or overtaken.
    ///
    /// If the state cannot be read, the accounts read so far have moved on and the others have not; call it again.
    pub fn on_block(
        &mut self,
        block: BlockContext,
        changed: impl IntoIterator<Item = Address>,
        state: &impl AccountReader,
    ) -> Result<Vec<B256>, PoolError> {
        let lower_limit = block.gas_limit < self.block.gas_limit;
        self.block = block;
        let mut dropped = Vec::new();
        for address in changed {
            if self.senders.contains_key(&address) {
                let account = state.account(&address).map_err(PoolError::State)?;
                dropped.extend(self.advance(address, account));
            }
        }
        if lower_limit {
            dropped.extend(self.drop_over_gas_limit());
        }
        Ok(dropped)
    }

    /// Follows a reorganisation: reads every sender's account again. Add the transactions of the unwound blocks afterwards.
    pub fn on_reorg(&mut self, block: BlockContext, state: &impl AccountReader) -> Result<Vec<B256>, PoolError> {
        let mut senders: Vec<Address> = self.senders.keys().copied().collect();
        senders.sort_unstable();
        self.on_block(block, senders, state)
    }

    fn advance(&mut self, address: Address, account: AccountState) -> Vec<B256> {
        let MapEntry::Occupied(mut sender) = self.senders.entry(address) else { return Vec::new() };
        let before = sender.get().ready();
        let dropped = sender.get_mut().advance(account);
        self.pending = self.pending + sender.get().ready() - before;
        if sender.get().entries.is_empty() {
            sender.remove();
        }
        dropped
            .iter()
            .map(|entry| {
                self.forget(entry);
                entry.transaction.hash()
            })
            .collect()
    }

    fn drop_over_gas_limit(&mut self) -> Vec<B256> {
        use alloy_consensus::Transaction as _;
        let limit = self.block.gas_limit;
        let over = |entry: &&Entry| entry.transaction.transaction().gas_limit() > limit;
        let mut hashes: Vec<B256> = self
            .senders
            .values()
            .flat_map(|sender| sender.entries.values().filter(over).map(|entry| entry.transaction.hash()))
            .collect();
        hashes.sort_unstable();
        hashes.retain(|hash| self.remove(hash).is_some());
        hashes
    }

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

const fn eviction_key(entry: &Entry) -> EvictionKey {
    (matches!(entry.origin, Origin::Local), entry.tip, Reverse(entry.arrival))
}

/// Both fees have to rise by the bump, and by at least one wei.
fn check_replacement(old: &PoolTransaction, new: &PoolTransaction, bump: u8) -> Result<(), PoolError> {
    let needed = |fee: u128| {
        let raised = U256::from(fee) * U256::from(100 + u32::from(bump)) / U256::from(100);
        raised.max(U256::from(fee) + U256::from(1))
    };
    let (min_fee, min_tip) = (needed(old.max_fee()), needed(old.max_tip()));
    let (fee, tip) = (new.max_fee(), new.max_tip());
    if U256::from(fee) < min_fee || U256::from(tip) < min_tip {
        return Err(PoolError::ReplacementUnderpriced { fee, tip, min_fee, min_tip });
    }
    Ok(())
}
