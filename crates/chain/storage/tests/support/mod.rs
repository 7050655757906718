//! A chain of made-up blocks with real roots, and a model of its state.
#![allow(dead_code)] // each test file uses its part

pub(crate) mod random;

use std::{collections::BTreeMap, path::Path};

use alloy_consensus::{
    BlockBody, Header, Receipt as EthReceipt, SignableTransaction, TxEip1559, proofs::calculate_transaction_root,
    transaction::SignerRecoverable as _,
};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Log, Signature, TxKind, U256, keccak256};
use alloy_trie::TrieAccount;
use op_alloy_consensus::TxDeposit;
use openledger_primitives::{Block, Receipt, Transaction, addresses::L2_TO_L1_MESSAGE_PASSER};
use openledger_stf::{Account, AccountChange, ExecutedBlock, StateChanges, StateCommitter, receipts_root};
use openledger_storage::{Database, DatabaseOptions};

pub(crate) fn open(path: &Path) -> Database {
    Database::open(path, &OPTIONS).unwrap()
}

pub(crate) const OPTIONS: DatabaseOptions =
    DatabaseOptions { cache_bytes: 8 << 20, max_open_files: 64, state_cache_bytes: 10_000 };

/// One of the accounts is the message passer.
pub(crate) const PASSER: u8 = 3;

pub(crate) fn address(index: u8) -> Address {
    if index == PASSER { L2_TO_L1_MESSAGE_PASSER } else { Address::repeat_byte(index + 1) }
}

pub(crate) fn slot(index: u8) -> B256 {
    B256::with_last_byte(index)
}

/// The state as plain maps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Model(pub(crate) BTreeMap<Address, (Account, BTreeMap<B256, U256>)>);

impl Model {
    pub(crate) fn apply(&mut self, changes: &StateChanges) {
        for (address, change) in &changes.accounts {
            let Some(account) = change.account else {
                self.0.remove(address);
                continue;
            };
            let entry = self.0.entry(*address).or_default();
            entry.0 = account;
            if change.storage_wiped {
                entry.1.clear();
            }
            for (slot, value) in &change.storage {
                if value.is_zero() {
                    entry.1.remove(slot)
                } else {
                    entry.1.insert(*slot, *value)
                };
            }
        }
    }

    pub(crate) fn storage_root(storage: &BTreeMap<B256, U256>) -> B256 {
        alloy_trie::root::storage_root_unhashed(storage.iter().map(|(slot, value)| (*slot, *value)))
    }

    /// The state root, from scratch.
    pub(crate) fn root(&self) -> B256 {
        alloy_trie::root::state_root_unhashed(self.0.iter().map(|(address, (account, storage))| {
            let account = TrieAccount {
                nonce: account.nonce,
                balance: account.balance,
                storage_root: Self::storage_root(storage),
                code_hash: account.code_hash,
            };
            (*address, account)
        }))
    }
}

pub(crate) fn account(nonce: u64, balance: u64) -> Account {
    Account { nonce, balance: U256::from(balance), code_hash: KECCAK256_EMPTY }
}

pub(crate) fn changed(account: Account, slots: &[(u8, u64)]) -> AccountChange {
    AccountChange {
        account: Some(account),
        storage_wiped: false,
        storage: slots.iter().map(|(index, value)| (slot(*index), U256::from(*value))).collect(),
    }
}

pub(crate) fn changes(of: &[(u8, AccountChange)]) -> StateChanges {
    StateChanges {
        accounts: of.iter().map(|(index, change)| (address(*index), change.clone())).collect(),
        ..StateChanges::default()
    }
}

/// The genesis block of a state.
pub(crate) fn genesis(changes: &StateChanges) -> Block {
    let roots = Database::genesis_roots(changes).unwrap();
    let header = Header {
        state_root: roots.state_root,
        base_fee_per_gas: Some(1),
        withdrawals_root: Some(roots.message_passer_root),
        ..Header::default()
    };
    Block { header, body: BlockBody { withdrawals: Some(Default::default()), ..BlockBody::default() } }
}

/// A block on top of the newest one: a deposit, and one transfer that logs.
pub(crate) fn block(db: &Database, changes: StateChanges) -> ExecutedBlock {
    let head = db.head().unwrap();
    let roots = db.building().unwrap().roots(&changes).unwrap();
    let number = head.number + 1;
    let deposit: Transaction = TxDeposit { source_hash: B256::from(U256::from(number)), ..TxDeposit::default() }.into();
    let transfer = TxEip1559 { nonce: number, to: TxKind::Call(address(0)), ..TxEip1559::default() };
    let transfer: Transaction = transfer.into_signed(Signature::test_signature()).into();
    let receipts = vec![
        Receipt::Eip1559(receipt(50_000, vec![])),
        Receipt::Eip1559(receipt(71_000, vec![log(number, 0), log(number, 1)])),
    ];
    let transactions = vec![deposit, transfer];
    let (receipts_root, logs_bloom) = receipts_root(&receipts);
    let header = Header {
        transactions_root: calculate_transaction_root(&transactions),
        receipts_root,
        number,
        parent_hash: head.hash,
        timestamp: 1_700_000_000 + number,
        state_root: roots.state_root,
        base_fee_per_gas: Some(1),
        withdrawals_root: Some(roots.message_passer_root),
        logs_bloom,
        ..Header::default()
    };
    let senders = transactions.iter().map(|signed| signed.recover_signer().unwrap()).collect();
    let body = BlockBody { transactions, ommers: vec![], withdrawals: Some(Default::default()) };
    let block = Block { header, body };
    ExecutedBlock { hash: block.header.hash_slow(), block, receipts, senders, changes }
}

fn receipt(cumulative_gas_used: u64, logs: Vec<Log>) -> EthReceipt {
    EthReceipt { status: true.into(), cumulative_gas_used, logs }
}

/// A log whose first topic tells the parity of its block, the second its index.
pub(crate) fn log(number: u64, index: u8) -> Log {
    Log::new_unchecked(
        address(50 + index),
        vec![keccak256([(number % 2) as u8]), slot(index)],
        Bytes::copy_from_slice(&number.to_be_bytes()),
    )
}

/// Every key and value on disk, through a second handle that only reads.
pub(crate) fn dump(path: &Path, _open: &Database) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let options = rocksdb::Options::default();
    let names = rocksdb::DB::list_cf(&options, path).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, path, &names, false).unwrap();
    let mut all = Vec::new();
    for name in names {
        let family = db.cf_handle(&name).unwrap();
        for item in db.iterator_cf(family, rocksdb::IteratorMode::Start) {
            let (key, value) = item.unwrap();
            all.push((name.clone(), key.into_vec(), value.into_vec()));
        }
    }
    all
}
