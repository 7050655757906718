//! `check` finds what does not hold together, and names the first block of it.

mod support;

use std::path::Path;

use alloy_primitives::{hex, keccak256};
use alloy_trie::Nibbles;
use openledger_stf::StateChanges;
use openledger_storage::{Database, StorageError};
use rocksdb::{DB, Options};
use support::*;
use tempfile::TempDir;

const BLOCKS: u64 = 8;

fn chain() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let mut first = changes(&[(0, changed(account(1, 100), &[(1, 1)])), (1, changed(account(1, 5), &[]))]);
    let code = vec![0x60, 0x00];
    let hash = keccak256(&code);
    first.code.insert(hash, code.into());
    first.accounts.get_mut(&address(1)).unwrap().account.as_mut().unwrap().code_hash = hash;
    db.init_genesis(&genesis(&first), &first).unwrap();
    for nonce in 2..BLOCKS + 2 {
        let slots = [(1, nonce), (nonce as u8, 7)];
        db.commit_block(&block(&db, changes(&[(0, changed(account(nonce, 100), &slots))]))).unwrap();
    }
    folder
}

/// Changes a table behind the back of the database.
fn tamper(folder: &Path, table: &str, change: impl FnOnce(&DB, &rocksdb::ColumnFamily)) {
    let options = Options::default();
    let names = DB::list_cf(&options, folder).unwrap();
    let db = DB::open_cf(&options, folder, names).unwrap();
    change(&db, db.cf_handle(table).unwrap());
}

fn check(folder: &Path) -> Result<openledger_storage::Checked, StorageError> {
    open(folder).check(|_| {})
}

#[test]
fn a_sound_chain_is_counted() {
    let folder = chain();
    let db = open(folder.path());
    let mut seen = Vec::new();
    let checked = db.check(|progress| seen.push((progress.what, progress.done))).unwrap();
    assert_eq!((checked.blocks, checked.transactions), (BLOCKS + 1, 2 * BLOCKS));
    assert_eq!((checked.accounts, checked.slots), (2, 1 + BLOCKS));
    assert_eq!(checked.state_root, db.latest().unwrap().state_root());
    assert_eq!(seen.first(), Some(&("blocks", 0)));
    assert_eq!(seen.last(), Some(&("entries of the newest state", checked.accounts + checked.slots + checked.nodes)));
    let stored = |table: &str| dump(folder.path(), &db).iter().filter(|(of, ..)| of == table).count() as u64;
    assert_eq!(checked.nodes, stored("account_nodes") + stored("storage_nodes"));
    // An account that is removed is not counted, and its slots are gone with it.
    let mut gone = StateChanges::default();
    gone.accounts.insert(address(0), openledger_stf::AccountChange { storage_wiped: true, ..Default::default() });
    db.commit_block(&block(&db, gone)).unwrap();
    let checked = db.check(|_| {}).unwrap();
    assert_eq!((checked.accounts, checked.slots, checked.nodes), (1, 0, 1));
}

#[test]
fn the_first_wrong_block_is_named() {
    let number = |number: u64| number.to_be_bytes();
    type Change = Box<dyn Fn(&DB, &rocksdb::ColumnFamily)>;
    let copy = |from: u64, to: u64| -> Change {
        Box::new(move |db, family| {
            let value = db.get_cf(family, number(from)).unwrap().unwrap();
            db.put_cf(family, number(to), value).unwrap();
        })
    };
    let cases: [(&str, u64, Change); 7] = [
        ("headers", 4, copy(5, 4)),
        ("bodies", 3, copy(2, 3)),
        ("receipts", 6, copy(5, 6)),
        ("hashes", 2, copy(1, 2)),
        ("senders", 7, Box::new(move |db, family| db.put_cf(family, number(7), [1; 20]).unwrap())),
        ("bodies", 5, Box::new(move |db, family| db.delete_cf(family, number(5)).unwrap())),
        ("receipts", 1, Box::new(move |db, family| db.put_cf(family, number(1), [0xc1]).unwrap())),
    ];
    for (table, expected, change) in cases {
        let folder = chain();
        tamper(folder.path(), table, change);
        match check(folder.path()) {
            Err(StorageError::WrongBlock { number, .. }) => assert_eq!(number, expected, "{table}"),
            other => panic!("{table}: {other:?}"),
        }
    }
}

/// Damages one value of a table, takes down what is said of it, and puts the value back.
fn said_of(folder: &Path, table: &str, key: &[u8], value: Option<&[u8]>) -> String {
    let put = |value: Option<&[u8]>| {
        let mut before = None;
        tamper(folder, table, |db, family| {
            before = db.get_cf(family, key).unwrap();
            match value {
                Some(value) => db.put_cf(family, key, value).unwrap(),
                None => db.delete_cf(family, key).unwrap(),
            }
        });
        before
    };
    let before = put(value);
    assert_ne!(before.as_deref(), value, "nothing is damaged");
    let said = check(folder).expect_err("it is not seen").to_string();
    put(before.as_deref());
    said
}

/// Every key and value of a table.
fn rows(folder: &Path, table: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = dump(folder, &open(folder));
    all.into_iter().filter(|(of, ..)| of == table).map(|(_, key, value)| (key, value)).collect()
}

fn flipped(value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    *value.last_mut().unwrap() ^= 1;
    value
}

