//! What a transaction pays, and to whom: calculated here from the formulas of the OP Stack's specification (Fjord's L1 fee,
//! Isthmus' operator fee as Jovian changed it), and compared with what blocks do to balances.

mod common;
mod l1;

use alloy_consensus::{TxEip1559, TxReceipt};
use alloy_eips::Encodable2718;
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, TxKind, U256, address, bytes, keccak256};
use common::*;
use l1::L1;
use op_alloy_consensus::TxDeposit;
use openledger_primitives::{Receipt, addresses};
use openledger_stf::{ExecutionError, TransactionError};
use std::collections::HashSet;

const L1_NOW: L1 = L1 {
    base_fee: 1_055_991_687,
    blob_base_fee: 17_000_000,
    base_fee_scalar: 5227,
    blob_base_fee_scalar: 1_014_213,
    operator_fee_scalar: 1_439_103,
    operator_fee_constant: 1_256_417_826_609,
    da_footprint_gas_scalar: 0,
};

/// A contract, at an address without repetitions.
const TARGET: Address = address!("1f9840a85d5af5bf1d1762f925bdaddc4201f984");
const BASE_FEE: u64 = 1_000_000;
const TIP: u64 = 1000;

/// Fjord: l1Fee = estimatedSizeScaled · l1FeeScaled / 10¹², where `compressed` bytes of FastLZ make the estimate.
fn l1_fee(l1: &L1, compressed: usize) -> U256 {
    let size = (836_500 * compressed as i128 - 42_585_600).max(100 * 1_000_000) as u128;
    let base = u128::from(l1.base_fee_scalar) * 16 * u128::from(l1.base_fee);
    let blob = u128::from(l1.blob_base_fee_scalar) * u128::from(l1.blob_base_fee);
    U256::from(size) * U256::from(base + blob) / U256::from(1_000_000_000_000_u64)
}

/// A chain on which L1's numbers arrive by deposit, with `code` at [`TARGET`].
fn chain(code: Bytes) -> Chain {
    let mut chain = Chain::new(0, &[(TARGET, GenesisAccount { code: Some(code), ..Default::default() })]);
    chain.store.set_code(addresses::L1_BLOCK, L1::CODE);
    chain
}

/// Bytes that FastLZ finds nothing in: no three of them in a row occur twice.
fn noise(len: usize) -> Bytes {
    (0..len.div_ceil(32)).flat_map(|i| keccak256([i as u8]).0).take(len).collect()
}

/// The length of `bytes` after FastLZ where nothing repeats: runs of up to 32 literals, with a byte before each.
fn fastlz_of_noise(bytes: &[u8]) -> usize {
    let mut seen = HashSet::new();
    assert!(bytes.windows(3).all(|three| seen.insert(three)), "something repeats");
    bytes.len() + bytes.len().div_ceil(32)
}

/// Executes `tx` of signer 1 after L1's numbers and checks every wei: what the vaults got, and what the sender lost apart
/// from `value`. Returns the gas used.
fn check(chain: &mut Chain, l1: L1, tx: TxEip1559, value: u128, success: bool) -> u64 {
    let vaults = [
        addresses::BASE_FEE_VAULT,
        addresses::SEQUENCER_FEE_VAULT,
        addresses::L1_FEE_VAULT,
        addresses::OPERATOR_FEE_VAULT,
        signer(1).address(),
    ];
    let before = vaults.map(|vault| chain.store.balance(vault));
    let tx = signed(1, tx);
    let compressed = fastlz_of_noise(&tx.inner().encoded_2718());
    let block = chain.advance(&[l1.attributes(), tx]);
    assert_eq!(block.block.header.base_fee_per_gas, Some(BASE_FEE));
    assert!(block.receipts[0].status());
    assert_eq!(block.receipts[1].status(), success);
    let gas = block.receipts[1].cumulative_gas_used() - block.receipts[0].cumulative_gas_used();
    let fees = [U256::from(gas * BASE_FEE), U256::from(gas * TIP), l1_fee(&l1, compressed), l1.operator_fee(gas)];
    for i in 0..4 {
        assert_eq!(chain.store.balance(vaults[i]) - before[i], fees[i], "vault {}", vaults[i]);
    }
    let paid = before[4] - chain.store.balance(vaults[4]);
    assert_eq!(paid, fees.iter().sum::<U256>() + U256::from(value));
    gas
}

#[test]
fn every_fee_arrives_in_its_vault() {
    let mut chain = chain(bytes!("00"));
    // Small enough for the least estimate, of 100 bytes, and large enough for the one that the formula gives.
    assert_eq!(check(&mut chain, L1_NOW, call(0, TxKind::Call(TARGET), 5, Bytes::new()), 5, true), 21_000);
    let data = noise(600);
    let data_gas: u64 = data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum();
    let gas = check(&mut chain, L1_NOW, call(1, TxKind::Call(TARGET), 0, data), 0, true);
    // EIP-7623: 10 for a token, 40 for a byte that is not zero, where execution asks for less.
    assert_eq!(gas, 21_000 + data_gas * 10 / 4);
    assert_eq!(chain.store.balance(TARGET), U256::from(5));
}

