//! Pruning forgets what it says and nothing else: every block that is kept reads and proves as before, the message passer for
//! longer than the rest, and the chain can still be unwound.

mod support;

use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, U256};
use openledger_stf::StateReader;
use openledger_storage::{Database, Retention, StorageError};
use proptest::{collection::vec, prelude::*};
use support::{random::*, *};

/// Prunes to the end, batch by batch.
fn prune(db: &Database, keep: Retention) {
    while db.prune_history(&keep).unwrap() > 0 {}
}

/// Checks every block against its model, given the oldest one whose state is kept and the oldest one at which the message passer is.
fn check_all(db: &Database, models: &[Model], state: u64, withdrawals: u64) {
    for (number, model) in (0..).zip(models) {
        if number >= state {
            check(db, number, model);
        } else {
            let error = db.state_at(number).unwrap_err();
            assert!(matches!(error, StorageError::Pruned { oldest, .. } if oldest == state), "{error}");
            let error = db.proof_at(number, address(0), &[]).unwrap_err();
            assert!(matches!(error, StorageError::Pruned { .. }), "{error}");
        }
        match db.state_of(number, &address(PASSER)) {
            Ok(view) => {
                assert!(number >= withdrawals);
                check_account(&view, PASSER, model);
                // The view is of the message passer only.
                assert_eq!(view.account(&address(0)).is_ok(), number >= state);
            }
            Err(error) => {
                assert!(matches!(error, StorageError::Pruned { oldest, .. } if oldest == withdrawals), "{error}");
                assert!(number < withdrawals);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_as_it_was(
        first in block_changes(),
        history in vec(block_changes(), 1..14),
        other in vec(block_changes(), 0..5),
        finalized in any::<prop::sample::Index>(),
        state in 0..14u64,
        more in 0..6u64,
        to in any::<prop::sample::Index>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let db = open(folder.path());
        let first = sensible(&Model::default(), first);
        let mut models = vec![Model::default()];
        models[0].apply(&first);
        db.init_genesis(&genesis(&first), &first).unwrap();
        extend(&db, &mut models, history);

        let finalized = finalized.index(models.len()) as u64;
        let id = BlockNumHash::new(finalized, db.hash(finalized).unwrap().unwrap());
        db.set_safe(id).unwrap();
        db.set_finalized(id).unwrap();
        let keep = Retention { state, withdrawals: state + more };
        let oldest = |models: &[Model], blocks: u64| (models.len() as u64 - 1).saturating_sub(blocks).min(finalized);
        let (oldest_state, oldest_withdrawals) = (oldest(&models, state), oldest(&models, state + more));
        prune(&db, keep);
        check_all(&db, &models, oldest_state, oldest_withdrawals);
        let stats = db.stats().unwrap();
        prop_assert_eq!((stats.history_from, stats.withdrawals_from), (oldest_state, oldest_withdrawals));

        // Back to some block that is not finalized, on along another branch, and pruned again after a restart.
        let to = finalized as usize + to.index(models.len() - finalized as usize);
        db.unwind_to(to as u64).unwrap();
        models.truncate(to + 1);
        check_all(&db, &models, oldest_state, oldest_withdrawals);
        extend(&db, &mut models, other);
        drop(db);
        let db = open(folder.path());
        check_all(&db, &models, oldest_state, oldest_withdrawals);
        prune(&db, keep);
        let again = (oldest(&models, state).max(oldest_state), oldest(&models, state + more).max(oldest_withdrawals));
        check_all(&db, &models, again.0, again.1);
    }
}

/// A chain in which every block changes `slots` slots of an account and one of the message passer, all of it final.
fn wide_chain(folder: &std::path::Path, blocks: u64, slots: u64) -> Database {
    let db = open(folder);
    let first = changes(&[(0, changed(account(1, 1), &[])), (PASSER, changed(account(1, 0), &[]))]);
    db.init_genesis(&genesis(&first), &first).unwrap();
    for number in 1..=blocks {
        let mut wide = changed(account(number + 1, 1), &[]);
        wide.storage = (0..slots).map(|slot| (B256::from(U256::from(slot)), U256::from(number))).collect();
        let sent = changed(account(1, 0), &[(number as u8, 1)]);
        db.commit_block(&block(&db, changes(&[(0, wide), (PASSER, sent)]))).unwrap();
    }
    let head = db.head().unwrap();
    db.set_safe(head).unwrap();
    db.set_finalized(head).unwrap();
    db
}

#[test]
fn a_batch_is_bounded_and_blocks_are_committed_between_batches() {
    let folder = tempfile::tempdir().unwrap();
    let db = wide_chain(folder.path(), 12, 600);
    let keep = Retention { state: 2, withdrawals: 5 };
    let first = db.prune_history(&keep).unwrap();
    assert!((1..10).contains(&first), "{first} blocks of 600 slots in one batch");
    assert_eq!(db.oldest_state(), first);
    // What a batch left behind is whole, and a block fits between two batches.
    assert!(db.state_at(first).unwrap().proof(address(0), &[slot(7)]).is_ok());
    db.commit_block(&block(&db, changes(&[(0, changed(account(99, 1), &[(7, 77)]))]))).unwrap();
    prune(&db, keep);
    let stats = db.stats().unwrap();
    assert_eq!((stats.history_from, stats.withdrawals_from), (11, 8));
    assert_eq!(db.state_at(12).unwrap().storage(&address(0), &slot(7)).unwrap(), U256::from(12));
    assert_eq!(db.state_at(11).unwrap().storage(&address(0), &slot(7)).unwrap(), U256::from(11));
}

#[test]
fn what_is_forgotten_is_gone_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let db = wide_chain(folder.path(), 9, 20);
    let count = |name: &str| dump(folder.path(), &db).iter().filter(|(table, ..)| table == name).count();
    let before = count("history");
    prune(&db, Retention { state: 0, withdrawals: 4 });
    // Four blocks of the message passer are left: the account, a slot, the root and the nodes on the way.
    assert_eq!(count("changesets"), 4);
    let left = count("history");
    assert!(left >= 4 * 3 && left < before / 4, "{left} of {before}");
    prune(&db, Retention { state: 0, withdrawals: 0 });
    assert_eq!((count("changesets"), count("history")), (0, 0));
}
