//! Blocks from a pool, over a state in memory.

#[path = "../../stf/tests/common/mod.rs"]
mod common;

use alloy_consensus::{TxEip1559, transaction::Recovered};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use common::*;
use openledger_builder::{BuildLimits, Filled, Stop, fill_block};
use openledger_primitives::{BlockAttributes, Transaction};
use openledger_stf::{BlockExecutor, ExecutedBlock, ExecutionError, execute_block, next_base_fee};
use openledger_txpool::{
    AccountCode, AccountState, BlockContext, Origin, Pool, PoolConfig, PoolTransaction, RollupFees,
};

/// A pool over accounts that it believes to be rich and to have sent nothing.
fn pool(chain: &Chain, transactions: &[Recovered<Transaction>]) -> Pool {
    let base_fee = next_base_fee(&SPEC, &chain.head);
    let config = PoolConfig::new(SPEC.chain_id);
    let mut pool = Pool::new(
        config,
        BlockContext { timestamp: 0, gas_limit: GAS_LIMIT, base_fee, min_base_fee: 0, fees: RollupFees::NONE },
    );
    let state = |_: &Address| Ok(AccountState { nonce: 0, balance: U256::from(ETHER), code: AccountCode::None });
    for transaction in transactions {
        let raw = transaction.inner().encoded_2718().into();
        pool.add(PoolTransaction::decode(raw, &config).unwrap(), Origin::Local, &state).unwrap();
    }
    pool
}

fn build_with(
    chain: &Chain,
    pool: &Pool,
    attributes: &BlockAttributes,
    limits: BuildLimits,
    should_stop: impl FnMut() -> bool,
) -> Result<(Filled, ExecutedBlock), ExecutionError> {
    let mut executor = BlockExecutor::begin(&chain.store, &SPEC, &chain.head, attributes)?;
    let best = pool.best(executor.base_fee());
    let filled = fill_block(&mut executor, attributes, best, &limits, should_stop)?;
    Ok((filled, executor.finish(&chain.store)?))
}

fn build(chain: &Chain, pool: &Pool, limits: BuildLimits) -> (Filled, ExecutedBlock) {
    let mut attributes = chain.attributes(&[deposited(deposit(10, 0, 100_000))]);
    attributes.no_tx_pool = false;
    build_with(chain, pool, &attributes, limits, || false).unwrap()
}

fn with_tip(by: u8, nonce: u64, tip: u128) -> Recovered<Transaction> {
    let tx = call(nonce, TxKind::Call(BOB), 1, Bytes::new());
    signed(by, TxEip1559 { max_priority_fee_per_gas: tip, gas_limit: 21_000, ..tx })
}

fn hashes(transactions: &[&Recovered<Transaction>]) -> Vec<B256> {
    transactions.iter().map(|tx| tx.tx_hash()).collect()
}

#[test]
fn takes_the_best_first_and_equals_the_executed_block() {
    let chain = Chain::new(400, &[]);
    let [a, b, c] = [with_tip(1, 0, 10), with_tip(1, 1, 9000), with_tip(2, 0, 500)];
    let (built, block) = build(&chain, &pool(&chain, &[a.clone(), b.clone(), c.clone()]), BuildLimits::default());
    // b pays best but comes after a of the same sender.
    assert_eq!(built.included, hashes(&[&c, &a, &b]));
    assert_eq!((built.stop, built.invalid), (Stop::Exhausted, vec![]));
    let executed = chain.execute(&[deposited(deposit(10, 0, 100_000)), c, a, b]).unwrap();
    assert_eq!(block, executed);
}

#[test]
fn the_pool_is_left_alone_where_the_attributes_say_so() {
    let chain = Chain::new(0, &[]);
    let attributes = chain.attributes(&[]);
    let pool = pool(&chain, &[transfer(0)]);
    let (built, block) = build_with(&chain, &pool, &attributes, BuildLimits::default(), || false).unwrap();
    assert_eq!((built.stop, block.block.body.transactions.len()), (Stop::NoPool, 0));
    let executed = execute_block(&chain.store, &chain.store, &SPEC, &chain.head, &attributes).unwrap();
    assert_eq!(block, executed);
}