#[test]
fn a_failed_transaction_pays_the_same_fees() {
    let mut chain = chain(bytes!("5f5ffd"));
    let tx = call(0, TxKind::Call(TARGET), 5, Bytes::new());
    assert_eq!(check(&mut chain, L1_NOW, tx, 0, false), 21_000 + 4);
}

#[test]
fn the_operator_fee_follows_the_gas_after_refunds() {
    // Clears slot 0, which holds 1.
    let mut chain = chain(bytes!("5f5f55"));
    chain.store.set_slot(TARGET, 0, U256::from(1));
    let gas = check(&mut chain, L1_NOW, call(0, TxKind::Call(TARGET), 0, Bytes::new()), 0, true);
    // 21,000, two pushes, a cold SSTORE that clears (EIP-2929), less 4800 (EIP-3529).
    assert_eq!(gas, 21_000 + 4 + 5000 - 4800);
}

#[test]
fn the_attributes_of_a_block_set_the_fees_of_that_block() {
    let mut chain = chain(bytes!("00"));
    let transfer = |nonce| call(nonce, TxKind::Call(TARGET), 5, Bytes::new());
    check(&mut chain, L1_NOW, transfer(0), 5, true);
    let dearer = L1 { base_fee: 3 * L1_NOW.base_fee, operator_fee_constant: 7, ..L1_NOW };
    check(&mut chain, dearer, transfer(1), 5, true);
    let only_blobs = L1 { base_fee_scalar: 0, operator_fee_scalar: 0, ..L1_NOW };
    check(&mut chain, only_blobs, transfer(2), 5, true);
}

#[test]
fn the_sender_must_afford_every_fee_up_to_its_gas_limit() {
    let mut chain = chain(bytes!("00"));
    let tx = || TxEip1559 { gas_limit: 50_000, ..call(0, TxKind::Call(TARGET), 5, Bytes::new()) };
    let compressed = fastlz_of_noise(&signed(1, tx()).inner().encoded_2718());
    let needed = U256::from(50_000 * 2_000_000_u64 + 5) + l1_fee(&L1_NOW, compressed) + L1_NOW.operator_fee(50_000);
    chain.store.set_balance(signer(1).address(), needed - U256::from(1));
    let error = chain.execute(&[L1_NOW.attributes(), signed(1, tx())]).unwrap_err();
    assert!(matches!(error, ExecutionError::Transaction { error: TransactionError::Invalid(_), .. }), "{error}");
    chain.store.set_balance(signer(1).address(), needed);
    check(&mut chain, L1_NOW, tx(), 5, true);
}

#[test]
fn deposits_pay_nothing_whatever_l1_says() {
    let mut chain = chain(bytes!("00"));
    let creation = TxDeposit { to: TxKind::Create, input: bytes!("6001 5f53 6001 5ff3"), ..deposit(9, 4, 200_000) };
    let block = chain.advance(&[L1_NOW.attributes(), deposited(deposit(10, 4, 100_000)), deposited(creation)]);
    assert!(block.receipts.iter().all(TxReceipt::status));
    let vaults = [addresses::BASE_FEE_VAULT, addresses::L1_FEE_VAULT, addresses::OPERATOR_FEE_VAULT];
    assert_eq!(vaults.map(|vault| chain.store.get(vault)), [None; 3]);
    assert_eq!(chain.store.balance(DEPOSITOR), U256::from(11));
    // The nonce of the receipt tells where the contract lies.
    let Receipt::Deposit(receipt) = &block.receipts[2] else { panic!("a deposit's receipt") };
    assert_eq!((receipt.deposit_nonce, receipt.deposit_receipt_version), (Some(1), Some(1)));
    let contract = DEPOSITOR.create(1);
    assert_eq!(
        (chain.store.balance(contract), chain.store.get(contract).unwrap().code_hash),
        (U256::from(4), keccak256([1]))
    );
}

#[test]
fn a_failed_creation_by_deposit_counts_the_nonce_once() {
    const DEVELOPER: Address = address!("00000000000000000000000000000000000de7e1");
    let mut chain = chain(bytes!("00"));
    let from = DEVELOPER;
    let creation = |input| deposited(TxDeposit { from, to: TxKind::Create, input, ..deposit(9, 4, 200_000) });
    let block = chain.advance(&[L1_NOW.attributes(), creation(bytes!("5f5ffd")), creation(bytes!("fe"))]);
    let statuses: Vec<bool> = block.receipts.iter().map(TxReceipt::status).collect();
    assert_eq!(statuses, [true, false, false]);
    assert_eq!((chain.store.balance(DEVELOPER), chain.store.get(DEVELOPER).unwrap().nonce), (U256::from(18), 2));
    assert_eq!([0, 1].map(|nonce| chain.store.get(DEVELOPER.create(nonce))), [None; 2]);
    let nonces: Vec<_> = block.receipts[1..]
        .iter()
        .map(|receipt| {
            let Receipt::Deposit(receipt) = receipt else { panic!("a deposit's receipt") };
            receipt.deposit_nonce
        })
        .collect();
    assert_eq!(nonces, [Some(0), Some(1)]);
}
