//! L1 attributes and deposits against transactions of networks: `tests/vectors/*.json` says where each comes from. Source
//! hashes, transactions and their hashes were checked there with another RLP and another Keccak.

use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, Log, keccak256};
use openledger_batch::{L1Info, decode_deposit};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    name: String,
    calldata: Bytes,
    number: u64,
    timestamp: u64,
    base_fee: u64,
    blob_base_fee: u64,
    hash: B256,
    sequence_number: u64,
    batcher_address: Address,
    base_fee_scalar: u32,
    blob_base_fee_scalar: u32,
    operator_fee_scalar: u32,
    operator_fee_constant: u64,
    da_footprint_gas_scalar: u16,
    source_hash: B256,
    transaction_hash: B256,
}

#[test]
fn l1_attributes() {
    let cases: Vec<Attributes> = serde_json::from_str(include_str!("vectors/l1_attributes.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let name = &case.name;
        let info = L1Info {
            number: case.number,
            timestamp: case.timestamp,
            base_fee: case.base_fee,
            blob_base_fee: case.blob_base_fee.into(),
            hash: case.hash,
            sequence_number: case.sequence_number,
            batcher_address: case.batcher_address,
            base_fee_scalar: case.base_fee_scalar,
            blob_base_fee_scalar: case.blob_base_fee_scalar,
            operator_fee_scalar: case.operator_fee_scalar,
            operator_fee_constant: case.operator_fee_constant,
            da_footprint_gas_scalar: case.da_footprint_gas_scalar,
        };
        assert_eq!(L1Info::decode(&case.calldata).unwrap(), info, "{name}");
        assert_eq!(info.encode(), case.calldata, "{name}");
        let deposit = info.to_deposit();
        assert_eq!(deposit.source_hash, case.source_hash, "{name}: source hash");
        assert_eq!(keccak256(deposit.encoded_2718()), case.transaction_hash, "{name}: hash");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserDeposit {
    name: String,
    block_hash: B256,
    log_index: u64,
    topics: Vec<B256>,
    data: Bytes,
    transaction: Bytes,
    transaction_hash: B256,
}

#[test]
fn user_deposits() {
    let cases: Vec<UserDeposit> = serde_json::from_str(include_str!("vectors/user_deposits.json")).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let log = Log::new_unchecked(Address::repeat_byte(9), case.topics, case.data);
        let deposit = decode_deposit(case.block_hash, case.log_index, &log).unwrap();
        assert_eq!(Bytes::from(deposit.encoded_2718()), case.transaction, "{}", case.name);
        assert_eq!(keccak256(case.transaction), case.transaction_hash, "{}", case.name);
    }
}
