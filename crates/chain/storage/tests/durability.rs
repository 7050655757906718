//! What is committed stays, however the process ends; what is damaged is said.

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
};

use openledger_stf::{StateChanges, StateReader};
use openledger_storage::{Database, Retention, StorageError};
use support::*;
use tempfile::TempDir;

fn chain(blocks: u64) -> (TempDir, Database) {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let first = changes(&[(0, changed(account(1, 100), &[(1, 1)]))]);
    db.init_genesis(&genesis(&first), &first).unwrap();
    for nonce in 2..blocks + 2 {
        db.commit_block(&block(&db, changes(&[(0, changed(account(nonce, 100), &[(1, nonce)]))]))).unwrap();
    }
    (folder, db)
}

/// The files as a killed process leaves them: copied while the database is open, nothing flushed or closed.
fn killed(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "LOCK" {
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    copy
}

fn write_ahead_log(folder: &Path) -> PathBuf {
    let logs = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap()
}

#[test]
fn everything_survives_a_kill() {
    let (folder, db) = chain(20);
    db.set_cursor(b"epoch 7").unwrap();
    let safe = db.header(5).unwrap().unwrap();
    db.set_safe(alloy_eips::BlockNumHash::new(5, safe.hash())).unwrap();
    let copy = killed(folder.path());
    let again = open(copy.path());
    assert_eq!(again.heads().unwrap(), db.heads().unwrap());
    assert_eq!(again.cursor().unwrap().unwrap(), b"epoch 7");
    for number in 0..=20 {
        assert_eq!(again.block(number).unwrap(), db.block(number).unwrap());
        assert_eq!(again.state_at(number).unwrap().account(&address(0)).unwrap().unwrap().nonce, number + 1);
    }
    again.commit_block(&block(&again, changes(&[(0, changed(account(99, 1), &[]))]))).unwrap();
}

#[test]
fn a_torn_last_write_costs_only_that_block() {
    let (folder, db) = chain(20);
    let head = db.head().unwrap();
    let copy = killed(folder.path());
    let log = write_ahead_log(copy.path());
    let length = fs::metadata(&log).unwrap().len();
    fs::File::options().write(true).open(&log).unwrap().set_len(length - 30).unwrap();
    let again = open(copy.path());
    let lost = again.head().unwrap();
    assert_eq!(lost.number, head.number - 1);
    let view = again.latest().unwrap();
    assert_eq!(view.account(&address(0)).unwrap().unwrap().nonce, head.number);
    view.proof(address(0), &[slot(1)]).unwrap();
    assert_eq!(again.block(head.number).unwrap(), None);
}

#[test]
fn damage_in_the_middle_is_an_error_not_a_shorter_chain() {
    let (folder, _db) = chain(20);
    let copy = killed(folder.path());
    let log = write_ahead_log(copy.path());
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&log, bytes).unwrap();
    let error = Database::open(copy.path(), &OPTIONS).unwrap_err();
    assert!(matches!(error, StorageError::Corrupted(_)), "{error}");
    assert!(error.to_string().contains("derive the chain from L1 again"));
}

#[test]
fn each_way_not_to_open_says_what_to_do() {
    let (folder, db) = chain(1);
    let error = Database::open(folder.path(), &OPTIONS).unwrap_err();
    assert!(matches!(error, StorageError::Locked { .. }), "{error}");
    drop(db);

    let other = changes(&[(3, changed(account(1, 1), &[]))]);
    let db = open(folder.path());
    let error = db.init_genesis(&genesis(&other), &other).unwrap_err();
    assert!(matches!(error, StorageError::Genesis { .. }), "{error}");
    let same = changes(&[(0, changed(account(1, 100), &[(1, 1)]))]);
    assert!(!db.init_genesis(&genesis(&same), &same).unwrap(), "the same genesis again is nothing to do");
    drop(db);

    let options = rocksdb::Options::default();
    let names = rocksdb::DB::list_cf(&options, folder.path()).unwrap();
    let raw = rocksdb::DB::open_cf(&options, folder.path(), &names).unwrap();
    raw.put_cf(raw.cf_handle("meta").unwrap(), b"schema", 999u64.to_be_bytes()).unwrap();
    drop(raw);
    let error = Database::open(folder.path(), &OPTIONS).unwrap_err();
    assert!(matches!(error, StorageError::Schema { .. }), "{error}");

    let file = folder.path().join("a file");
    fs::write(&file, b"").unwrap();
    let error = Database::open(file.join("db"), &OPTIONS).unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");

    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(open(empty.path()).latest().unwrap_err(), StorageError::NoGenesis));
}

#[test]
fn only_the_next_block_with_the_right_root_is_taken() {
    let (_folder, db) = chain(3);
    let good = block(&db, changes(&[(0, changed(account(9, 9), &[]))]));

    let mut stranger = good.clone();
    stranger.block.header.parent_hash = slot(1);
    assert!(matches!(db.commit_block(&stranger).unwrap_err(), StorageError::NotNext { .. }));

    let mut wrong = good.clone();
    wrong.changes = changes(&[(0, changed(account(10, 9), &[]))]);
    wrong.block.header.state_root = slot(3);
    assert!(matches!(db.commit_block(&wrong).unwrap_err(), StorageError::WrongRoot { .. }));
    assert_eq!(db.head().unwrap().number, 3);

    // The refusals threw away what `roots` had computed: it is computed again.
    db.commit_block(&good).unwrap();
    assert_eq!(db.head().unwrap().number, 4);
    assert!(matches!(db.commit_block(&good).unwrap_err(), StorageError::NotNext { .. }));
}

#[test]
fn heads_and_history_bound_an_unwind() {
    let (_folder, db) = chain(10);
    let id = |number| alloy_eips::BlockNumHash::new(number, db.hash(number).unwrap().unwrap());
    db.set_finalized(id(3)).unwrap();
    db.set_safe(id(8)).unwrap();
    assert!(matches!(db.set_safe(alloy_eips::BlockNumHash::new(8, slot(1))), Err(StorageError::UnknownBlock(_))));
    assert!(matches!(db.unwind_to(2), Err(StorageError::Finalized { .. })));
    assert!(matches!(db.unwind_to(11), Err(StorageError::UnknownBlock(_))));
    assert_eq!(db.unwind_to(10).unwrap(), []);
    db.set_finalized(id(5)).unwrap();
    assert_eq!(db.prune_history(&Retention { state: 0, withdrawals: 0 }).unwrap(), 5, "not beyond the finalized block");
    db.set_finalized(id(3)).unwrap();
    assert!(matches!(db.unwind_to(4), Err(StorageError::Pruned { .. })));
    let expected = [id(10), id(9), id(8), id(7)];
    assert_eq!(db.unwind_to(6).unwrap(), expected);
    assert_eq!(db.heads().unwrap().safe, id(6));
    assert_eq!(db.stats().unwrap().history_from, 5);
}

#[test]
fn an_empty_block_is_a_block() {
    let (_folder, db) = chain(1);
    db.commit_block(&block(&db, StateChanges::default())).unwrap();
    assert_eq!(db.latest().unwrap().state_root(), db.state_at(1).unwrap().state_root());
}
