//! What is refused before the state is asked, and in which words.

mod support;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEip7702};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Bytes, Signature, TxKind, U256, uint};
use alloy_signer::SignerSync;
use openledger_primitives::Transaction;
use openledger_txpool::{PoolConfig, PoolError, PoolTransaction};
use support::*;

fn error(raw: Bytes) -> String {
    PoolTransaction::decode(raw, &PoolConfig::new(CHAIN)).unwrap_err().to_string()
}

fn with(change: impl FnOnce(&mut TxEip1559)) -> Bytes {
    let mut tx = transfer(0, GWEI);
    change(&mut tx);
    sign(0, tx)
}

#[test]
fn good_ones_keep_their_bytes_and_sender() {
    let raw = with(|_| ());
    let tx = PoolTransaction::decode(raw.clone(), &PoolConfig::new(CHAIN)).unwrap();
    assert_eq!(tx.raw(), &raw);
    assert_eq!(tx.sender(), address(0));
    assert_eq!(tx.cost(), U256::from(21_000 * 10 * GWEI + 1));
    assert!(PoolTransaction::decode(legacy(0, Some(CHAIN)), &PoolConfig::new(CHAIN)).is_ok());
    let lenient = PoolConfig { allow_unprotected: true, ..PoolConfig::new(CHAIN) };
    assert!(PoolTransaction::decode(legacy(0, None), &lenient).is_ok());
}

#[test]
fn messages_begin_with_the_words_tools_look_for() {
    for (raw, words) in [
        (Bytes::new(), "invalid transaction encoding"),
        (Bytes::from_static(&[0x02, 0xc0]), "invalid transaction encoding"),
        (Bytes::from_static(&[0x80]), "invalid transaction encoding"),
        (Bytes::from_static(&[0x03, 0xc0]), "transaction type not supported"),
        (Bytes::from_static(&[0x7e, 0xc0]), "transaction type not supported"),
        (Bytes::from_static(&[0x7d, 0xc0]), "transaction type not supported"),
        (Bytes::from(vec![0xff; (128 << 10) + 1]), "oversized data"),
        // Of two reasons the one that geth comes to first.
        (Bytes::from(vec![0x03; (128 << 10) + 1]), "transaction type not supported"),
        (with(|tx| (tx.nonce, tx.max_priority_fee_per_gas) = (u64::MAX, 11 * GWEI)), "max priority fee per gas higher"),
        (with(|tx| (tx.nonce, tx.gas_limit) = (u64::MAX, 0)), "nonce has max value"),
        (with(|tx| tx.chain_id = 1), "invalid sender: invalid chain id for signer: have 1 want 20300"),
        (legacy(0, None), "only replay-protected (EIP-155) transactions allowed over RPC"),
        (with(|tx| tx.max_priority_fee_per_gas = 11 * GWEI), "max priority fee per gas higher than max fee per gas"),
        (with(|tx| tx.gas_limit = 20_999), "intrinsic gas too low: gas 20999, minimum needed 21000"),
        (
            with(|tx| (tx.input, tx.gas_limit) = (vec![1; 1000].into(), 40_000)),
            "insufficient gas for floor data gas cost",
        ),
        (with(|tx| tx.nonce = u64::MAX), "nonce has max value"),
        (
            with(|tx| (tx.to, tx.input, tx.gas_limit) = (TxKind::Create, vec![0; 49_153].into(), 5_000_000)),
            "max initcode size exceeded",
        ),
    ] {
        let message = error(raw);
        assert!(message.starts_with(words), "{message:?} should begin with {words:?}");
    }
}

#[test]
fn authorities_are_those_who_signed() {
    let decode = |tx| PoolTransaction::decode(sign(0, tx), &PoolConfig::new(CHAIN));
    let mut tx = delegation(0, GWEI, &[2, 1, 2]);
    let mut expected = vec![address(1), address(2)];
    expected.sort_unstable();
    assert_eq!(decode(tx.clone()).unwrap().authorities(), expected);
    // A signature that is nobody's makes its authorization void, not the transaction.
    let void = tx.authorization_list[1].clone().strip_signature();
    tx.authorization_list[1] = void.into_signed(Signature::new(U256::ZERO, U256::ZERO, false));
    assert_eq!(decode(tx.clone()).unwrap().authorities(), [address(2)]);
    tx.gas_limit -= 1;
    assert_eq!(decode(tx.clone()).unwrap_err().to_string(), "intrinsic gas too low: gas 95999, minimum needed 96000");
    tx.authorization_list.clear();
    assert!(decode(tx).unwrap_err().to_string().starts_with("set code tx must have at least one authorization tuple"));
    // An authorization for any chain, or another one, is not the pool's business: execution leaves it out.
    assert_eq!(
        decode(TxEip7702 { chain_id: 1, ..delegation(0, GWEI, &[1]) }).unwrap_err(),
        PoolError::WrongChain { have: 1, want: CHAIN }
    );
}

#[test]
fn an_extra_byte_is_refused() {
    let mut raw = with(|_| ()).to_vec();
    raw.push(0);
    assert!(error(raw.into()).starts_with("invalid transaction encoding"));
}

#[test]
fn a_signature_in_the_upper_half_is_refused() {
    let order = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
    let tx = transfer(0, GWEI);
    let low = signer(0).sign_hash_sync(&tx.signature_hash()).unwrap();
    let high = Signature::new(low.r(), order - low.s(), !low.v());
    let raw = Transaction::from(tx.into_signed(high)).encoded_2718();
    assert_eq!(error(raw.into()), "invalid sender: invalid transaction v, r, s values");
}

#[test]
fn creation_and_access_list_cost_what_they_should() {
    let create = |gas| with(|tx| (tx.to, tx.input, tx.gas_limit) = (TxKind::Create, vec![0xfe; 33].into(), gas));
    // 21000 + 32000 + 33 bytes of 16 + 2 words of 2
    assert!(error(create(53_531)).contains("minimum needed 53532"));
    assert!(PoolTransaction::decode(create(53_532), &PoolConfig::new(CHAIN)).is_ok());
    let listed = |gas| {
        with(|tx| {
            tx.gas_limit = gas;
            tx.access_list = vec![alloy_eips::eip2930::AccessListItem {
                address: address(1),
                storage_keys: vec![alloy_primitives::B256::ZERO; 2],
            }]
            .into();
        })
    };
    assert!(error(listed(27_199)).contains("minimum needed 27200"));
    assert!(PoolTransaction::decode(listed(27_200), &PoolConfig::new(CHAIN)).is_ok());
}

proptest::proptest! {
    #[test]
    fn damaged_transactions_never_panic(at in 0usize..110, byte: u8) {
        let mut raw = sign(0, transfer(3, GWEI)).to_vec();
        let at = at % raw.len();
        raw[at] = byte;
        let _ = PoolTransaction::decode(raw.into(), &PoolConfig::new(CHAIN));
    }
}
