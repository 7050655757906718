//! Where the time of a transfer goes, without sockets: a measurement, which asserts no time.
//!
//! ```sh
//! OPENLEDGER_LOAD=transactions,accounts cargo test --package openledger-node load -- --nocapture
//! ```
//!
//! Without the variable it runs small, as a test that all that is submitted is included.

use std::time::{Duration, Instant};

use alloy_consensus::TxEip1559;
use alloy_genesis::{Genesis, GenesisAccount};
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use rayon::prelude::*;

use super::actors::{Actor, genesis};
use crate::phases::Phase;

const SENDERS: usize = 200;
/// Transactions in one submission.
const BATCH: usize = 100;

fn signer(index: usize) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&keccak256(index.to_be_bytes())).unwrap()
}

/// Recipients are spread over the accounts that exist, or new ones.
fn account(index: usize) -> Address {
    Address::from_word(keccak256(B256::from(U256::from(index))))
}

fn filled(accounts: usize) -> Genesis {
    let rich = GenesisAccount::default().with_balance(U256::from(10).pow(U256::from(24)));
    let senders = (0..SENDERS).map(|index| (signer(index).address(), rich.clone()));
    let others = (0..accounts).map(|index| (account(index), GenesisAccount::default().with_balance(U256::from(1))));
    Genesis { gas_limit: 500_000_000, ..genesis() }.extend_accounts(senders.chain(others))
}

/// Transfers to accounts all over the state, round robin over the senders.
fn transfers(count: usize, accounts: usize) -> Vec<Bytes> {
    let signers: Vec<_> = (0..SENDERS).map(signer).collect();
    let one = |index: usize| {
        let to = TxKind::Call(account(index * 7919 % accounts.max(10_000)));
        let nonce = (index / SENDERS) as u64;
        let tx = TxEip1559 { nonce, gas_limit: 21_000, to, value: U256::from(1), ..Default::default() };
        Actor::signed_by(&signers[index % SENDERS], tx)
    };
    (0..count).into_par_iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn load_of_transfers() {
    let size = std::env::var("OPENLEDGER_LOAD").unwrap_or_else(|_| "2000,1000".to_owned());
    let (count, accounts) = size.split_once(',').expect("transactions,accounts");
    let (count, accounts) = (count.parse().unwrap(), accounts.parse().unwrap());
    let datadir = tempfile::tempdir().unwrap();
    let l1 = Actor::new_l1();
    let actor = Actor::open_with(datadir.path(), &filled(accounts), &l1, None);
    let transactions = transfers(count, accounts);

    // In rounds that fit the pool and one block, to see each step alone.
    let (mut submitting, mut producing) = (Duration::ZERO, Duration::ZERO);
    let (mut blocks, mut included) = (0, 0);
    for round in transactions.chunks(10_000) {
        let begun = Instant::now();
        for batch in round.chunks(BATCH) {
            for result in actor.chain.submit_all(batch.to_vec()) {
                result.unwrap();
            }
        }
        submitting += begun.elapsed();
        let begun = Instant::now();
        while actor.chain.pool().read(|pool| pool.status().pending) > 0 {
            let block = actor.produce().await;
            included += actor.chain.block(block.number).unwrap().unwrap().senders.len() - 1;
            blocks += 1;
        }
        producing += begun.elapsed();
    }
    assert_eq!(included, count);
    let per = |spent: Duration| spent.as_nanos() as f64 / 1e3 / count as f64;
    println!("{count} transfers, {accounts} accounts, {blocks} blocks: µs for each");
    println!("submit {:.1}, produce {:.1}", per(submitting), per(producing));
    for (phase, name) in Phase::ALL {
        println!("  {name:8} {:.1}", per(actor.chain.metrics().phases.spent(phase)));
    }
}
