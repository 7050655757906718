//! Scenarios of the pool.

mod support;

use alloy_primitives::U256;
use openledger_txpool::{AccountCode, AccountState, BlockContext, Origin, Place, Pool, PoolConfig, PoolError};
use support::*;

fn nonces(pool: &Pool, base_fee: u64) -> Vec<(u8, u64)> {
    pool.best(base_fee).map(|tx| ((0..20).find(|i| address(*i) == tx.sender()).unwrap(), tx.nonce())).collect()
}

#[test]
fn a_gap_waits_until_it_is_filled() {
    let (mut pool, state) = (pool(), Accounts::default());
    let added = pool.add(decoded(0, transfer(1, GWEI)), Origin::Local, &state).unwrap();
    assert_eq!(added.place, Place::Queued);
    assert_eq!(pool.pending_nonce(&address(0)), Some(0));
    assert_eq!((pool.status().pending, pool.status().queued), (0, 1));
    assert!(nonces(&pool, 0).is_empty());

    pool.add(decoded(0, transfer(0, GWEI)), Origin::Local, &state).unwrap();
    assert_eq!(pool.place(&added.hash), Some(Place::Pending));
    assert_eq!(pool.pending_nonce(&address(0)), Some(2));
    assert_eq!(nonces(&pool, 0), [(0, 0), (0, 1)]);
}

#[test]
fn the_best_tip_goes_first_and_nonces_stay_in_order() {
    let (mut pool, state) = (pool(), Accounts::default());
    for (index, nonce, tip) in [(0, 0, 1), (0, 1, 9), (1, 0, 3), (2, 0, 3), (1, 1, 2)] {
        pool.add(decoded(index, transfer(nonce, tip * GWEI)), Origin::External, &state).unwrap();
    }
    assert_eq!(nonces(&pool, GWEI as u64), [(1, 0), (2, 0), (1, 1), (0, 0), (0, 1)]);
    // With a base fee of 9 gwei, the fee cap of 10 leaves a tip of 1 for all: the order of arrival decides.
    assert_eq!(nonces(&pool, 9 * GWEI as u64), [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1)]);
    assert!(nonces(&pool, 11 * GWEI as u64).is_empty());

    let mut best = pool.best(GWEI as u64);
    assert_eq!(best.next().unwrap().sender(), address(1));
    best.skip_sender();
    let rest: Vec<_> = best.map(|tx| tx.sender()).collect();
    assert_eq!(rest, [address(2), address(0), address(0)]);
}

#[test]
fn a_replacement_pays_ten_percent_more_on_both_fees() {
    let (mut pool, state) = (pool(), Accounts::default());
    let first = pool.add(decoded(0, transfer(0, GWEI)), Origin::Local, &state).unwrap();
    pool.add(decoded(0, transfer(1, GWEI)), Origin::Local, &state).unwrap();
    let raise = |fee: u128, tip: u128| {
        let mut tx = transfer(0, tip);
        tx.max_fee_per_gas = fee;
        decoded(0, tx)
    };
    for (fee, tip) in [(10 * GWEI, 2 * GWEI), (11 * GWEI, GWEI), (11 * GWEI - 1, 2 * GWEI)] {
        let error = pool.add(raise(fee, tip), Origin::Local, &state).unwrap_err();
        assert!(error.to_string().starts_with("replacement transaction underpriced"), "{error}");
    }
    let added = pool.add(raise(11 * GWEI, 11 * GWEI / 10), Origin::Local, &state).unwrap();
    assert_eq!(added.replaced, Some(first.hash));
    assert_eq!(pool.get(&first.hash), None);
    assert_eq!(pool.status().pending, 2);
}

