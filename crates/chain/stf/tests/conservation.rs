//! No wei appears or disappears: whatever a block holds, all balances after it are those before it and what was minted, and
//! each vault got its part of the gas.

mod common;
mod l1;

use alloy_consensus::{TxEip1559, TxReceipt as _, transaction::Recovered};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, Bytes, TxKind, U256, address, bytes};
use common::*;
use l1::L1;
use op_alloy_consensus::TxDeposit;
use openledger_primitives::{Transaction, addresses};
use proptest::prelude::*;

const GAS: u64 = 200_000;

/// Contracts that do something with the value they get.
const CONTRACTS: [(Address, Bytes); 4] = [
    (address!("00000000000000000000000000000000000000fd"), bytes!("5f5ffd")), // reverts
    (address!("00000000000000000000000000000000000000fe"), bytes!("fe")),     // halts
    // Sends half of it on to BOB.
    (address!("00000000000000000000000000000000000000f1"), bytes!("5f5f5f5f 3460011c 610b0b 5af1 00")),
    // Creates a contract with it that destroys itself and pays it back (EIP-6780).
    (address!("00000000000000000000000000000000000000f0"), bytes!("6133ff 5f52 6002 601e 34 f0 00")),
];

#[derive(Clone, Debug)]
struct Action {
    /// The account that sends it; a deposit otherwise.
    signer: Option<u8>,
    mint: u128,
    value: u128,
    to: TxKind,
    input: Bytes,
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let called = (0..CONTRACTS.len()).prop_map(|i| TxKind::Call(CONTRACTS[i].0));
    let to = prop_oneof![called, Just(TxKind::Call(BOB)), Just(TxKind::Create)];
    // Init code that leaves a byte, that reverts, that destroys itself; calldata that others ignore.
    let input = prop_oneof![
        Just(bytes!("60015f5360015ff3")),
        Just(bytes!("5f5ffd")),
        Just(bytes!("33ff")),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
    ];
    let action = (prop::option::of(1..=2_u8), 0..ETHER, 0..ETHER / 20, to, input)
        .prop_map(|(signer, mint, value, to, input)| Action { signer, mint, value, to, input });
    prop::collection::vec(action, 1..12)
}

/// Numbers of L1 that nobody has to go without gas for.
fn l1() -> impl Strategy<Value = L1> {
    (0..100_000_000_000_u64, 0..100_000_000_000_u64, 0..10_000_u32, 0..2_000_000_u32, 0..100_u32, 0..1u64 << 40)
        .prop_map(
            |(
                base_fee,
                blob_base_fee,
                base_fee_scalar,
                blob_base_fee_scalar,
                operator_fee_scalar,
                operator_fee_constant,
            )| L1 {
                base_fee,
                blob_base_fee,
                base_fee_scalar,
                blob_base_fee_scalar,
                operator_fee_scalar,
                operator_fee_constant,
                da_footprint_gas_scalar: 400,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]
    #[test]
    fn no_wei_appears_or_disappears(l1 in l1(), actions in actions()) {
        let contract = |(at, code): (Address, Bytes)| (at, GenesisAccount { code: Some(code), ..Default::default() });
        let mut chain = Chain::new(0, &CONTRACTS.map(contract));
        chain.store.set_code(addresses::L1_BLOCK, L1::CODE);
        let before = chain.store.supply();
        let (mut nonces, mut minted) = ([0, 0], U256::ZERO);
        let mut transactions: Vec<Recovered<Transaction>> = vec![l1.attributes()];
        // Deposits come first.
        let (signed_ones, deposits): (Vec<_>, Vec<_>) = actions.into_iter().partition(|action| action.signer.is_some());
        for Action { mint, value, to, input, .. } in deposits {
            minted += U256::from(mint);
            transactions.push(deposited(TxDeposit { to, input, ..deposit(mint, value, GAS) }));
        }
        let first_signed = transactions.len();
        for Action { signer, value, to, input, .. } in signed_ones {
            let by = signer.unwrap_or(1);
            let nonce = &mut nonces[usize::from(by) - 1];
            transactions.push(signed(by, TxEip1559 { gas_limit: GAS, ..call(*nonce, to, value, input) }));
            *nonce += 1;
        }
        let block = chain.advance(&transactions);
        prop_assert_eq!(chain.store.supply(), before + minted);

        let mut fees = [U256::ZERO; 3];
        for i in first_signed..transactions.len() {
            let gas = block.receipts[i].cumulative_gas_used() - block.receipts[i - 1].cumulative_gas_used();
            // The base fee of 1,000,000 wei and the tip of 1000 that the chain and its transactions begin with.
            fees[0] += U256::from(gas * 1_000_000);
            fees[1] += U256::from(gas * 1000);
            fees[2] += l1.operator_fee(gas);
        }
        let vaults = [addresses::BASE_FEE_VAULT, addresses::SEQUENCER_FEE_VAULT, addresses::OPERATOR_FEE_VAULT];
        prop_assert_eq!(vaults.map(|vault| chain.store.balance(vault)), fees);
    }
}
