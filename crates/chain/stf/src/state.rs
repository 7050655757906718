use crate::{Account, AccountChange, StateChanges, StateError, StateReader};
use alloc::{collections::BTreeMap, format};
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, B256Map, HashMap},
};
use core::fmt;
use revm::{
    Database, DatabaseCommit,
    primitives::KECCAK_EMPTY,
    state::{Account as EvmAccount, AccountInfo, Bytecode},
};

/// The state in the middle of a block: what the store says, under what the block's transactions did so far.
///
/// Hash maps serve the lookups; nothing that leaves this type depends on their order.
pub struct BlockState<R> {
    reader: R,
    accounts: AddressMap<Entry>,
    code: B256Map<Bytecode>,
    new_code: BTreeMap<B256, Bytes>,
}

/// One account before and within the block.
struct Entry {
    before: Option<Account>,
    now: Option<Account>,
    /// Whether the slots from before the block do not count any more.
    wiped: bool,
    slots: HashMap<U256, Slot>,
}

#[derive(Clone, Copy)]
struct Slot {
    before: U256,
    now: U256,
}

impl<R: StateReader> BlockState<R> {
    /// The state as the store has it.
    pub fn new(reader: R) -> Self {
        Self { reader, accounts: Default::default(), code: Default::default(), new_code: BTreeMap::new() }
    }

    fn entry(&mut self, address: Address) -> Result<&mut Entry, StateError> {
        use alloy_primitives::map::hash_map::Entry::{Occupied, Vacant};
        match self.accounts.entry(address) {
            Occupied(entry) => Ok(entry.into_mut()),
            Vacant(entry) => {
                let before = self.reader.account(&address)?;
                Ok(entry.insert(Entry { before, now: before, wiped: false, slots: Default::default() }))
            }
        }
    }

    /// The nonce of an account at this point.
    pub fn nonce(&mut self, address: Address) -> Result<u64, StateError> {
        Ok(self.entry(address)?.now.map_or(0, |account| account.nonce))
    }

    /// The store under it.
    pub const fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// What was done so far, sorted.
    pub fn changes(&self) -> StateChanges {
        StateChanges { accounts: self.changed_accounts(), code: self.new_code.clone() }
    }

    /// What the block did, sorted.
    pub(crate) fn into_changes(self) -> StateChanges {
        StateChanges { accounts: self.changed_accounts(), code: self.new_code }
    }

    fn changed_accounts(&self) -> BTreeMap<Address, AccountChange> {
        self.accounts.iter().filter_map(|(address, entry)| Some((*address, entry.change()?))).collect()
    }
}

impl Entry {
    fn change(&self) -> Option<AccountChange> {
        // Where there was no account there are no slots to wipe.
        let storage_wiped = self.wiped && self.before.is_some();
        let differs = |slot: &Slot| if self.wiped { !slot.now.is_zero() } else { slot.now != slot.before };
        let slots = self.slots.iter().filter(|(_, slot)| differs(slot));
        let storage: BTreeMap<B256, U256> = slots.map(|(key, slot)| ((*key).into(), slot.now)).collect();
        let changed = self.now != self.before || storage_wiped || !storage.is_empty();
        changed.then_some(AccountChange { account: self.now, storage_wiped, storage })
    }

    fn commit(&mut self, account: &EvmAccount) {
        if account.is_created() || account.is_selfdestructed() {
            self.wiped = true;
            self.slots.clear();
        }
        // EIP-161: an empty account that was touched does not exist.
        if account.is_selfdestructed() || account.is_empty() {
            self.now = None;
            return;
        }
        self.now = Some(from_evm(&account.info));
        for (key, slot) in account.changed_storage_slots() {
            // The EVM has read the slot before, unless the account is new and all its slots are zero.
            self.slots.entry(*key).or_insert(Slot { before: U256::ZERO, now: U256::ZERO }).now = slot.present_value;
        }
    }
}

impl<R: StateReader> Database for BlockState<R> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        Ok(self.entry(address)?.now.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code: (account.code_hash == KECCAK_EMPTY).then(Bytecode::default),
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        if hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.code.get(&hash) {
            return Ok(code.clone());
        }
        let bytes = self.reader.code(&hash)?;
        let code = Bytecode::new_raw_checked(bytes)
            .map_err(|error| StateError::Backend(format!("the code with hash {hash} is damaged: {error}")))?;
        self.code.insert(hash, code.clone());
        Ok(code)
    }

    fn storage(&mut self, address: Address, key: U256) -> Result<U256, StateError> {
        let entry = self.entry(address)?;
        if let Some(slot) = entry.slots.get(&key) {
            return Ok(slot.now);
        }
        // Where there was no account before the block there is no storage either.
        if entry.wiped || entry.before.is_none() {
            return Ok(U256::ZERO);
        }
        let value = self.reader.storage(&address, &key.into())?;
        self.entry(address)?.slots.insert(key, Slot { before: value, now: value });
        Ok(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        self.reader.block_hash(number)
    }
}

impl<R: StateReader> DatabaseCommit for BlockState<R> {
    fn commit(&mut self, changes: AddressMap<EvmAccount>) {
        for (address, account) in changes {
            if !account.is_touched() {
                continue;
            }
            let entry = self.accounts.get_mut(&address).expect("what the EVM changes, it has read from here");
            let old_code = entry.now.map_or(KECCAK_EMPTY, |before| before.code_hash);
            entry.commit(&account);
            let new_code = entry.now.map_or(KECCAK_EMPTY, |now| now.code_hash);
            if let Some(code) = account.info.code.filter(|_| new_code != old_code && new_code != KECCAK_EMPTY) {
                self.new_code.insert(new_code, code.original_bytes());
                self.code.insert(new_code, code);
            }
        }
    }
}

impl<R> fmt::Debug for BlockState<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockState").field("accounts", &self.accounts.len()).finish_non_exhaustive()
    }
}

fn from_evm(info: &AccountInfo) -> Account {
    Account { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
}
