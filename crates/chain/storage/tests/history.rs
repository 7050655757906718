//! Random chains against a model: every height reads as it was, its roots and proofs hold, unwinding restores exactly what
//! was there, and pruning forgets only what it says.

mod support;

use alloy_primitives::{U256, keccak256};
use alloy_trie::{Nibbles, proof::verify_proof};
use openledger_stf::{AccountChange, StateChanges, StateReader};
use openledger_storage::{Database, StorageError};
use proptest::{collection::vec, prelude::*};
use support::*;

const ACCOUNTS: u8 = 4;
const SLOTS: u8 = 5;

fn change() -> impl Strategy<Value = AccountChange> {
    let slots = vec((0..SLOTS, prop_oneof![Just(0), 1..9u64, Just(u64::MAX)]), 0..5);
    prop_oneof![
        1 => Just(AccountChange::default()),
        8 => (1..9u64, 0..9u64, slots, prop::bool::weighted(0.15)).prop_map(|(nonce, balance, slots, wiped)| {
            AccountChange { storage_wiped: wiped, ..changed(account(nonce, balance), &slots) }
        }),
    ]
}

fn block_changes() -> impl Strategy<Value = StateChanges> {
    proptest::collection::btree_map(0..ACCOUNTS, change(), 0..4)
        .prop_map(|of| changes(&of.into_iter().collect::<Vec<_>>()))
}

/// What execution never produces: slots of an account that is gone, zeros where there is nothing after a wipe.
fn sensible(model: &Model, mut changes: StateChanges) -> StateChanges {
    changes.accounts.retain(|address, change| change.account.is_some() || model.0.contains_key(address));
    changes
}

fn check(db: &Database, number: u64, model: &Model) {
    let view = db.state_at(number).unwrap();
    let root = model.root();
    assert_eq!(view.state_root(), root, "the root of block {number}");
    let slots: Vec<_> = (0..SLOTS).map(slot).collect();
    for index in 0..ACCOUNTS {
        let address = address(index);
        let expected = model.0.get(&address);
        assert_eq!(view.account(&address).unwrap(), expected.map(|(account, _)| *account));
        let proof = view.proof(address, &slots).unwrap();
        let value = proof.account.map(alloy_rlp::encode);
        assert_eq!(proof.account.is_some(), expected.is_some());
        verify_proof(root, Nibbles::unpack(keccak256(address)), value, &proof.nodes).unwrap();
        for (slot, storage) in slots.iter().zip(&proof.storage) {
            let value = expected.and_then(|(_, slots)| slots.get(slot).copied()).unwrap_or_default();
            assert_eq!(view.storage(&address, slot).unwrap(), value);
            assert_eq!(storage.value, value);
            if let Some(account) = proof.account {
                let encoded = (value != U256::ZERO).then(|| alloy_rlp::encode(value));
                let key = Nibbles::unpack(keccak256(slot));
                verify_proof(account.storage_root, key, encoded, &storage.nodes).unwrap();
            }
        }
    }
}

/// Commits the changes block by block and returns the state after each block, genesis first.
fn extend(db: &Database, models: &mut Vec<Model>, history: Vec<StateChanges>) {
    for changes in history {
        let mut model = models.last().unwrap().clone();
        let changes = sensible(&model, changes);
        model.apply(&changes);
        db.commit_block(&block(db, changes)).unwrap();
        models.push(model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_height_is_as_it_was(
        first in block_changes(),
        history in vec(block_changes(), 1..10),
        other in vec(block_changes(), 0..5),
        to in any::<prop::sample::Index>(),
        prune in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path());
        let first = sensible(&Model::default(), first);
        let mut models = vec![Model::default()];
        models[0].apply(&first);
        prop_assert!(db.init_genesis(&genesis(&first), &first).unwrap());
        extend(&db, &mut models, history);
        for (number, model) in models.iter().enumerate() {
            check(&db, number as u64, model);
        }

        // Back to some height, and on along another branch.
        let to = to.index(models.len());
        let above = db.latest().unwrap();
        let removed = db.unwind_to(to as u64).unwrap();
        prop_assert_eq!(removed.len(), models.len() - 1 - to);
        if !removed.is_empty() {
            prop_assert!(above.account(&address(0)).unwrap_err().to_string().contains("unwound"));
        }
        models.truncate(to + 1);
        prop_assert_eq!(db.head().unwrap().number, to as u64);
        extend(&db, &mut models, other);
        drop((db, above));
        let db = open(folder.path());
        for (number, model) in models.iter().enumerate() {
            check(&db, number as u64, model);
        }

        let from = prune.index(models.len());
        db.prune_history(from as u64).unwrap();
        for (number, model) in models.iter().enumerate() {
            if number < from {
                let error = db.state_at(number as u64).unwrap_err();
                let pruned = matches!(error, StorageError::Pruned { .. });
                prop_assert!(pruned);
            } else {
                check(&db, number as u64, model);
            }
        }
    }
}

#[test]
fn an_unwound_chain_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let first = changes(&[(0, changed(account(1, 1), &[(1, 1), (2, 2)]))]);
    db.init_genesis(&genesis(&first), &first).unwrap();
    let before = dump(folder.path(), &db);
    for nonce in 2..6 {
        let wipe = AccountChange { storage_wiped: nonce == 4, ..changed(account(nonce, 7), &[(1, nonce), (9, 3)]) };
        db.commit_block(&block(&db, changes(&[(0, wipe), (1, changed(account(nonce, 0), &[]))]))).unwrap();
    }
    assert_ne!(dump(folder.path(), &db), before);
    db.unwind_to(0).unwrap();
    assert_eq!(dump(folder.path(), &db), before);
}

/// Every key and value on disk, through a second handle that only reads.
fn dump(path: &std::path::Path, _open: &Database) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let options = rocksdb::Options::default();
    let names = rocksdb::DB::list_cf(&options, path).unwrap();
    let db = rocksdb::DB::open_cf_for_read_only(&options, path, &names, false).unwrap();
    let mut all = Vec::new();
    for name in names {
        let family = db.cf_handle(&name).unwrap();
        for item in db.iterator_cf(family, rocksdb::IteratorMode::Start) {
            let (key, value) = item.unwrap();
            all.push((name.clone(), key.into_vec(), value.into_vec()));
        }
    }
    all
}

#[test]
fn a_view_stays_the_same_while_blocks_are_committed_and_pruned() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let first = changes(&[(0, changed(account(1, 0), &[(1, 1)]))]);
    db.init_genesis(&genesis(&first), &first).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while db.head().unwrap().number < 150 {
                    let view = db.latest().unwrap();
                    let nonce = view.block().number + 1;
                    for _ in 0..20 {
                        assert_eq!(view.account(&address(0)).unwrap().unwrap().nonce, nonce);
                        assert_eq!(view.storage(&address(0), &slot(1)).unwrap(), U256::from(nonce));
                    }
                }
            });
        }
        for nonce in 2..=151 {
            db.commit_block(&block(&db, changes(&[(0, changed(account(nonce, 0), &[(1, nonce)]))]))).unwrap();
        }
    });
}
