//! The files of ethereum/tests.

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a test needs of its file. The transaction is taken from the bytes that each case gives.
#[derive(Debug, Deserialize)]
pub(crate) struct StateTest {
    pub(crate) env: Environment,
    pub(crate) pre: BTreeMap<Address, PreAccount>,
    pub(crate) post: Post,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environment {
    pub(crate) current_coinbase: Address,
    pub(crate) current_number: U256,
    pub(crate) current_timestamp: U256,
    pub(crate) current_gas_limit: U256,
    pub(crate) current_base_fee: Option<U64>,
    pub(crate) current_random: Option<B256>,
    pub(crate) current_excess_blob_gas: Option<U64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PreAccount {
    pub(crate) balance: U256,
    pub(crate) nonce: U64,
    pub(crate) code: Bytes,
    pub(crate) storage: BTreeMap<U256, U256>,
}

/// Expectations by fork, of which one is of interest.
#[derive(Debug, Deserialize)]
pub(crate) struct Post {
    #[serde(default, rename = "Cancun")]
    pub(crate) cancun: Vec<Expected>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Expected {
    pub(crate) txbytes: Bytes,
    /// Names of reasons, of which any will do.
    pub(crate) expect_exception: Option<String>,
    /// Of the state after the transaction.
    pub(crate) hash: B256,
    /// Of the RLP of the logs.
    pub(crate) logs: B256,
    pub(crate) indexes: Indexes,
}

/// Which of the test's data, gas limits and values the case takes.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Indexes {
    pub(crate) data: usize,
    #[allow(dead_code, reason = "printed")]
    gas: usize,
    #[allow(dead_code, reason = "printed")]
    value: usize,
}

/// All tests, in the order of the files; `None`, after saying so, where there are no files.
pub(crate) fn read() -> Option<Vec<(String, StateTest)>> {
    let folder = openledger_testing::ethereum_tests();
    let Some(text) = text(&folder) else {
        eprintln!(
            "SKIPPED: GeneralStateTests were not found in {} (set OPENLEDGER_ETHEREUM_TESTS to a copy of ethereum/tests)",
            folder.display()
        );
        return None;
    };
    let files = serde_json::Deserializer::from_slice(&text).into_iter::<BTreeMap<String, StateTest>>();
    Some(files.flat_map(|file| file.expect("a file of state tests")).collect())
}

/// All files, one after the other.
fn text(folder: &Path) -> Option<Vec<u8>> {
    let unpacked = folder.join("GeneralStateTests");
    if unpacked.is_dir() {
        let mut text = Vec::new();
        append(&unpacked, &mut text);
        return Some(text);
    }
    let archive = folder.join("ethereum-tests.tar.xz");
    let pattern = ["--wildcards", "GeneralStateTests/*.json"];
    let output = Command::new("tar").arg("-xOf").arg(archive).args(pattern).output().ok()?;
    output.status.success().then_some(output.stdout)
}

fn append(folder: &Path, text: &mut Vec<u8>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            append(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            text.extend(fs::read(&path).unwrap());
        }
    }
}
