//! `check` finds what does not hold together, and names the first block of it.

mod support;

use std::path::Path;

use alloy_primitives::keccak256;
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
    assert_eq!(seen.last(), Some(&("accounts", 1)));
    // An account that is removed is not counted, and its slots are gone with it.
    let mut gone = StateChanges::default();
    gone.accounts.insert(address(0), openledger_stf::AccountChange { storage_wiped: true, ..Default::default() });
    db.commit_block(&block(&db, gone)).unwrap();
    let checked = db.check(|_| {}).unwrap();
    assert_eq!((checked.accounts, checked.slots), (1, 0));
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

#[test]
fn a_state_that_does_not_lead_to_its_root_is_found() {
    let key = |index: u8| [address(0).as_slice(), slot(index).as_slice()].concat();
    type Change = Box<dyn Fn(&DB, &rocksdb::ColumnFamily)>;
    let cases: [(&str, Change); 5] = [
        ("slots", Box::new(move |db, family| db.put_cf(family, key(1), [77]).unwrap())),
        ("slots", Box::new(move |db, family| db.delete_cf(family, key(2)).unwrap())),
        ("accounts", Box::new(|db, family| db.delete_cf(family, address(1)).unwrap())),
        ("accounts", Box::new(|db, family| db.delete_cf(family, address(0)).unwrap())),
        ("codes", Box::new(|db, family| db.put_cf(family, keccak256([0x60, 0x00]), [0x61]).unwrap())),
    ];
    for (table, change) in cases {
        let folder = chain();
        tamper(folder.path(), table, change);
        match check(folder.path()) {
            Err(StorageError::WrongBlock { number, .. }) => assert_eq!(number, BLOCKS, "{table}"),
            other => panic!("{table}: {other:?}"),
        }
    }
}

#[test]
fn an_empty_database_says_so() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Database::open(folder.path(), &OPTIONS).unwrap().check(|_| {}), Err(StorageError::NoGenesis)));
}