#[test]
fn what_was_said_is_what_geth_says() {
    let (mut pool, mut state) = (pool(), Accounts::default());
    let cost = U256::from(21_000 * 10 * GWEI + 1);
    state.set(0, 5, cost * U256::from(2));
    let message = |pool: &mut Pool, tx| pool.add(tx, Origin::External, &state).unwrap_err().to_string();
    assert_eq!(message(&mut pool, decoded(0, transfer(4, GWEI))), "nonce too low: next nonce 5, tx nonce 4");
    let mut rich = transfer(5, GWEI);
    rich.value = cost * U256::from(2);
    assert!(message(&mut pool, decoded(0, rich)).starts_with("insufficient funds for gas * price + value: balance"));
    let mut big = transfer(5, GWEI);
    big.gas_limit = 30_000_001;
    assert!(message(&mut pool, decoded(0, big)).starts_with("exceeds block gas limit"));
    let mut cheap = transfer(5, 0);
    cheap.max_fee_per_gas = 99;
    assert!(message(&mut pool, decoded(0, cheap)).starts_with("transaction underpriced: gas fee cap 99"));
    pool.add(decoded(0, transfer(5, GWEI)), Origin::Local, &state).unwrap();
    assert_eq!(message(&mut pool, decoded(0, transfer(5, GWEI))), "already known");
    pool.add(decoded(0, transfer(6, GWEI)), Origin::Local, &state).unwrap();
    let third = message(&mut pool, decoded(0, transfer(7, GWEI)));
    assert!(third.starts_with("insufficient funds for gas * price + value: balance"), "{third}");
    assert!(third.contains("queued cost"), "{third}");
}

#[test]
fn contracts_cannot_send_and_delegated_accounts_send_one_by_one() {
    let (mut pool, mut state) = (pool(), Accounts::default());
    let rich = state.get(&address(0));
    state.0.insert(address(0), AccountState { code: AccountCode::Contract, ..rich });
    state.0.insert(address(1), AccountState { code: AccountCode::Delegation, ..rich });
    let error = pool.add(decoded(0, transfer(0, GWEI)), Origin::Local, &state).unwrap_err();
    assert!(error.to_string().starts_with("sender not an eoa"));
    let add = |pool: &mut Pool, nonce, tip| pool.add(decoded(1, transfer(nonce, tip)), Origin::Local, &state);
    assert_eq!(add(&mut pool, 1, GWEI).unwrap_err(), PoolError::DelegatedGap);
    add(&mut pool, 0, GWEI).unwrap();
    assert_eq!(add(&mut pool, 1, GWEI).unwrap_err(), PoolError::DelegatedInFlight);
    let mut raised = transfer(0, 2 * GWEI);
    raised.max_fee_per_gas = 20 * GWEI;
    assert!(pool.add(decoded(1, raised), Origin::Local, &state).unwrap().replaced.is_some());
}

#[test]
fn a_delegation_that_waits_counts_like_one_that_is_there() {
    let (mut pool, state) = (pool(), Accounts::default());
    let mut add = |index, tx| pool.add(decoded(index, tx), Origin::Local, &state);
    // Account 1 signs, account 0 sends: from then on account 1 sends one by one.
    let first = add(0, transfer(0, GWEI)).unwrap().hash;
    let delegating = pool.add(decoded(0, delegation(1, GWEI, &[1])), Origin::Local, &state).unwrap().hash;
    let mut add = |index, tx| pool.add(decoded(index, tx), Origin::Local, &state);
    assert_eq!(add(1, transfer(1, GWEI)).unwrap_err(), PoolError::DelegatedGap);
    add(1, transfer(0, GWEI)).unwrap();
    assert_eq!(add(1, transfer(1, GWEI)).unwrap_err(), PoolError::DelegatedInFlight);
    // One transaction of account 1 is no obstacle to another delegation of it; two would be.
    let again = pool.add(decoded(2, delegation(0, GWEI, &[1])), Origin::Local, &state).unwrap().hash;
    for nonce in 0..2 {
        pool.add(decoded(3, transfer(nonce, GWEI)), Origin::Local, &state).unwrap();
    }
    let error = pool.add(decoded(2, delegation(1, GWEI, &[4, 3])), Origin::Local, &state).unwrap_err();
    assert_eq!(error, PoolError::AuthorityReserved(address(3)));
    assert!(error.to_string().starts_with("authority already reserved"));
    // When the last of the delegations is gone, so is the limit.
    for hash in [delegating, again] {
        assert_eq!(
            pool.add(decoded(1, transfer(1, GWEI)), Origin::Local, &state).unwrap_err(),
            PoolError::DelegatedInFlight
        );
        pool.remove(&hash).unwrap();
    }
    pool.add(decoded(1, transfer(1, GWEI)), Origin::Local, &state).unwrap();
    assert!(pool.get(&first).is_some());
}

