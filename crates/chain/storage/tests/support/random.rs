//! Random changes, and what must hold after them.

use alloy_primitives::{U256, keccak256};
use alloy_trie::{Nibbles, proof::verify_proof};
use openledger_stf::{AccountChange, StateChanges, StateReader};
use openledger_storage::{Database, StateView};
use proptest::{collection::vec, prelude::*};

use super::{Model, account, address, block, changed, changes, slot};

pub(crate) const ACCOUNTS: u8 = 4;
pub(crate) const SLOTS: u8 = 5;

fn change() -> impl Strategy<Value = AccountChange> {
    let slots = vec((0..SLOTS, prop_oneof![Just(0), 1..9u64, Just(u64::MAX)]), 0..5);
    prop_oneof![
        1 => Just(AccountChange::default()),
        8 => (1..9u64, 0..9u64, slots, prop::bool::weighted(0.15)).prop_map(|(nonce, balance, slots, wiped)| {
            AccountChange { storage_wiped: wiped, ..changed(account(nonce, balance), &slots) }
        }),
    ]
}

pub(crate) fn block_changes() -> impl Strategy<Value = StateChanges> {
    proptest::collection::btree_map(0..ACCOUNTS, change(), 0..4)
        .prop_map(|of| changes(&of.into_iter().collect::<Vec<_>>()))
}

/// What execution never produces: slots of an account that is gone, zeros where there is nothing after a wipe.
pub(crate) fn sensible(model: &Model, mut changes: StateChanges) -> StateChanges {
    changes.accounts.retain(|address, change| change.account.is_some() || model.0.contains_key(address));
    changes
}

/// Everything about one block, read and proven.
pub(crate) fn check(db: &Database, number: u64, model: &Model) {
    let view = db.state_at(number).unwrap();
    assert_eq!(view.state_root(), model.root(), "the root of block {number}");
    for index in 0..ACCOUNTS {
        check_account(&view, index, model);
    }
}

/// One account of a block, read and proven.
pub(crate) fn check_account(view: &StateView, index: u8, model: &Model) {
    let (root, address) = (view.state_root(), address(index));
    let slots: Vec<_> = (0..SLOTS).map(slot).collect();
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

/// Commits the changes block by block and returns the state after each block, genesis first.
pub(crate) fn extend(db: &Database, models: &mut Vec<Model>, history: Vec<StateChanges>) {
    for changes in history {
        let mut model = models.last().unwrap().clone();
        let changes = sensible(&model, changes);
        model.apply(&changes);
        db.commit_block(&block(db, changes)).unwrap();
        models.push(model);
    }
}
