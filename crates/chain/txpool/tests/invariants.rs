//! Random histories: whatever happens, the pool's books agree with its content.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use openledger_batch::L1Info;
use openledger_txpool::{
    AccountCode, AccountReader, BlockContext, Origin, Place, Pool, PoolConfig, PoolTransaction, RollupFees,
    SenderContent,
};
use proptest::prelude::*;
use support::*;

const SENDERS: u8 = 4;

#[derive(Debug, Clone)]
enum Step {
    Add { sender: u8, nonce: u64, tip: u128, fee: u128, value: u64, local: bool },
    Remove(prop::sample::Index),
    Delegate { sender: u8, nonce: u64, tip: u128, authorities: Vec<u8> },
    Block { sender: u8, nonce: u64, balance: u64, base_fee: u64, delegated: bool, seconds: u64, fee: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..SENDERS, 0..6u64, 0..4u128, 2..6u128, 0..3u64, any::<bool>())
            .prop_map(|(sender, nonce, tip, fee, value, local)| Step::Add { sender, nonce, tip, fee, value, local }),
        2 => (0..SENDERS, 0..6u64, 0..4u128, prop::collection::vec(0..SENDERS, 1..3))
            .prop_map(|(sender, nonce, tip, authorities)| Step::Delegate { sender, nonce, tip, authorities }),
        1 => any::<prop::sample::Index>().prop_map(Step::Remove),
        2 => (0..SENDERS, 0..6u64, 0..20u64, 0..5u64, prop::bool::weighted(0.3), 0..100u64, 0..3u64).prop_map(
            |(sender, nonce, balance, base_fee, delegated, seconds, fee)| Step::Block {
                sender,
                nonce,
                balance,
                base_fee,
                delegated,
                seconds,
                fee,
            },
        ),
    ]
}

/// One unit is the cost of a transfer at a fee cap of 1 gwei.
fn units(count: u64) -> U256 {
    U256::from(count) * U256::from(21_000 * GWEI)
}

/// `fee` is what the operator takes from each transaction.
fn check(pool: &Pool, state: &Accounts, fee: U256) {
    let content = pool.content();
    let (mut pending, mut queued, mut bytes) = (0, 0, 0);
    let mut ready = BTreeSet::new();
    for (address, of) in &content {
        let account = state.account(address).unwrap();
        let mut cost = U256::ZERO;
        for (nonce, tx) in (account.nonce..).zip(&of.pending) {
            assert_eq!(tx.nonce(), nonce, "pending nonces follow the account's without a gap");
            cost += tx.cost() + fee;
            ready.insert(tx.hash());
        }
        assert!(cost <= account.balance, "the balance covers what is pending");
        assert_eq!(pool.pending_nonce(address), Some(account.nonce + of.pending.len() as u64));
        if let Some(next) = of.queued.first() {
            let follows = next.nonce() == account.nonce + of.pending.len() as u64;
            assert!(!follows || cost + next.cost() + fee > account.balance, "what is ready is not queued");
        }
        assert!(of.queued.is_sorted_by_key(|tx| tx.nonce()));
        for tx in of.pending.iter().chain(&of.queued) {
            assert!(tx.nonce() >= account.nonce);
            assert_eq!(pool.get(&tx.hash()), Some(tx));
            bytes += tx.raw().len();
        }
        assert!(!of.pending.is_empty() || !of.queued.is_empty(), "no empty senders");
        pending += of.pending.len();
        queued += of.queued.len();
    }
    assert_eq!((pool.status().pending, pool.status().queued, pool.status().bytes), (pending, queued, bytes));
    assert!(pending + queued <= pool.config().max_transactions);
    assert!(bytes <= pool.config().max_bytes);

    let all: Vec<_> = pool.best(0).collect();
    assert_eq!(all.iter().map(|tx| tx.hash()).collect::<BTreeSet<_>>(), ready, "best yields what is pending, once");
    for base_fee in [0, 3 * GWEI as u64] {
        let mut last: BTreeMap<_, u64> = BTreeMap::new();
        for tx in pool.best(base_fee) {
            assert!(tx.effective_tip(base_fee).is_some());
            // Nobody whose turn it is pays more.
            let next = |of: &SenderContent| {
                let nonce = last.get(&of.pending.first()?.sender()).map_or(0, |before| before + 1);
                of.pending.iter().find(|tx| tx.nonce() >= nonce)?.effective_tip(base_fee)
            };
            assert_eq!(content.values().filter_map(next).max(), tx.effective_tip(base_fee));
            if let Some(before) = last.insert(tx.sender(), tx.nonce()) {
                assert_eq!(tx.nonce(), before + 1);
            }
        }
    }
}

