//! `SETTLE` in real transactions.

mod common;

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolError;
use common::*;
use openledger_attribution::contracts::ISettle;
use openledger_evm::settle::{ACCOUNT_GAS, BASE_GAS, ENTRY_GAS, NEW_ACCOUNT_GAS, RECEIPT_GAS, WORD_GAS};
use openledger_primitives::addresses;

const SHARES: [(Address, i64); 2] = [(BOB, 30), (ALICE, 10)];

/// What the six words of the totals say.
fn words(output: &[u8]) -> Vec<u64> {
    output.chunks(32).map(|word| U256::from_be_slice(word).to()).collect()
}

fn work_gas(input: &[u8], entries: u64) -> u64 {
    BASE_GAS + WORD_GAS * input.len().div_ceil(32) as u64 + RECEIPT_GAS + ENTRY_GAS * entries
}

/// What the transaction's own data costs.
fn data_gas(data: &[u8]) -> u64 {
    data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum()
}

#[test]
fn a_transaction_settles_directly() {
    let mut chain = Chain::new(Default::default(), &[(ALICE, 1)]);
    let outcome = chain.direct(0, &batch(400, &SHARES).encode());
    assert!(outcome.result.is_success());
    let group = [407, 0, 0, 400, 7, 0];
    assert_eq!(words(outcome.result.output().unwrap()), [group, group].concat());
    assert_eq!((balance(&outcome, USER), balance(&outcome, ALICE), balance(&outcome, BOB)), (600, 101, 300));
}

#[test]
fn a_contract_pays_from_its_own_balance() {
    let mut chain = Chain::new(forwarder(Opcode::Call, false), &[]);
    let (success, output, outcome) = chain.forward(GAS, &batch(400, &SHARES).encode());
    assert!(success);
    assert_eq!(output.len(), 12 * 32);
    assert_eq!((balance(&outcome, CONTRACT), balance(&outcome, USER)), (600, 1000));
    assert_eq!((balance(&outcome, ALICE), balance(&outcome, BOB)), (100, 300));
}

#[test]
fn the_revert_of_an_outer_call_takes_the_rewards_back() {
    let mut chain = Chain::new(forwarder(Opcode::Call, true), &[(ALICE, 1)]);
    let (success, _, outcome) = chain.forward(GAS, &batch(400, &SHARES).encode());
    assert!(success && !outcome.result.is_success());
    assert_eq!((balance(&outcome, CONTRACT), balance(&outcome, ALICE), balance(&outcome, BOB)), (1000, 1, 0));
    assert!(!is_touched(&outcome, ALICE) && !is_touched(&outcome, BOB));
}

#[test]
fn borrowed_identities_static_calls_and_value_are_refused() {
    let cases = [
        (Opcode::DelegateCall, ISettle::SettleDelegateCall {}.abi_encode()),
        (Opcode::CallCode, ISettle::SettleDelegateCall {}.abi_encode()),
        (Opcode::StaticCall, ISettle::SettleStaticCall {}.abi_encode()),
        (Opcode::CallWithValue, ISettle::SettleValueSent {}.abi_encode()),
    ];
    for (opcode, error) in cases {
        let mut chain = Chain::new(forwarder(opcode, false), &[]);
        let (success, output, outcome) = chain.forward(GAS, &batch(400, &SHARES).encode());
        assert!(!success, "{opcode:?}");
        assert_eq!(output, error, "{opcode:?}");
        assert!(outcome.result.is_success());
        assert_eq!((balance(&outcome, CONTRACT), balance(&outcome, BOB)), (1000, 0));
    }
    let mut chain = Chain::new(Default::default(), &[]);
    let outcome = chain.direct(1, &batch(400, &SHARES).encode());
    assert_eq!(revert_data(&outcome), ISettle::SettleValueSent {}.abi_encode());
    assert_eq!(balance(&outcome, USER), 1000);
}

#[test]
fn a_balance_that_is_too_small_is_named() {
    let mut chain = Chain::new(Default::default(), &[]);
    let outcome = chain.direct(0, &batch(1001, &[(ALICE, 1)]).encode());
    let error = ISettle::SettleInsufficientBalance { balance: U256::from(1000), needed: U256::from(1001) };
    assert_eq!(revert_data(&outcome), error.abi_encode());
    assert!(chain.direct(0, &batch(1000, &[(ALICE, 1)]).encode()).result.is_success());
}

#[test]
fn the_caller_keeps_its_own_reward() {
    let mut chain = Chain::new(forwarder(Opcode::Call, false), &[(ALICE, 1)]);
    // Three quarters of 2000 are the caller's own, who has no more than 1000.
    let input = batch(2000, &[(CONTRACT, 75), (ALICE, 25)]).encode();
    let (success, output, outcome) = chain.forward(work_gas(&input, 2) + ACCOUNT_GAS, &input);
    assert!(success);
    assert_eq!(words(&output)[3], 2000);
    assert_eq!((balance(&outcome, CONTRACT), balance(&outcome, ALICE)), (500, 501));
}

