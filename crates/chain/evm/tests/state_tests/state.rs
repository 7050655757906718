//! A state in maps, with its root from scratch.

use crate::fixture::PreAccount;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_trie::{
    TrieAccount,
    root::{state_root_unhashed, storage_root_unhashed},
};
use revm::{
    Database,
    primitives::{AddressMap, StorageKey, StorageValue},
    state::{Account as EvmAccount, AccountInfo, Bytecode},
};
use std::{collections::BTreeMap, convert::Infallible};

#[derive(Debug)]
pub(crate) struct State {
    accounts: BTreeMap<Address, Account>,
}

#[derive(Debug, Default)]
struct Account {
    nonce: u64,
    balance: U256,
    code: Bytes,
    /// Without zeros.
    storage: BTreeMap<U256, U256>,
}

impl State {
    pub(crate) fn new(pre: &BTreeMap<Address, PreAccount>) -> Self {
        let accounts = pre.iter().map(|(address, account)| {
            let PreAccount { balance, nonce, code, mut storage } = account.clone();
            storage.retain(|_, value| !value.is_zero());
            (*address, Account { nonce: nonce.to(), balance, code, storage })
        });
        Self { accounts: accounts.collect() }
    }

    /// Applies what a transaction did. An empty account goes when it is touched, and not before (EIP-161).
    pub(crate) fn commit(&mut self, changes: AddressMap<EvmAccount>) {
        for (address, change) in changes.into_iter().filter(|(_, change)| change.is_touched()) {
            if change.is_selfdestructed() || change.is_empty() {
                self.accounts.remove(&address);
                continue;
            }
            let account = self.accounts.entry(address).or_default();
            if change.is_created() {
                account.storage.clear();
            }
            account.storage.extend(change.changed_storage_slots().map(|(key, slot)| (*key, slot.present_value)));
            account.storage.retain(|_, value| !value.is_zero());
            (account.nonce, account.balance) = (change.info.nonce, change.info.balance);
            if let Some(code) = change.info.code {
                account.code = code.original_bytes();
            }
        }
    }

    pub(crate) fn root(&self) -> B256 {
        state_root_unhashed(self.accounts.iter().map(|(address, account)| {
            let slots = account.storage.iter().map(|(key, value)| (B256::from(*key), *value));
            let account = TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: storage_root_unhashed(slots),
                code_hash: keccak256(&account.code),
            };
            (*address, account)
        }))
    }
}

impl Database for State {
    type Error = Infallible;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        Ok(self.accounts.get(&address).map(|account| {
            let info = AccountInfo { balance: account.balance, nonce: account.nonce, ..Default::default() };
            info.with_code(Bytecode::new_raw(account.code.clone()))
        }))
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, Infallible> {
        unreachable!("accounts come with their code, also that of {hash}")
    }

    fn storage(&mut self, address: Address, key: StorageKey) -> Result<StorageValue, Infallible> {
        Ok(self.accounts.get(&address).and_then(|account| account.storage.get(&key)).copied().unwrap_or_default())
    }

    /// What the tests take for the hash of a block: that of its number in decimal digits.
    fn block_hash(&mut self, number: u64) -> Result<B256, Infallible> {
        Ok(keccak256(number.to_string()))
    }
}
