//! A state in memory with roots from scratch, and transactions to execute on it.
#![allow(dead_code, reason = "each test file uses its part")]

use alloy_consensus::{
    Sealed, SignableTransaction, Signed, TxEip1559,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::{Encodable2718, eip2935, eip4788};
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, address, bytes, keccak256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use op_alloy_consensus::TxDeposit;
use openledger_primitives::{BlockAttributes, ChainSpec, Header, Transaction, addresses};
use openledger_stf::{
    Account, AccountChange, ExecutedBlock, ExecutionError, StateChanges, StateCommitter, StateError, StateReader,
    StateRoots, execute_block, genesis,
};
use std::collections::BTreeMap;

pub(crate) const SPEC: ChainSpec = ChainSpec::new(20300);
pub(crate) const ETHER: u128 = 1_000_000_000_000_000_000;
pub(crate) const DEPOSITOR: Address = address!("00000000000000000000000000000000000de905");
pub(crate) const BOB: Address = address!("0000000000000000000000000000000000000b0b");
pub(crate) const GAS_LIMIT: u64 = 30_000_000;

/// Everything in maps; roots are computed from scratch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    accounts: BTreeMap<Address, (Account, BTreeMap<B256, U256>)>,
    code: BTreeMap<B256, Bytes>,
    /// Addresses that cannot be read.
    pub(crate) broken: Vec<Address>,
}

impl Store {
    pub(crate) fn apply(&mut self, changes: &StateChanges) {
        for (address, change) in &changes.accounts {
            let (_, mut slots) = self.accounts.remove(address).unwrap_or_default();
            if change.storage_wiped {
                slots.clear();
            }
            slots.extend(change.storage.iter().map(|(key, value)| (*key, *value)));
            slots.retain(|_, value| !value.is_zero());
            if let Some(account) = change.account {
                self.accounts.insert(*address, (account, slots));
            }
        }
        self.code.extend(changes.code.iter().map(|(hash, code)| (*hash, code.clone())));
    }

    pub(crate) fn balance(&self, address: Address) -> U256 {
        self.accounts.get(&address).map_or(U256::ZERO, |(account, _)| account.balance)
    }

    pub(crate) fn get(&self, address: Address) -> Option<Account> {
        self.accounts.get(&address).map(|(account, _)| *account)
    }

    /// All the wei that there is.
    pub(crate) fn supply(&self) -> U256 {
        self.accounts.values().map(|(account, _)| account.balance).sum()
    }

    pub(crate) fn slot(&self, address: Address, slot: u64) -> U256 {
        self.accounts[&address].1.get(&B256::from(U256::from(slot))).copied().unwrap_or_default()
    }

    pub(crate) fn set_balance(&mut self, address: Address, balance: U256) {
        self.accounts.get_mut(&address).expect("an account").0.balance = balance;
    }

    pub(crate) fn set_slot(&mut self, address: Address, slot: u64, value: U256) {
        self.accounts.get_mut(&address).expect("an account").1.insert(U256::from(slot).into(), value);
    }

    pub(crate) fn set_code(&mut self, address: Address, code: Bytes) {
        let hash = keccak256(&code);
        self.accounts.get_mut(&address).expect("an account").0.code_hash = hash;
        self.code.insert(hash, code);
    }

    fn readable(&self, address: &Address) -> Result<(), StateError> {
        if self.broken.contains(address) { Err(StateError::Missing(address.to_string())) } else { Ok(()) }
    }
}

impl StateReader for Store {
    fn account(&self, address: &Address) -> Result<Option<Account>, StateError> {
        self.readable(address)?;
        Ok(self.get(*address))
    }