#[test]
fn nobody_qualifies_and_nothing_moves() {
    let mut chain = Chain::new(forwarder(Opcode::Call, false), &[]);
    let input = batch(5000, &[(ALICE, -1), (BOB, 0)]).encode();
    let (success, output, outcome) = chain.forward(work_gas(&input, 2), &input);
    assert!(success);
    assert_eq!(words(&output)[..6], [5007, 0, 0, 0, 7, 5000]);
    assert!(!is_touched(&outcome, ALICE) && !is_touched(&outcome, BOB));
}

#[test]
fn malformed_input_reverts_with_its_code_and_never_aborts() {
    let good = batch(400, &SHARES).encode();
    let code = |code| ISettle::SettleInvalidInput { code }.abi_encode();
    let mut version = good.clone();
    version[0] = 9;
    let mut overflow = batch(400, &SHARES).encode();
    overflow[5 + 40 + 8..][..16].fill(0xff); // rate_in
    let cases = [(vec![], 1), (good[..70].to_vec(), 1), ([good, vec![0]].concat(), 2), (version, 3)];
    for (input, expected) in cases.into_iter().chain([(overflow, 9)]) {
        let mut chain = Chain::new(forwarder(Opcode::Call, false), &[]);
        assert_eq!(revert_data(&chain.direct(0, &input)), code(expected));
        let (success, output, _) = chain.forward(GAS, &input);
        assert!(!success);
        assert_eq!(output, code(expected));
    }
}

#[test]
fn gas_is_exact_and_each_shortage_is_out_of_gas() {
    let input = batch(400, &SHARES).encode();
    let writes = 2 * ACCOUNT_GAS + NEW_ACCOUNT_GAS; // BOB is new
    let price = work_gas(&input, 2) + writes;
    let chain = || Chain::new(forwarder(Opcode::Call, false), &[(ALICE, 1)]);
    let steps = [
        0,
        1,
        BASE_GAS - 1,
        BASE_GAS,
        work_gas(&input, 2) - ENTRY_GAS * 2 - RECEIPT_GAS - 1,
        work_gas(&input, 2) - ENTRY_GAS * 2 - RECEIPT_GAS,
        work_gas(&input, 2) - ENTRY_GAS * 2,
        work_gas(&input, 2) - 1,
        work_gas(&input, 2),
        price - NEW_ACCOUNT_GAS - 1,
        price - NEW_ACCOUNT_GAS,
        price - 1,
    ];
    for gas in steps {
        let (success, output, outcome) = chain().forward(gas, &input);
        assert!(!success && output.is_empty(), "{gas}");
        assert_eq!((balance(&outcome, CONTRACT), balance(&outcome, BOB)), (1000, 0), "{gas}");
        assert!(!is_touched(&outcome, ALICE), "{gas}");
    }
    let used = |gas| {
        let (success, _, outcome) = chain().forward(gas, &input);
        assert!(success);
        outcome.result.tx_gas_used() - data_gas(&forwarded(gas, &input))
    };
    assert_eq!(used(price), used(price + 100_000));
}

#[test]
fn a_revert_returns_the_gas_that_is_left() {
    let used = |gas| {
        let (_, _, outcome) = Chain::new(forwarder(Opcode::Call, false), &[]).forward(gas, &[9, 9, 9]);
        outcome.result.tx_gas_used() - data_gas(&forwarded(gas, &[9, 9, 9]))
    };
    assert_eq!(used(BASE_GAS + WORD_GAS), used(BASE_GAS + WORD_GAS + 500_000));
}

#[test]
fn accounts_cost_the_same_warm_and_cold() {
    let input = batch(400, &SHARES).encode();
    let used = |warm: &[Address]| {
        let mut chain = Chain::new(Default::default(), &[(ALICE, 1), (BOB, 1)]);
        let outcome = chain.transact(addresses::SETTLE, 0, input.clone().into(), warm);
        assert!(outcome.result.is_success());
        outcome.result.tx_gas_used()
    };
    let access_list_price = 2 * 2400;
    assert_eq!(used(&[ALICE, BOB]), used(&[]) + access_list_price);
}

#[test]
fn the_precompiles_are_those_of_jovian_and_settle() {
    use op_revm::{OpSpecId, precompiles::OpPrecompiles};
    let ours = openledger_evm::precompiles(OpSpecId::JOVIAN);
    let theirs = OpPrecompiles::new_with_spec(OpSpecId::JOVIAN);
    let mut expected: Vec<Address> = theirs.precompiles().addresses().copied().chain([addresses::SETTLE]).collect();
    let mut addresses: Vec<Address> = ours.addresses().copied().collect();
    expected.sort();
    addresses.sort();
    assert_eq!(addresses, expected);
}
