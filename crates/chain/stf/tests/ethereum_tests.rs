//! The TransactionTests of ethereum/tests, at Cancun: which bytes are a transaction, whose, and which can be executed.
//!
//! Users do not have the tests: this one skips, loudly, where they are absent. `OPENLEDGER_ETHEREUM_TESTS` names a folder
//! that holds `TransactionTests` or `ethereum-tests.tar.xz`.

mod common;

use alloy_consensus::{Sealed, Transaction as _};
use alloy_genesis::GenesisAccount;
use alloy_primitives::{Address, B256, Bytes, U256, bytes};
use common::Chain;
use openledger_primitives::{BlockAttributes, ChainSpec, Header};
use openledger_stf::{BlockExecutor, ExecutionError, TransactionError, decode_transaction};
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// What the tests refuse only when the transaction is executed: to decode them is right.
const REFUSED_LATER: [&str; 6] = [
    "INVALID_CHAINID",
    "INTRINSIC_GAS_TOO_LOW",
    "INITCODE_SIZE_EXCEEDED",
    "GASLIMIT_PRICE_PRODUCT_OVERFLOW",
    "NONCE_TOO_BIG",
    "PRIORITY_GREATER_THAN_MAX_FEE_PER_GAS_2",
];

/// What is a transaction at Cancun and cannot be in a block here.
const REFUSED_HERE: [&str; 5] = [
    // A price per gas beyond 128 bits, which no account can pay. Here it ends decoding.
    "V_equals38",
    "TransactionWithHighGasPrice",
    "GasLimitPriceProductOverflowtMinusOne",
    // 2²⁵⁶ − 1 wei, and gas on top.
    "TransactionWithHighValue",
    // Data has a price of its own since Prague (EIP-7623), and the gas is not enough for it.
    "DataTestSufficientGas2028",
];

/// All files, one after the other.
fn read() -> Option<Vec<u8>> {
    let folder = openledger_testing::ethereum_tests();
    let unpacked = folder.join("TransactionTests");
    if unpacked.is_dir() {
        let mut text = Vec::new();
        append(&unpacked, &mut text);
        return Some(text);
    }
    let archive = folder.join("ethereum-tests.tar.xz");
    let pattern = ["--wildcards", "TransactionTests/*.json"];
    let output = Command::new("tar").arg("-xOf").arg(archive).args(pattern).output().ok();
    let text = output.filter(|output| output.status.success()).map(|output| output.stdout);
    if text.is_none() {
        eprintln!(
            "SKIPPED: TransactionTests were not found in {} (set OPENLEDGER_ETHEREUM_TESTS to a copy of ethereum/tests)",
            folder.display()
        );
    }
    text
}

fn append(folder: &Path, text: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            append(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            text.extend(fs::read(&path).unwrap());
        }
    }
}

/// Executes the transaction on Ethereum's chain id, in a block where its gas costs nothing, for a sender who can afford
/// it and whose turn it is.
fn execute(bytes: &[u8]) -> Result<(Address, B256), TransactionError> {
    let refused = |error| match error {
        ExecutionError::Transaction { error, .. } => error,
        other => panic!("expected a refusal, got {other}"),
    };
    let transaction = decode_transaction(bytes).map_err(refused)?;
    let found = (transaction.signer(), transaction.tx_hash());
    let rich = GenesisAccount { balance: U256::MAX, nonce: Some(transaction.nonce()), ..Default::default() };
    let chain = Chain::new(0, &[(found.0, rich)]);
    let free = Header {
        base_fee_per_gas: Some(0),
        extra_data: bytes!("01 000000fa 00000006 0000000000000000"),
        ..chain.head.inner().clone()
    };
    let attributes = BlockAttributes { gas_limit: u64::MAX, ..chain.attributes(&[]) };
    let spec = ChainSpec::new(1);
    let mut executor = BlockExecutor::begin(&chain.store, &spec, &Sealed::new(free), &attributes).unwrap();
    executor.execute(transaction).map_err(refused)?;
    Ok(found)
}

#[test]
fn transaction_tests_of_ethereum() {
    let Some(text) = read() else { return };
    let (mut accepted, mut undecodable, mut refused) = (0, 0, 0);
    let mut wrong = Vec::new();
    let files = serde_json::Deserializer::from_slice(&text).into_iter::<BTreeMap<String, Value>>();
    for (name, test) in files.flat_map(|file| file.expect("a file of transaction tests")) {
        let expected = &test["result"]["Cancun"];
        if expected.is_null() {
            continue;
        }
        let text = |field: &str| expected[field].as_str();
        let bytes: Bytes = test["txbytes"].as_str().unwrap().parse().unwrap();
        let reason = text("exception").map(|reason| reason.trim_start_matches("TransactionException."));
        match (execute(&bytes), reason) {
            (Err(_), None) if REFUSED_HERE.contains(&name.as_str()) => refused += 1,
            (Ok(_), None) if REFUSED_HERE.contains(&name.as_str()) => wrong.push(format!("{name}: accepted")),
            (Ok((sender, hash)), None) => {
                assert_eq!(text("sender").unwrap().parse(), Ok(sender), "{name}");
                assert_eq!(text("hash").unwrap().parse(), Ok(hash), "{name}");
                accepted += 1;
            }
            (Err(TransactionError::Decode(_) | TransactionError::Signature), Some(_)) => undecodable += 1,
            (Err(TransactionError::Invalid(_)), Some(reason)) if REFUSED_LATER.contains(&reason) => refused += 1,
            (result, reason) => wrong.push(format!("{name}: {result:?}, expected {reason:?}")),
        }
    }
    println!("{accepted} accepted, {undecodable} undecodable, {refused} refused in execution");
    assert!(accepted > 0 && undecodable > 0 && refused > 0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
