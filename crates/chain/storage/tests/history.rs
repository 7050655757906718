//! Random chains against a model: every height reads as it was, its roots and proofs hold, and unwinding restores exactly what
//! was there.

mod support;

use alloy_primitives::U256;
use openledger_stf::{AccountChange, StateReader};
use proptest::{collection::vec, prelude::*};
use support::{random::*, *};

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_height_is_as_it_was(
        first in block_changes(),
        history in vec(block_changes(), 1..10),
        other in vec(block_changes(), 0..5),
        to in any::<prop::sample::Index>(),
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