#[test]
fn what_waits_for_too_long_is_dropped() {
    let config = PoolConfig { queued_lifetime: 600, ..PoolConfig::new(CHAIN) };
    let (mut pool, mut state) = (Pool::new(config, BLOCK), Accounts::default());
    let after = |seconds| BlockContext { timestamp: BLOCK.timestamp + seconds, ..BLOCK };
    for (index, nonce) in [(0, 0), (0, 2), (1, 1), (2, 3)] {
        pool.add(decoded(index, transfer(nonce, GWEI)), Origin::Local, &state).unwrap();
    }
    assert!(pool.on_block(after(500), [], &state).unwrap().is_empty());
    // Account 1 sends again, and something of account 0 is included: both are active.
    pool.add(decoded(1, transfer(2, GWEI)), Origin::Local, &state).unwrap();
    state.set(0, 1, U256::from(10).pow(U256::from(18)));
    assert_eq!(pool.on_block(after(560), [address(0)], &state).unwrap().len(), 1);
    assert_eq!(pool.on_block(after(700), [], &state).unwrap().len(), 1);
    assert_eq!((pool.content_of(&address(1)).queued.len(), pool.content_of(&address(2)).queued.len()), (2, 0));
    assert_eq!(pool.on_block(after(1200), [], &state).unwrap().len(), 3);
    assert_eq!(pool.status(), Default::default());
}

#[test]
fn what_cannot_be_included_yet_has_bounds_of_its_own() {
    let config = PoolConfig { max_transactions: 4, max_queued_per_sender: 2, ..PoolConfig::new(CHAIN) };
    let (mut pool, state) = (Pool::new(config, BLOCK), Accounts::default());
    let mut add = |index, nonce, tip| pool.add(decoded(index, transfer(nonce, tip)), Origin::External, &state);
    add(0, 1, GWEI).unwrap();
    add(0, 2, GWEI).unwrap();
    assert_eq!(add(0, 3, GWEI).unwrap_err(), PoolError::SenderFull { sender: address(0), limit: 2 });
    add(1, 0, 2).unwrap();
    add(2, 0, 3).unwrap();
    // The pool is full. However much it pays, what waits does not take the place of what does not.
    assert_eq!(add(3, 1, 5 * GWEI).unwrap_err(), PoolError::FutureReplacePending);
    assert_eq!(add(3, 0, 5 * GWEI).unwrap().evicted.len(), 1);
}

#[test]
fn nobody_takes_the_place_of_what_it_needs_itself() {
    let config = PoolConfig { max_transactions: 3, ..PoolConfig::new(CHAIN) };
    let (mut pool, state) = (Pool::new(config, BLOCK), Accounts::default());
    let mut add = |index, nonce, tip| pool.add(decoded(index, transfer(nonce, tip)), Origin::External, &state);
    add(1, 0, 2 * GWEI).unwrap();
    add(0, 0, 2 * GWEI).unwrap();
    add(0, 1, GWEI).unwrap();
    // Nonce 1 pays least of all, but without it nonce 2 would have to wait.
    assert_eq!(add(0, 2, 5 * GWEI).unwrap_err(), PoolError::FutureReplacePending);
    assert_eq!((pool.status().pending, pool.status().queued), (3, 0));
    // What needs nothing of what has to go takes its place.
    assert_eq!(pool.add(decoded(2, transfer(0, 5 * GWEI)), Origin::External, &state).unwrap().place, Place::Pending);
    assert_eq!((pool.status().pending, pool.status().queued), (3, 0));
}