#[test]
fn stops_at_each_limit() {
    let chain = Chain::new(0, &[]);
    let transactions: Vec<_> = (0..4).map(|nonce| with_tip(1, nonce, 10)).collect();
    let pool = pool(&chain, &transactions);
    let bytes = transactions[0].inner().encoded_2718().len();
    let (number, _) = build(&chain, &pool, BuildLimits { transactions: 2, ..Default::default() });
    assert_eq!((number.included.len(), number.stop), (2, Stop::Full));
    let (gas, _) = build(&chain, &pool, BuildLimits { gas: 3 * 21_000 + 20_999, ..Default::default() });
    assert_eq!((gas.included.len(), gas.stop), (3, Stop::Full));
    let (data, _) = build(&chain, &pool, BuildLimits { data_bytes: bytes + 10, ..Default::default() });
    assert_eq!((data.included.len(), data.invalid.len()), (1, 0));
}

#[test]
fn stops_when_asked() {
    let chain = Chain::new(0, &[]);
    let pool = pool(&chain, &[with_tip(1, 0, 10), with_tip(1, 1, 10), with_tip(2, 0, 10)]);
    let mut attributes = chain.attributes(&[]);
    attributes.no_tx_pool = false;
    let mut asked = 0;
    let should_stop = || {
        asked += 1;
        asked > 2
    };
    let (built, _) = build_with(&chain, &pool, &attributes, BuildLimits::default(), should_stop).unwrap();
    assert_eq!((built.included.len(), built.stop), (2, Stop::Asked));
}

#[test]
fn what_became_invalid_is_reported_and_does_not_stop_others() {
    // Signer 1 has nothing any more; the nonce 0 of signer 2 is used.
    let mut chain = Chain::new(0, &[(signer(1).address(), Default::default())]);
    chain.advance(&[with_tip(2, 0, 10)]);
    let [broke, after] = [with_tip(1, 0, 90), with_tip(1, 1, 90)];
    let [stale, next] = [with_tip(2, 0, 20), with_tip(2, 1, 20)];
    let pool = pool(&chain, &[broke.clone(), after, stale.clone(), next.clone()]);
    let (built, _) = build(&chain, &pool, BuildLimits::default());
    assert_eq!(built.invalid, hashes(&[&broke, &stale]));
    assert_eq!(built.included, hashes(&[&next]));
}

#[test]
fn what_has_no_room_stays_in_the_pool() {
    let chain = Chain::new(0, &[]);
    let large = signed(1, TxEip1559 { gas_limit: GAS_LIMIT - 50_000, ..call(0, TxKind::Call(BOB), 1, Bytes::new()) });
    let small = with_tip(2, 0, 10);
    // The deposit before may use 100,000 gas and uses 21,000: the first of the pool has room, the next one more so.
    let (first, _) = build(&chain, &pool(&chain, &[large.clone(), small.clone()]), BuildLimits::default());
    assert_eq!(first.included, hashes(&[&large, &small]));
    let limits = BuildLimits { gas: 100_000, ..Default::default() };
    let (second, _) = build(&chain, &pool(&chain, &[large, small.clone()]), limits);
    assert_eq!((second.included, second.invalid), (hashes(&[&small]), vec![]));
}

#[test]
fn a_forced_transaction_that_is_invalid_fails_the_block() {
    let chain = Chain::new(0, &[]);
    let attributes = chain.attributes(&[transfer(5)]);
    let error = build_with(&chain, &pool(&chain, &[]), &attributes, BuildLimits::default(), || false);
    assert!(matches!(error, Err(ExecutionError::Transaction { hash, .. }) if hash == transfer(5).tx_hash()));
}
