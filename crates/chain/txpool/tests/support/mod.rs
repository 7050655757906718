//! Signed transactions and a state to check them against.
#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip7702, TxLegacy};
use alloy_eips::{eip2718::Encodable2718, eip7702::Authorization};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync;
use alloy_signer_local::PrivateKeySigner;
use openledger_primitives::Transaction;
use openledger_txpool::{AccountState, BlockContext, Pool, PoolConfig, PoolTransaction, RollupFees};

pub(crate) const CHAIN: u64 = 20300;
pub(crate) const GWEI: u128 = 1_000_000_000;
pub(crate) const BLOCK: BlockContext = BlockContext {
    timestamp: 1_700_000_000,
    gas_limit: 30_000_000,
    base_fee: GWEI as u64,
    min_base_fee: 100,
    fees: RollupFees::NONE,
};

pub(crate) fn signer(index: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::with_last_byte(index + 1)).unwrap()
}

pub(crate) fn address(index: u8) -> Address {
    signer(index).address()
}

/// A transfer with a fee cap of 10 gwei.
pub(crate) fn transfer(nonce: u64, tip: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10 * GWEI,
        max_priority_fee_per_gas: tip,
        to: TxKind::Call(Address::repeat_byte(0x42)),
        value: U256::from(1),
        ..TxEip1559::default()
    }
}

pub(crate) fn sign<T: SignableTransaction<alloy_primitives::Signature>>(index: u8, tx: T) -> Bytes
where
    Transaction: From<alloy_consensus::Signed<T>>,
{
    let signature = signer(index).sign_hash_sync(&tx.signature_hash()).unwrap();
    Transaction::from(tx.into_signed(signature)).encoded_2718().into()
}

pub(crate) fn decoded<T: SignableTransaction<alloy_primitives::Signature>>(index: u8, tx: T) -> PoolTransaction
where
    Transaction: From<alloy_consensus::Signed<T>>,
{
    PoolTransaction::decode(sign(index, tx), &PoolConfig::new(CHAIN)).unwrap()
}

/// A transaction that delegates accounts, each by its own signature, with a fee cap of 10 gwei.
pub(crate) fn delegation(nonce: u64, tip: u128, authorities: &[u8]) -> TxEip7702 {
    let authorize = |index: &u8| {
        let authorization = Authorization { chain_id: U256::from(CHAIN), address: Address::repeat_byte(7), nonce: 0 };
        let signature = signer(*index).sign_hash_sync(&authorization.signature_hash()).unwrap();
        authorization.into_signed(signature)
    };
    TxEip7702 {
        chain_id: CHAIN,
        nonce,
        gas_limit: 21_000 + 25_000 * authorities.len() as u64,
        max_fee_per_gas: 10 * GWEI,
        max_priority_fee_per_gas: tip,
        to: Address::repeat_byte(0x42),
        authorization_list: authorities.iter().map(authorize).collect(),
        ..TxEip7702::default()
    }
}

pub(crate) fn legacy(index: u8, chain_id: Option<u64>) -> Bytes {
    let tx = TxLegacy {
        chain_id,
        gas_limit: 21_000,
        gas_price: 10 * GWEI,
        to: TxKind::Call(Address::ZERO),
        ..TxLegacy::default()
    };
    sign(index, tx)
}

/// Accounts by address, rich unless said otherwise.
#[derive(Default)]
pub(crate) struct Accounts(pub(crate) BTreeMap<Address, AccountState>);

impl Accounts {
    pub(crate) fn get(&self, address: &Address) -> AccountState {
        let rich = AccountState { balance: U256::from(10).pow(U256::from(21)), ..AccountState::default() };
        self.0.get(address).copied().unwrap_or(rich)
    }

    pub(crate) fn set(&mut self, index: u8, nonce: u64, balance: U256) {
        self.0.insert(address(index), AccountState { nonce, balance, ..AccountState::default() });
    }
}

impl openledger_txpool::AccountReader for Accounts {
    fn account(&self, address: &Address) -> Result<AccountState, String> {
        Ok(self.get(address))
    }
}

pub(crate) fn pool() -> Pool {
    Pool::new(PoolConfig::new(CHAIN), BLOCK)
}