    fn storage(&self, address: &Address, slot: &B256) -> Result<U256, StateError> {
        self.readable(address)?;
        Ok(self.accounts.get(address).and_then(|(_, slots)| slots.get(slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: &B256) -> Result<Bytes, StateError> {
        self.code.get(hash).cloned().ok_or_else(|| StateError::Missing(hash.to_string()))
    }

    fn block_hash(&self, number: u64) -> Result<B256, StateError> {
        Ok(B256::with_last_byte(number as u8))
    }
}

impl StateCommitter for Store {
    fn roots(&self, changes: &StateChanges) -> Result<StateRoots, StateError> {
        let mut after = self.clone();
        after.apply(changes);
        let accounts = after.accounts.into_iter().map(|(address, (account, storage))| {
            (address, AccountChange { account: Some(account), storage_wiped: false, storage })
        });
        Ok(genesis::roots(&StateChanges { accounts: accounts.collect(), code: BTreeMap::new() }))
    }
}

/// A chain of executed blocks.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) spec: ChainSpec,
    pub(crate) store: Store,
    pub(crate) head: Sealed<Header>,
}

impl Chain {
    /// The signers are rich; the system contracts are there; the DA footprint scalar is `da_scalar`.
    pub(crate) fn new(da_scalar: u16, more: &[(Address, GenesisAccount)]) -> Self {
        let code = |code: &Bytes| GenesisAccount { nonce: Some(1), code: Some(code.clone()), ..Default::default() };
        let mut l1_block = GenesisAccount { nonce: Some(1), code: Some(bytes!("00")), ..Default::default() };
        let mut slot = B256::ZERO;
        slot[18..20].copy_from_slice(&da_scalar.to_be_bytes());
        l1_block.storage = Some(BTreeMap::from([(B256::with_last_byte(8), slot)]));
        let rich = |i| (signer(i).address(), GenesisAccount { balance: U256::from(ETHER), ..Default::default() });
        let mut alloc = BTreeMap::from([
            (eip2935::HISTORY_STORAGE_ADDRESS, code(&eip2935::HISTORY_STORAGE_CODE)),
            (eip4788::BEACON_ROOTS_ADDRESS, code(&eip4788::BEACON_ROOTS_CODE)),
            (addresses::L1_BLOCK, l1_block),
            rich(1),
            rich(2),
        ]);
        alloc.extend(more.iter().cloned());
        let genesis = Genesis {
            alloc,
            gas_limit: GAS_LIMIT,
            extra_data: bytes!("01 000000fa 00000006 00000000000f4240"),
            base_fee_per_gas: Some(1_000_000),
            timestamp: 1000,
            ..Default::default()
        };
        let (block, state) = genesis::block_and_state(&genesis).unwrap();
        let mut store = Store::default();
        store.apply(&state);
        Self { spec: SPEC, store, head: Sealed::new(block.header) }
    }

    pub(crate) fn attributes(&self, transactions: &[Recovered<Transaction>]) -> BlockAttributes {
        BlockAttributes {
            timestamp: self.head.timestamp + 1,
            prev_randao: B256::repeat_byte(7),
            fee_recipient: addresses::SEQUENCER_FEE_VAULT,
            parent_beacon_block_root: B256::repeat_byte(9),
            gas_limit: GAS_LIMIT,
            min_base_fee: 1_000_000,
            transactions: transactions.iter().map(|tx| tx.inner().encoded_2718().into()).collect(),
            no_tx_pool: true,
            ..Default::default()
        }
    }

    pub(crate) fn execute(&self, transactions: &[Recovered<Transaction>]) -> Result<ExecutedBlock, ExecutionError> {
        execute_block(&self.store, &self.store, &self.spec, &self.head, &self.attributes(transactions))
    }

    /// Executes a block and moves on to it.
    pub(crate) fn advance(&mut self, transactions: &[Recovered<Transaction>]) -> ExecutedBlock {
        let block = self.execute(transactions).unwrap();
        self.store.apply(&block.changes);
        self.head = block.sealed_header();
        block
    }
}

pub(crate) fn signer(i: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(i)).unwrap()
}

/// A dynamic fee transaction of signer 1.
pub(crate) fn call(nonce: u64, to: TxKind, value: u128, input: Bytes) -> TxEip1559 {
    TxEip1559 {
        chain_id: SPEC.chain_id,
        nonce,
        gas_limit: 1_000_000,
        max_fee_per_gas: 2_000_000,
        max_priority_fee_per_gas: 1000,
        to,
        value: U256::from(value),
        input,
        ..Default::default()
    }
}

pub(crate) fn signed<T>(by: u8, tx: T) -> Recovered<Transaction>
where
    T: SignableTransaction<Signature>,
    Transaction: From<Signed<T>>,
{
    let signature = signer(by).sign_hash_sync(&tx.signature_hash()).unwrap();
    Transaction::from(tx.into_signed(signature)).try_into_recovered().unwrap()
}

/// A transfer of 5 wei by signer 1.
pub(crate) fn transfer(nonce: u64) -> Recovered<Transaction> {
    signed(1, call(nonce, TxKind::Call(BOB), 5, Bytes::new()))
}

/// A deposit that calls BOB.
pub(crate) fn deposit(mint: u128, value: u128, gas_limit: u64) -> TxDeposit {
    TxDeposit {
        source_hash: B256::repeat_byte(3),
        from: DEPOSITOR,
        to: TxKind::Call(BOB),
        mint,
        value: U256::from(value),
        gas_limit,
        is_system_transaction: false,
        input: Bytes::new(),
    }
}

pub(crate) fn deposited(deposit: TxDeposit) -> Recovered<Transaction> {
    let from = deposit.from;
    Recovered::new_unchecked(Transaction::from(deposit), from)
}
