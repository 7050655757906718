use std::{cmp::Reverse, collections::BTreeSet, sync::Arc};

use alloy_primitives::{
    Address, B256, U256,
    map::{AddressMap, B256Map, Entry as MapEntry},
};

use crate::{
    AccountReader, AccountState, Added, BlockContext, Origin, Place, PoolConfig, PoolError, PoolTransaction,
    sender::{Entry, Sender},
};

/// Order of eviction, first to go first: others before local ones, the lower tip, the later arrival.
type EvictionKey = (bool, Option<u128>, Reverse<u64>);

/// Transactions that wait for a block.
#[derive(Debug)]
pub struct Pool {
    pub(crate) config: PoolConfig,
    block: BlockContext,
    pub(crate) senders: AddressMap<Sender>,
    pub(crate) places: B256Map<(Address, u64)>,
    evictable: BTreeSet<(EvictionKey, B256)>,
    /// How many transactions here delegate an account (EIP-7702).
    delegating: AddressMap<usize>,
    pub(crate) pending: usize,
    pub(crate) bytes: usize,
    arrivals: u64,
    /// Time of the block at which it was last looked for what waits for too long.
    swept: u64,
}

/// Seconds between two looks for what waits for too long.
const SWEEP_INTERVAL: u64 = 60;

impl Pool {
    /// An empty pool.
    pub fn new(config: PoolConfig, block: BlockContext) -> Self {
        Self {
            config,
            block,
            senders: AddressMap::default(),
            places: B256Map::default(),
            evictable: BTreeSet::new(),
            delegating: AddressMap::default(),
            pending: 0,
            bytes: 0,
            arrivals: 0,
            swept: block.timestamp,
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
                unknown = Sender::new(state.account(&address).map_err(PoolError::State)?, self.block.fees);
                &unknown
            }
        };
        sender.check(&transaction, self.delegating.contains_key(&address))?;
        self.check_authorities(&transaction)?;
        let account = sender.state;
        let waits = nonce != sender.next_nonce() && !sender.is_ready(nonce);
        let old = sender.entries.get(&nonce);
        if let Some(old) = old {
            check_replacement(&old.transaction, &transaction, self.config.price_bump)?;
        } else if sender.entries.len() >= self.config.max_per_sender {
            return Err(PoolError::SenderFull { sender: address, limit: self.config.max_per_sender });
        } else if waits && sender.waiting() >= self.config.max_queued_per_sender {
            return Err(PoolError::SenderFull { sender: address, limit: self.config.max_queued_per_sender });
        } else if waits && self.places.len() - self.pending >= self.config.max_queued {
            return Err(PoolError::QueueFull);
        }
        let entry = Entry {
            tip: transaction.effective_tip(self.block.base_fee),
            transaction: Arc::new(transaction),
            arrival: self.arrivals,
            origin,
        };
        let victims = self.room_for(&entry, old)?;
        // One of its own that comes before it may have to go: then it waits as well.
        let comes_before = |(of, at): &(Address, u64)| *of == address && *at < nonce;
        let waits = waits || victims.iter().filter_map(|victim| self.places.get(victim)).any(comes_before);
        if waits && victims.iter().any(|victim| self.place(victim) == Some(Place::Pending)) {
            return Err(PoolError::FutureReplacePending);
        }
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

    /// An account with more than one transaction here cannot be delegated, for the reason why a delegated one cannot send more.
    fn check_authorities(&self, transaction: &PoolTransaction) -> Result<(), PoolError> {
        let sends_more = |authority: &&Address| self.senders.get(*authority).is_some_and(|of| of.entries.len() > 1);
        transaction
            .authorities()
            .iter()
            .find(sends_more)
            .map_or(Ok(()), |authority| Err(PoolError::AuthorityReserved(*authority)))
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
        for authority in entry.transaction.authorities() {
            *self.delegating.entry(*authority).or_default() += 1;
        }
        let fees = self.block.fees;
        let sender = self.senders.entry(address).or_insert_with(|| Sender::new(account, fees));
        sender.active = self.block.timestamp;
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
        for authority in entry.transaction.authorities() {
            if let MapEntry::Occupied(mut count) = self.delegating.entry(*authority) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
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
        let other_fees = block.fees != self.block.fees;
        self.block = block;
        if other_fees {
            for sender in self.senders.values_mut() {
                let before = sender.ready();
                sender.set_fees(block.fees);
                self.pending = self.pending + sender.ready() - before;
            }
        }
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
        if block.timestamp >= self.swept.saturating_add(SWEEP_INTERVAL) {
            self.swept = block.timestamp;
            dropped.extend(self.drop_forgotten());
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
        let now = self.block.timestamp;
        self.change(address, |sender| {
            let dropped = sender.advance(account);
            if !dropped.is_empty() {
                sender.active = now;
            }
            dropped
        })
    }

    /// Lets a sender drop entries, and forgets them.
    fn change(&mut self, address: Address, drop: impl FnOnce(&mut Sender) -> Vec<Entry>) -> Vec<B256> {
        let MapEntry::Occupied(mut sender) = self.senders.entry(address) else { return Vec::new() };
        let before = sender.get().ready();
        let dropped = drop(sender.get_mut());
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

    /// Drops what waits for a gap to close while its sender does nothing.
    fn drop_forgotten(&mut self) -> Vec<B256> {
        let now = self.block.timestamp;
        let is_over = |sender: &Sender| now.saturating_sub(sender.active) > self.config.queued_lifetime;
        let mut idle: Vec<Address> = self
            .senders
            .iter()
            .filter(|(_, sender)| sender.waiting() > 0 && is_over(sender))
            .map(|(address, _)| *address)
            .collect();
        idle.sort_unstable();
        idle.into_iter().flat_map(|address| self.change(address, Sender::drop_waiting)).collect()
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
