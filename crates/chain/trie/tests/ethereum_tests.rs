//! The trie tests and the RLP tests of ethereum/tests. Users do not have them: the tests skip, loudly, where they are absent.
//! `OPENLEDGER_ETHEREUM_TESTS` names a folder that holds `TrieTests` and `RLPTests`, or `ethereum-tests.tar.xz`.

use std::{collections::BTreeMap, fs, process::Command};

use alloy_primitives::{B256, Bytes, U512, hex, keccak256};
use alloy_rlp::{Decodable, Encodable, Error, Header};
use openledger_trie::{Change, EMPTY_ROOT_HASH, MemoryStore, Nibbles, update};
use serde_json::Value;

/// The file with this path in ethereum/tests.
fn read(inner: &str) -> Option<Value> {
    let folder = openledger_testing::ethereum_tests();
    let text = fs::read(folder.join(inner)).ok().or_else(|| {
        let archive = folder.join("ethereum-tests.tar.xz");
        let output = Command::new("tar").arg("-xOf").arg(archive).arg(inner).output().ok()?;
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
    let Some(Value::Object(tests)) = read(&format!("TrieTests/{name}")) else { return };
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

/// Anything that RLP can hold, read and written with the primitives under all decoding in this workspace.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Bytes(Vec<u8>),
    List(Vec<Self>),
}

impl Decodable for Item {
    fn decode(rest: &mut &[u8]) -> Result<Self, Error> {
        let header = Header::decode(&mut &**rest)?;
        if !header.list {
            return Ok(Self::Bytes(Header::decode_bytes(rest, false)?.to_vec()));
        }
        let mut payload = Header::decode_bytes(rest, true)?;
        let mut items = Vec::new();
        while !payload.is_empty() {
            items.push(Self::decode(&mut payload)?);
        }
        Ok(Self::List(items))
    }
}

impl Encodable for Item {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self {
            Self::Bytes(bytes) => bytes.as_slice().encode(out),
            Self::List(items) => {
                let mut payload = Vec::new();
                items.iter().for_each(|item| item.encode(&mut payload));
                Header { list: true, payload_length: payload.len() }.encode(out);
                out.put_slice(&payload);
            }
        }
    }
}

/// A test's input: text, a number (those beyond 64 bits in decimal after `#`), or a list.
fn item(input: &Value) -> Item {
    let number = |number: U512| Item::Bytes(number.to_be_bytes_trimmed_vec());
    match input {
        Value::Number(small) => number(U512::from(small.as_u64().unwrap())),
        Value::Array(items) => Item::List(items.iter().map(item).collect()),
        Value::String(text) => match text.strip_prefix('#') {
            Some(digits) => number(digits.parse().unwrap()),
            None => Item::Bytes(text.as_bytes().to_vec()),
        },
        other => panic!("unexpected input {other}"),
    }
}

#[test]
fn rlp_tests_of_ethereum() {
    let (mut valid, mut invalid) = (0, 0);
    for file in ["rlptest.json", "invalidRLPTest.json", "RandomRLPTests/example.json"] {
        let Some(Value::Object(tests)) = read(&format!("RLPTests/{file}")) else { return };
        for (name, test) in &tests {
            let encoded = hex::decode(test["out"].as_str().unwrap()).unwrap();
            let decoded = alloy_rlp::decode_exact::<Item>(&encoded);
            if test["in"] == "INVALID" {
                assert!(decoded.is_err(), "{name}: {decoded:?}");
                invalid += 1;
                continue;
            }
            let decoded = decoded.unwrap();
            assert_eq!(alloy_rlp::encode(&decoded), encoded, "{name}");
            if test["in"] != "VALID" {
                assert_eq!(decoded, item(&test["in"]), "{name}");
            }
            valid += 1;
        }
    }
    assert!(valid > 0 && invalid > 0);
}