#[test]
fn blocks_take_out_what_they_include_and_what_became_too_dear_waits() {
    let (mut pool, mut state) = (pool(), Accounts::default());
    let hashes: Vec<_> =
        (0..4).map(|nonce| pool.add(decoded(0, transfer(nonce, GWEI)), Origin::Local, &state).unwrap().hash).collect();
    // Two were included, and the account kept enough for one more.
    state.set(0, 2, U256::from(21_000 * 10 * GWEI + 1));
    let dropped = pool.on_block(BLOCK, [address(0), address(9)], &state).unwrap();
    assert_eq!(dropped, hashes[..2]);
    assert_eq!((pool.status().pending, pool.status().queued), (1, 1));
    assert_eq!(pool.pending_nonce(&address(0)), Some(3));

    state.set(0, 2, U256::from(10).pow(U256::from(18)));
    pool.on_block(BLOCK, [address(0)], &state).unwrap();
    assert_eq!(pool.status().pending, 2);

    let smaller = BlockContext { gas_limit: 20_000, ..BLOCK };
    assert_eq!(pool.on_block(smaller, [], &state).unwrap().len(), 2);
    assert_eq!(pool.status(), Default::default());
    assert_eq!(pool.pending_nonce(&address(0)), None);
}

#[test]
fn a_reorganisation_brings_nonces_back() {
    let (mut pool, mut state) = (pool(), Accounts::default());
    state.set(0, 1, U256::from(10).pow(U256::from(18)));
    pool.add(decoded(0, transfer(1, GWEI)), Origin::Local, &state).unwrap();
    state.set(0, 0, U256::from(10).pow(U256::from(18)));
    pool.on_reorg(BLOCK, &state).unwrap();
    assert_eq!(pool.status().queued, 1);
    pool.add(decoded(0, transfer(0, GWEI)), Origin::External, &state).unwrap();
    assert_eq!(nonces(&pool, 0), [(0, 0), (0, 1)]);
}

#[test]
fn a_full_pool_keeps_the_better_tips_and_its_own_users() {
    let config = PoolConfig { max_transactions: 3, ..PoolConfig::new(CHAIN) };
    let (mut pool, state) = (Pool::new(config, BLOCK), Accounts::default());
    let local = pool.add(decoded(0, transfer(0, 1)), Origin::Local, &state).unwrap().hash;
    let low = pool.add(decoded(1, transfer(0, 2)), Origin::External, &state).unwrap().hash;
    pool.add(decoded(2, transfer(0, 5)), Origin::External, &state).unwrap();
    let error = pool.add(decoded(3, transfer(0, 2)), Origin::External, &state).unwrap_err();
    assert!(error.to_string().starts_with("transaction underpriced"), "{error}");
    let added = pool.add(decoded(3, transfer(0, 3)), Origin::External, &state).unwrap();
    assert_eq!(added.evicted, [low]);
    assert!(pool.get(&local).is_some());
    assert_eq!(pool.status().pending, 3);
    // A replacement needs no room.
    pool.add(
        decoded(3, {
            let mut tx = transfer(0, 4);
            tx.max_fee_per_gas = 11 * GWEI;
            tx
        }),
        Origin::External,
        &state,
    )
    .unwrap();
    assert_eq!(pool.local().iter().map(|tx| tx.hash()).collect::<Vec<_>>(), [local]);
}

#[test]
fn an_unreadable_state_changes_nothing() {
    let mut pool = pool();
    let broken = |_: &_| Err("disk".to_owned());
    let error = pool.add(decoded(0, transfer(0, GWEI)), Origin::Local, &broken).unwrap_err();
    assert_eq!(error, PoolError::State("disk".into()));
    assert_eq!(pool.status(), Default::default());
}