/// Adds a transaction and checks what the pool says against what it held.
fn add(pool: &mut Pool, state: &Accounts, tx: PoolTransaction, origin: Origin) {
    let before = (pool.content(), pool.status());
    let (hash, sender, nonce) = (tx.hash(), tx.sender(), tx.nonce());
    let authorities = tx.authorities().to_vec();
    let known = pool.get(&hash).is_some();
    let Ok(added) = pool.add(tx, origin, state) else {
        assert_eq!(before, (pool.content(), pool.status()));
        return;
    };
    assert!(!known);
    assert_eq!(pool.place(&hash), Some(added.place));
    assert!(added.evicted.iter().all(|gone| pool.get(gone).is_none()));
    let of = |address| before.0.get(address).cloned().unwrap_or_default();
    let all = |of: &SenderContent| of.pending.iter().chain(&of.queued).cloned().collect::<Vec<_>>();
    assert!(authorities.iter().all(|authority| all(&of(authority)).len() <= 1), "who sends more is not delegated");
    let mut pooled = before.0.values().flat_map(all);
    let account = state.get(&sender);
    if account.code == AccountCode::Delegation || pooled.any(|tx| tx.authorities().contains(&sender)) {
        let pending = of(&sender).pending;
        let replaces = pending.iter().any(|tx| tx.nonce() == nonce);
        assert!(replaces || (pending.is_empty() && nonce == account.nonce), "a delegated account sends one by one");
    }
    if added.place == Place::Queued {
        let pending: Vec<_> = before.0.values().flat_map(|of| &of.pending).map(|tx| tx.hash()).collect();
        assert!(added.evicted.iter().all(|gone| !pending.contains(gone)), "what waits replaces nothing that does not");
        let replaces = added.replaced.is_some();
        assert!(replaces || before.1.queued < pool.config().max_queued, "what waits is bounded");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn books_agree_with_content(steps in proptest::collection::vec(step(), 1..50)) {
        let config = PoolConfig { max_transactions: 9, max_queued: 4, queued_lifetime: 200, ..PoolConfig::new(CHAIN) };
        let (mut pool, mut state) = (Pool::new(config, BLOCK), Accounts::default());
        for sender in 0..SENDERS {
            state.set(sender, 0, units(40));
        }
        let (mut seen, mut timestamp, mut operator) = (Vec::new(), BLOCK.timestamp, U256::ZERO);
        for step in steps {
            match step {
                Step::Add { sender, nonce, tip, fee, value, local } => {
                    let mut tx = transfer(nonce, tip * GWEI);
                    tx.max_fee_per_gas = fee * GWEI;
                    tx.value = units(value);
                    let Ok(tx) = PoolTransaction::decode(sign(sender, tx), pool.config()) else { continue };
                    seen.push(tx.hash());
                    add(&mut pool, &state, tx, if local { Origin::Local } else { Origin::External });
                }
                Step::Delegate { sender, nonce, tip, authorities } => {
                    let tx = delegation(nonce, tip * GWEI, &authorities);
                    let tx = PoolTransaction::decode(sign(sender, tx), pool.config()).unwrap();
                    seen.push(tx.hash());
                    add(&mut pool, &state, tx, Origin::Local);
                }
                Step::Remove(index) if !seen.is_empty() => {
                    let hash = *index.get(&seen);
                    pool.remove(&hash);
                    prop_assert!(pool.get(&hash).is_none());
                }
                Step::Remove(_) => {}
                Step::Block { sender, nonce, balance, base_fee, delegated, seconds, fee } => {
                    state.set(sender, nonce, units(balance));
                    if delegated {
                        state.0.get_mut(&address(sender)).unwrap().code = AccountCode::Delegation;
                    }
                    timestamp += seconds;
                    operator = units(fee);
                    let fees = RollupFees::from(&L1Info { operator_fee_constant: operator.to(), ..L1Info::default() });
                    let block = BlockContext { timestamp, base_fee: base_fee * GWEI as u64, fees, ..BLOCK };
                    pool.on_block(block, [address(sender)], &state).unwrap();
                }
            }
            check(&pool, &state, operator);
        }
    }
}
