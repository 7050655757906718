//! The trie tests of ethereum/tests. Users do not have them: the test skips, loudly, where they are absent.
//! `OPENLEDGER_ETHEREUM_TESTS` names a folder that holds `TrieTests` or `ethereum-tests.tar.xz`.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use alloy_primitives::{B256, Bytes, hex, keccak256};
use openledger_trie::{Change, EMPTY_ROOT_HASH, MemoryStore, Nibbles, update};
use serde_json::Value;

fn read(name: &str) -> Option<Value> {
    let folder = std::env::var_os("OPENLEDGER_ETHEREUM_TESTS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data/ethereum-tests"),
        PathBuf::from,
    );
    let inner = format!("TrieTests/{name}");
    let text = fs::read(folder.join(&inner)).ok().or_else(|| {
        let archive = folder.join("ethereum-tests.tar.xz");
        let output = Command::new("tar").arg("-xOf").arg(archive).arg(&inner).output().ok()?;
        output.status.success().then_some(output.stdout)
    });
    if text.is_none() {
        eprintln!(
            "SKIPPED: {inner} was not found in {} (set OPENLEDGER_ETHEREUM_TESTS to a copy of ethereum/tests)",
            folder.display()
        );
    }
    Some(serde_json::from_slice(&text?).expect("ethereum/tests is JSON"))
}

fn bytes(value: &Value) -> Option<Bytes> {
    let text = value.as_str()?;
    Some(match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).expect("hex").into(),
        None => text.as_bytes().to_vec().into(),
    })
}

/// The test's steps, in its own order: a list of pairs, or an object whose order does not matter.
fn steps(input: &Value) -> Vec<(Bytes, Option<Bytes>)> {
    match input {
        Value::Array(pairs) => pairs.iter().map(|pair| (bytes(&pair[0]).unwrap(), bytes(&pair[1]))).collect(),
        Value::Object(pairs) => {
            pairs.iter().map(|(key, value)| (bytes(&Value::from(key.as_str())).unwrap(), bytes(value))).collect()
        }
        other => panic!("unexpected input {other}"),
    }
}

fn run(name: &str, secure: bool) {
    let Some(Value::Object(tests)) = read(name) else { return };
    assert!(!tests.is_empty());
    for (test, body) in &tests {
        let expected: B256 = body["root"].as_str().unwrap().parse().unwrap();
        let path = |key: &Bytes| {
            if secure { Nibbles::unpack(keccak256(key)) } else { Nibbles::unpack(key) }
        };
        // Once step by step, once as one batch of what remains.
        let mut store = MemoryStore::default();
        let mut root = EMPTY_ROOT_HASH;
        let mut last = BTreeMap::new();
        for (key, value) in steps(&body["in"]) {
            last.insert(path(&key), value.clone());
            let (new, nodes) = update(&store, None, root, &[(path(&key), value)]).unwrap();
            store.apply(None, &nodes);
            root = new;
        }
        assert_eq!(root, expected, "{name}: {test}, step by step");
        let batch: Vec<Change> = last.into_iter().collect();
        let (root, _) = update(&MemoryStore::default(), None, EMPTY_ROOT_HASH, &batch).unwrap();
        assert_eq!(root, expected, "{name}: {test}, as one batch");
    }
}

#[test]
fn trie_tests_of_ethereum() {
    for (name, secure) in [
        ("trietest.json", false),
        ("trieanyorder.json", false),
        ("trietest_secureTrie.json", true),
        ("trieanyorder_secureTrie.json", true),
        ("hex_encoded_securetrie_test.json", true),
    ] {
        run(name, secure);
    }
}
