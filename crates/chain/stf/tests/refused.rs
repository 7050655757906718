//! Transactions that cannot be in a block, and stores that cannot be read.

mod common;

use alloy_consensus::{TxEip1559, TxLegacy, transaction::Recovered};
use alloy_primitives::{Bytes, TxKind, U256, keccak256};
use common::*;
use op_alloy_consensus::TxPostExec;
use openledger_primitives::{Transaction, addresses};
use openledger_stf::{BlockExecutor, ExecutionError, StateError, TransactionError, execute_block};

fn refusal(error: ExecutionError) -> TransactionError {
    match error {
        ExecutionError::Transaction { error, .. } => error,
        other => panic!("expected a refusal, got {other}"),
    }
}

fn plain(nonce: u64) -> TxEip1559 {
    call(nonce, TxKind::Call(BOB), 5, Bytes::new())
}

/// Each cannot be the second transaction after `transfer(0)`.
fn bad() -> Vec<Recovered<Transaction>> {
    let wrong_chain = TxEip1559 { chain_id: 1, ..plain(1) };
    let poor = TxEip1559 { value: U256::from(2 * ETHER), ..plain(1) };
    let cheap = TxEip1559 { max_fee_per_gas: 999_999, ..plain(1) };
    let thirsty = TxEip1559 { gas_limit: GAS_LIMIT, ..plain(1) };
    let dry = TxEip1559 { gas_limit: 20_999, ..plain(1) };
    let legacy = TxLegacy { chain_id: Some(7), gas_price: 2_000_000, gas_limit: 21_000, ..Default::default() };
    let mut bad: Vec<_> =
        [plain(0), plain(2), wrong_chain, poor, cheap, thirsty, dry].into_iter().map(|tx| signed(1, tx)).collect();
    bad.push(signed(2, legacy));
    bad.push(signed(9, plain(0)));
    bad
}

#[test]
fn refused_transactions_leave_no_trace() {
    let chain = Chain::new(400, &[]);
    // The same senders and addresses as the refused ones, so that anything left warm or changed would show.
    let good = [transfer(0), transfer(1), signed(2, plain(0))];
    let clean = chain.execute(&good).unwrap();
    let attributes = chain.attributes(&[]);
    let mut executor = BlockExecutor::begin(&chain.store, &SPEC, &chain.head, &attributes).unwrap();
    for (i, tx) in good.iter().enumerate() {
        executor.execute(tx.clone()).unwrap();
        if i == 0 {
            for tx in bad() {
                refusal(executor.execute(tx).unwrap_err());
            }
        }
    }
    assert_eq!(executor.finish(&chain.store).unwrap(), clean);
}

#[test]
fn refusals_say_whether_to_wait() {
    let chain = Chain::new(0, &[]);
    let mut executor = BlockExecutor::begin(&chain.store, &SPEC, &chain.head, &chain.attributes(&[])).unwrap();
    executor.execute(transfer(0)).unwrap();
    let mut refuse = |tx| refusal(executor.execute(signed(1, tx)).unwrap_err());
    assert!(refuse(plain(0)).is_nonce_too_low());
    assert!(refuse(plain(2)).is_nonce_too_high());
    assert!(refuse(TxEip1559 { gas_limit: GAS_LIMIT, ..plain(1) }).is_out_of_room());
    assert_eq!(executor.gas_left(), GAS_LIMIT - 21_000);
}

#[test]
fn forced_bytes_that_are_no_transaction_are_named() {
    let chain = Chain::new(0, &[]);
    for bytes in [vec![], vec![0x7e], vec![0xc0], vec![0x03, 0xc0], [&[0x02][..], &[0xff; 40]].concat()] {
        let mut attributes = chain.attributes(&[]);
        attributes.transactions = vec![bytes.clone().into()];
        let error = execute_block(&chain.store, &chain.store, &SPEC, &chain.head, &attributes).unwrap_err();
        let ExecutionError::Transaction { hash, error: TransactionError::Decode(_) } = error else { panic!("{error}") };
        assert_eq!(hash, keccak256(&bytes));
    }
    let synthetic = Transaction::from(TxPostExec::default());
    let error = chain.execute(&[Recovered::new_unchecked(synthetic, Default::default())]).unwrap_err();
    assert!(matches!(refusal(error), TransactionError::Type(0x7d) | TransactionError::Decode(_)));
}

#[test]
fn a_high_s_is_no_signature() {
    let chain = Chain::new(0, &[]);
    let Transaction::Eip1559(tx) = transfer(0).into_inner() else { unreachable!() };
    let (tx, signature, _) = tx.into_parts();
    let order = U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
    let high = alloy_primitives::Signature::new(signature.r(), order - signature.s(), !signature.v());
    let tx = Transaction::from(alloy_consensus::Signed::new_unhashed(tx, high));
    let error = chain.execute(&[Recovered::new_unchecked(tx, signer(1).address())]).unwrap_err();
    assert_eq!(refusal(error), TransactionError::Signature);
}

#[test]
fn a_store_that_cannot_be_read_says_nothing_about_the_block() {
    for address in [signer(1).address(), BOB, addresses::L1_BLOCK, addresses::BASE_FEE_VAULT] {
        let mut chain = Chain::new(0, &[]);
        chain.store.broken.push(address);
        let error = chain.execute(&[transfer(0)]).unwrap_err();
        assert_eq!(error, ExecutionError::State(StateError::Missing(address.to_string())), "{address}");
    }
}