#[test]
fn a_sender_that_did_not_sign_is_named() {
    let folder = chain();
    let block = open(folder.path()).block(7).unwrap().unwrap();
    // The deposit has its sender written in it, the other has signed.
    for index in 0..2 {
        let mut senders = block.senders.clone();
        let (right, hash) = (senders[index], block.transactions[index].tx_hash());
        senders[index].0[19] ^= 1;
        let wrong = senders[index];
        let bytes: Vec<u8> = senders.iter().flat_map(|sender| sender.0.0).collect();
        let said = said_of(folder.path(), "senders", &7u64.to_be_bytes(), Some(&bytes));
        let expected =
            format!("block 7 is wrong: transaction {hash} is from {right}, stored as its sender is {wrong}.");
        assert!(said.starts_with(&expected), "{said}");
    }
    check(folder.path()).unwrap();
}

#[test]
fn every_node_of_the_tries_is_looked_at() {
    let folder = chain();
    for table in ["account_nodes", "storage_nodes"] {
        let nodes = rows(folder.path(), table);
        assert!(nodes.len() >= 3, "{table} has {}", nodes.len());
        for (key, rlp) in nodes {
            let path = &key[if table == "storage_nodes" { 32 } else { 0 }..];
            let path = Nibbles::unpack(&path[1..]).slice(..usize::from(path[0]));
            let place = format!(
                "at path {path:?} (storage of {})",
                match table {
                    "storage_nodes" => format!("Some({})", keccak256(address(0))),
                    _ => "None".to_owned(),
                }
            );
            let missing = said_of(folder.path(), table, &key, None);
            assert!(missing.contains(&format!("{place} is missing")), "{missing}, not {place}");
            let wrong = said_of(folder.path(), table, &key, Some(&flipped(&rlp)));
            let expected =
                format!("{place} hashes to {}, its parent says {}", keccak256(flipped(&rlp)), keccak256(&rlp));
            assert!(wrong.contains(&expected), "{wrong}, not {expected}");
        }
    }
    check(folder.path()).unwrap();
}

#[test]
fn what_no_trie_leads_to_is_named() {
    let folder = chain();
    let owner = |index: u8| keccak256(address(index)).to_vec();
    let leaf = rows(folder.path(), "account_nodes").pop().unwrap();
    let mut beside = leaf.0.clone();
    *beside.last_mut().unwrap() ^= 0x10;
    let mut longer = leaf.0.clone();
    longer[0] = 64;
    longer.resize(33, 0);
    let strays = [
        ("account_nodes", beside),
        ("account_nodes", longer),
        ("account_nodes", vec![]),
        ("account_nodes", [&[64][..], &[7; 40]].concat()),
        ("storage_nodes", [&owner(0)[..], &[3, 0xf0, 0]].concat()),
        // An account without storage, one that does not exist, and no account at all.
        ("storage_nodes", [&owner(1)[..], &[0]].concat()),
        ("storage_nodes", [&owner(9)[..], &[0]].concat()),
        ("storage_nodes", vec![1, 2, 3]),
    ];
    for (table, key) in strays {
        assert!(rows(folder.path(), table).iter().all(|(known, _)| *known != key), "{table} has {key:x?} anyway");
        let said = said_of(folder.path(), table, &key, Some(&leaf.1));
        let expected = format!("no trie leads to what {table} holds under the key {}", hex::encode_prefixed(&key));
        assert!(said.contains(&expected), "{said}, not {expected}");
    }
    check(folder.path()).unwrap();
}

#[test]
fn an_account_or_slot_that_is_not_its_leaf_is_named() {
    let folder = chain();
    let slot_key = |account: u8, index: u8| [address(account).as_slice(), slot(index).as_slice()].concat();
    let accounts = rows(folder.path(), "accounts");
    let code = keccak256([0x60, 0x00]);
    let cases = [
        (
            "slots",
            slot_key(0, 1),
            Some(vec![77]),
            format!("slot {} of {} is 0x4d in its table, 0x09", slot(1), address(0)),
        ),
        ("slots", slot_key(0, 200), Some(vec![1]), "is 0x01 in its table, nothing in the trie".to_owned()),
        ("slots", slot_key(0, 2), None, format!("the trie has 9 slots of {}, their table has 8", address(0))),
        ("slots", slot_key(1, 2), Some(vec![1]), format!("slot {} of {} is 0x01", slot(2), address(1))),
        ("slots", [&[0; 20][..], slot(1).as_slice()].concat(), Some(vec![1]), "belongs to no account".to_owned()),
        ("slots", slot_key(9, 1), Some(vec![1]), "belongs to no account".to_owned()),
        ("accounts", address(0).to_vec(), Some(accounts[1].1.clone()), format!("account {} is 0x", address(0))),
        ("accounts", address(5).to_vec(), Some(accounts[1].1.clone()), format!("account {} is 0x", address(5))),
        ("accounts", address(1).to_vec(), None, "the trie has 2 accounts, their table has 1".to_owned()),
        ("accounts", address(0).to_vec(), None, format!("the slot under the key {}", address(0)).to_lowercase()),
        ("codes", code.to_vec(), Some(vec![0x61]), format!("the code kept under {code} has another hash")),
        ("codes", code.to_vec(), None, format!("the code of {} is missing", address(1))),
    ];
    for (table, key, value, expected) in cases {
        let said = said_of(folder.path(), table, &key, value.as_deref());
        assert!(
            said.starts_with(&format!("block {BLOCKS} is wrong: ")) && said.contains(&expected),
            "{said}, not {expected}"
        );
    }
    check(folder.path()).unwrap();
}

#[test]
fn an_empty_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Database::open(folder.path(), &OPTIONS).unwrap().check(|_| {}), Err(StorageError::NoGenesis)));
}
