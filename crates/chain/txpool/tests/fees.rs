//! What a sender must have for L1 and for the operator, besides gas and value.

mod support;

use alloy_consensus::TxEip1559;
use alloy_primitives::U256;
use op_revm::{L1BlockInfo, OpSpecId};
use openledger_batch::L1Info;
use openledger_txpool::{BlockContext, Origin, Place, Pool, PoolConfig, PoolError, PoolTransaction, RollupFees};
use support::*;

/// About what OP Mainnet had in its Fjord days, with an operator fee.
fn info() -> L1Info {
    L1Info {
        base_fee: 1_055_991_687,
        blob_base_fee: 17_000_000,
        base_fee_scalar: 5227,
        blob_base_fee_scalar: 1_014_213,
        operator_fee_scalar: 1_439_103,
        operator_fee_constant: 1_256_417_826_609,
        ..L1Info::default()
    }
}

fn block(info: &L1Info) -> BlockContext {
    BlockContext { fees: RollupFees::from(info), ..BLOCK }
}

/// By the function that execution charges with.
fn charged(info: &L1Info, transaction: &PoolTransaction) -> U256 {
    use alloy_consensus::Transaction as _;
    let mut l1 = L1BlockInfo {
        l1_base_fee: U256::from(info.base_fee),
        l1_base_fee_scalar: U256::from(info.base_fee_scalar),
        l1_blob_base_fee: Some(U256::from(info.blob_base_fee)),
        l1_blob_base_fee_scalar: Some(U256::from(info.blob_base_fee_scalar)),
        operator_fee_scalar: Some(U256::from(info.operator_fee_scalar)),
        operator_fee_constant: Some(U256::from(info.operator_fee_constant)),
        ..L1BlockInfo::default()
    };
    l1.tx_cost(transaction.raw(), U256::from(transaction.transaction().gas_limit()), OpSpecId::JOVIAN)
}

#[test]
fn the_balance_covers_what_execution_charges_to_the_wei() {
    let repeated = TxEip1559 { input: vec![7; 3000].into(), gas_limit: 200_000, ..transfer(0, GWEI) };
    let varied: Vec<u8> = (0..3000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let varied = TxEip1559 { input: varied.into(), gas_limit: 600_000, ..transfer(0, GWEI) };
    let infos = [info(), L1Info { operator_fee_scalar: 0, ..info() }, L1Info { base_fee_scalar: u32::MAX, ..info() }];
    for info in infos {
        for tx in [transfer(0, GWEI), repeated.clone(), varied.clone()] {
            let tx = decoded(0, tx);
            let needed = tx.cost() + charged(&info, &tx);
            let mut pool = Pool::new(PoolConfig::new(CHAIN), block(&info));
            let mut state = Accounts::default();
            state.set(0, 0, needed - U256::from(1));
            let error = pool.add(tx.clone(), Origin::Local, &state).unwrap_err();
            assert_eq!(error, PoolError::InsufficientFunds { balance: needed - U256::from(1), cost: needed });
            state.set(0, 0, needed);
            assert_eq!(pool.add(tx, Origin::Local, &state).unwrap().place, Place::Pending);
        }
    }
}

#[test]
fn what_a_sender_cannot_pay_any_more_waits_until_fees_fall() {
    let info = info();
    let (mut pool, mut state) = (Pool::new(PoolConfig::new(CHAIN), block(&info)), Accounts::default());
    let first = decoded(0, transfer(0, GWEI));
    let cost = first.cost() + charged(&info, &first);
    // Enough for two; the second may have one byte more.
    state.set(0, 0, cost * U256::from(2) + U256::from(GWEI));
    pool.add(first, Origin::Local, &state).unwrap();
    pool.add(decoded(0, transfer(1, GWEI)), Origin::Local, &state).unwrap();
    assert!(matches!(
        pool.add(decoded(0, transfer(2, GWEI)), Origin::Local, &state).unwrap_err(),
        PoolError::Overdraft { .. }
    ));
    let places = |pool: &Pool| (pool.status().pending, pool.status().queued);
    assert_eq!(places(&pool), (2, 0));

    // No block touches the account: fees alone decide.
    let dearer = L1Info { operator_fee_constant: info.operator_fee_constant + GWEI as u64, ..info };
    pool.on_block(block(&dearer), [], &state).unwrap();
    assert_eq!(places(&pool), (1, 1));
    assert_eq!(pool.best(0).count(), 1);
    pool.on_block(block(&L1Info { base_fee: 1 << 60, ..info }), [], &state).unwrap();
    assert_eq!(places(&pool), (0, 2));
    pool.on_block(block(&info), [], &state).unwrap();
    assert_eq!(places(&pool), (2, 0));
}
