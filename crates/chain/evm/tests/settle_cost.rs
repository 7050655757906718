//! What `SETTLE` costs in time, beside `ECRECOVER` and `SHA256` as yardsticks of gas.
//!
//! Run with `cargo test -p openledger-evm --test settle_cost -- --ignored --nocapture`.

mod common;

use alloy_primitives::{Address, Bytes, U256};
use common::*;
use openledger_attribution::{Batch, BatchBuilder, FeeSchedule, Platform, Usage};
use openledger_evm::Evm;
use openledger_primitives::addresses;
use revm::{context::TxEnv, database_interface::DatabaseCommit, primitives::TxKind};
use std::time::Instant;

/// A batch that makes the arithmetic long: large rates, every entry positive, all contributors in each receipt.
fn large(receipts: usize, entries: usize, accounts: usize) -> Bytes {
    let schedule = FeeSchedule {
        rate_in: u128::MAX >> 20,
        rate_out: u128::MAX >> 20,
        platform: Platform::Share(123),
        model_bps: 3333,
        stakers_bps: 3333,
        contributors_bps: 3334,
    };
    let usage = Usage { tokens_in: 997, tokens_out: 991 };
    let account = |i: usize| Address::left_padding_from(&(1_000_000 + i as u64).to_be_bytes());
    let mut builder = BatchBuilder::default();
    for _ in 0..receipts {
        let influences = (0..entries).map(|i| (account(i % accounts.max(1)), i64::MAX - i as i64)).collect();
        builder = builder.receipt(usage, schedule, influences);
    }
    builder.build().unwrap().encode().into()
}

/// A batch with `accounts` and no entries, and its length in words.
fn table(accounts: u64) -> (Bytes, usize) {
    let charge = Batch::decode(&large(1, 0, 0)).unwrap().charges()[0].clone();
    let accounts = (1..=accounts).map(|i| Address::left_padding_from(&i.to_be_bytes())).collect();
    let input = Batch::new(accounts, vec![charge]).unwrap().encode();
    let words = input.len().div_ceil(32);
    (input.into(), words)
}

/// Hash, v, r and s of the example in EIP-155.
const SIGNED: [u8; 128] = alloy_primitives::hex!(
    "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    "000000000000000000000000000000000000000000000000000000000000001b"
    "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
    "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
);

/// Nanoseconds and gas of a call, transaction overhead included: the fastest of many.
fn measure(to: Address, data: Bytes) -> (u64, u64) {
    let mut chain = Chain::new(Bytes::new(), &[]);
    chain.evm.ctx_mut().block.gas_limit = u64::MAX;
    let rich = revm::state::AccountInfo { balance: U256::MAX >> 1, ..Default::default() };
    chain.evm.db_mut().insert_account_info(USER, rich);
    let run = |nonce: u64| {
        let base = TxEnv::builder()
            .caller(USER)
            .nonce(nonce)
            .kind(TxKind::Call(to))
            .data(data.clone())
            .gas_limit(1 << 40)
            .gas_price(0)
            .chain_id(Some(20300))
            .build_fill();
        let tx = op_revm::OpTransaction { base, enveloped_tx: Some(Bytes::new()), deposit: Default::default() };
        let start = Instant::now();
        let outcome = chain.evm.transact_raw(openledger_evm::OpTx(tx)).unwrap();
        let time = start.elapsed().as_nanos() as u64;
        assert!(outcome.result.is_success(), "{:?}", outcome.result);
        chain.evm.db_mut().commit(outcome.state);
        (time, outcome.result.tx_gas_used())
    };
    // The first creates the accounts; the others find them.
    (0..40).map(run).skip(1).min().unwrap()
}

#[test]
#[ignore = "a measurement"]
fn settle_cost() {
    let settle = |receipts, entries, accounts| measure(addresses::SETTLE, large(receipts, entries, accounts)).0 as f64;
    let per = |more: f64, less: f64, count: usize| (more - less) / count as f64;
    let base = settle(1, 0, 0);
    let identity = measure(Address::with_last_byte(4), Bytes::new()).0 as f64;
    println!("base      {:>8.0} ns above an empty call", base - identity);
    let (wide, words) = table(60_000);
    println!(
        "word      {:>8.1} ns of a table of accounts that nobody refers to",
        per(measure(addresses::SETTLE, wide).0 as f64, base, words)
    );
    println!("receipt   {:>8.0} ns", per(settle(1001, 0, 0), base, 1000));
    println!(
        "entry     {:>8.0} ns, each of another account",
        per(settle(11, 2000, 2000), settle(1, 2000, 2000), 20_000)
    );
    let accounts = per(settle(1, 2000, 2000), settle(1, 2000, 1), 1999);
    println!("account   {accounts:>8.0} ns in memory, with its word of the table and its entry");
    let (recovery, _) = measure(Address::with_last_byte(1), Bytes::from_static(&SIGNED));
    println!("ECRECOVER {:>8.0} ns for 3000 gas", recovery as f64 - identity);
    let data = Bytes::from(vec![1; 1 << 20]);
    let (sha, _) = measure(Address::with_last_byte(2), data.clone());
    let (copy, _) = measure(Address::with_last_byte(4), data);
    println!("SHA256    {:>8.1} ns a word for 12 gas", (sha - copy) as f64 / 32768.0);
}
