//! Deposits, fees and base fees against numbers that were not made here: `tests/vectors/*.json` says for each case which
//! rule of the OP Stack's specification it stands for, or which transaction of a network it was.
//!
//! Receipts, roots and fees there were calculated from the formulas, with another RLP and another Keccak.

mod common;
mod l1;

use alloy_consensus::{TxReceipt, Typed2718};
use alloy_eips::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B64, B256, Bytes, U256, keccak256};
use common::*;
use l1::L1;
use openledger_primitives::{BlockAttributes, ChainSpec, Header, Receipt, addresses};
use openledger_stf::{decode_transaction, execute_block, next_base_fee};
use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeMap;

fn vectors<T: DeserializeOwned>(text: &str) -> Vec<T> {
    let vectors: Vec<T> = serde_json::from_str(text).unwrap();
    assert!(!vectors.is_empty());
    vectors
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deposit {
    name: String,
    sender: Account,
    target: Account,
    /// The transaction, EIP-2718.
    deposit: Bytes,
    success: bool,
    gas_used: u64,
    sender_after: After,
    target_balance_after: U256,
    target_code_after: Bytes,
    /// The receipt, EIP-2718, and the receipts root of a block that holds it alone.
    receipt: Bytes,
    receipts_root: B256,
}

#[derive(Clone, Deserialize)]
struct Account {
    address: Address,
    #[serde(default)]
    nonce: u64,
    balance: U256,
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

#[derive(Deserialize)]
struct After {
    nonce: u64,
    balance: U256,
}

impl Account {
    /// An account of the first block, if there is anything in it.
    fn before(self) -> Option<(Address, GenesisAccount)> {
        let Self { address, nonce, balance, code, storage } = self;
        let is_empty = nonce == 0 && balance.is_zero() && code.is_empty();
        let (code, storage) = ((!code.is_empty()).then_some(code), (!storage.is_empty()).then_some(storage));
        (!is_empty)
            .then(|| (address, GenesisAccount { nonce: Some(nonce), balance, code, storage, ..Default::default() }))
    }
}

#[test]
fn deposits() {
    for case in vectors::<Deposit>(include_str!("vectors/deposits.json")) {
        let name = &case.name;
        let [sender, target] = [case.sender.address, case.target.address];
        let nonce = case.sender.nonce;
        let accounts: Vec<_> = [case.target, case.sender].into_iter().filter_map(Account::before).collect();
        let mut chain = Chain::new(400, &accounts);
        let supply = chain.store.supply();
        let tx = decode_transaction(&case.deposit).unwrap();
        assert_eq!(tx.inner().encoded_2718(), case.deposit, "{name}: the encoding");
        let mint = tx.as_deposit().unwrap().mint;
        let block = chain.advance(&[tx]);

        let receipt = &block.receipts[0];
        assert_eq!((receipt.status(), receipt.cumulative_gas_used()), (case.success, case.gas_used), "{name}: outcome");
        assert_eq!(Bytes::from(receipt.with_bloom_ref().encoded_2718()), case.receipt, "{name}: receipt");
        let Receipt::Deposit(deposit) = receipt else { panic!("{name}: type {}", receipt.ty()) };
        assert_eq!((deposit.deposit_nonce, deposit.deposit_receipt_version), (Some(nonce), Some(1)));
        let header = &block.block.header;
        assert_eq!(header.receipts_root, case.receipts_root, "{name}: receipts root");
        assert_eq!((header.gas_used, header.blob_gas_used), (case.gas_used, Some(0)), "{name}: header");

        let after = chain.store.get(sender).unwrap_or_default();
        assert_eq!(
            (after.nonce, after.balance),
            (case.sender_after.nonce, case.sender_after.balance),
            "{name}: sender"
        );
        assert_eq!(chain.store.balance(target), case.target_balance_after, "{name}: target");
        let code_hash = chain.store.get(target).unwrap_or_default().code_hash;
        assert_eq!(code_hash, keccak256(&case.target_code_after), "{name}: code");
        assert_eq!(chain.store.supply(), supply + U256::from(mint), "{name}: supply");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fees {
    name: String,
    chain_id: u64,
    /// Signed, EIP-2718. It calls an account without code.
    transaction: Bytes,
    l1: L1,
    gas_used: u64,
    base_fee: U256,
    tip: U256,
    l1_fee: U256,
    operator_fee: U256,
    da_footprint: u64,
}

#[test]
fn fees() {
    for case in vectors::<Fees>(include_str!("vectors/fees.json")) {
        let name = &case.name;
        let tx = decode_transaction(&case.transaction).unwrap();
        let sender = tx.signer();
        let nonce = Some(alloy_consensus::Transaction::nonce(&*tx));
        let value = alloy_consensus::Transaction::value(&*tx);
        // As much as there can be without an overflow.
        let account = GenesisAccount { nonce, balance: U256::MAX >> 1, ..Default::default() };
        let mut chain = Chain { spec: ChainSpec::new(case.chain_id), ..Chain::new(0, &[(sender, account)]) };
        chain.store.set_code(addresses::L1_BLOCK, L1::CODE);
        let (supply, before) = (chain.store.supply(), chain.store.balance(sender));
        let block = chain.advance(&[case.l1.attributes(), tx]);

        let gas = |i: usize| block.receipts[i].cumulative_gas_used();
        assert!(block.receipts.iter().all(TxReceipt::status), "{name}: status");
        assert_eq!(gas(1) - gas(0), case.gas_used, "{name}: gas");
        let due = [
            (addresses::BASE_FEE_VAULT, case.base_fee),
            (addresses::SEQUENCER_FEE_VAULT, case.tip),
            (addresses::L1_FEE_VAULT, case.l1_fee),
            (addresses::OPERATOR_FEE_VAULT, case.operator_fee),
        ];
        for (vault, due) in due {
            assert_eq!(chain.store.balance(vault), due, "{name}: {vault}");
        }
        let paid = before - chain.store.balance(sender);
        assert_eq!(paid, value + due.iter().map(|(_, due)| due).sum::<U256>(), "{name}: the sender");
        assert_eq!(case.operator_fee, case.l1.operator_fee(case.gas_used), "{name}: operator fee");
        assert_eq!(block.block.header.blob_gas_used, Some(case.da_footprint), "{name}: footprint");
        assert_eq!(chain.store.supply(), supply, "{name}: supply");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BaseFee {
    name: String,
    eip1559_params: B64,
    min_base_fee: u64,
    extra_data: Bytes,
    gas_limit: u64,
    gas_used: u64,
    blob_gas_used: u64,
    base_fee_per_gas: u64,
    /// The base fee of the next block.
    next: u64,
}

#[test]
fn base_fees() {
    for case in vectors::<BaseFee>(include_str!("vectors/base_fees.json")) {
        let name = &case.name;
        let parent = Header {
            extra_data: case.extra_data.clone(),
            gas_limit: case.gas_limit,
            gas_used: case.gas_used,
            blob_gas_used: Some(case.blob_gas_used),
            base_fee_per_gas: Some(case.base_fee_per_gas),
            ..Default::default()
        };
        assert_eq!(next_base_fee(&SPEC, &parent), case.next, "{name}");

        // The next block is made with that fee, and carries what its own attributes say.
        let mut chain = Chain::new(0, &[]);
        chain.head = alloy_consensus::Sealed::new(Header { timestamp: 1000, ..parent });
        let attributes = BlockAttributes {
            eip_1559_params: case.eip1559_params,
            min_base_fee: case.min_base_fee,
            ..chain.attributes(&[])
        };
        let block = execute_block(&chain.store, &chain.store, &SPEC, &chain.head, &attributes).unwrap();
        assert_eq!(block.block.header.base_fee_per_gas, Some(case.next), "{name}");
        assert_eq!(block.block.header.extra_data, case.extra_data, "{name}");
    }
}
