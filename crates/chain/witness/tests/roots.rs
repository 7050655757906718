//! Roots from a witness, over changes that no transaction makes since EIP-6780 as well: accounts that vanish with their
//! storage, and storage that is wiped and filled again.

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};
use openledger_primitives::{Block, Sealed, addresses::L2_TO_L1_MESSAGE_PASSER};
use openledger_stf::{Account, AccountChange, StateChanges, StateCommitter, StateRoots};
use openledger_storage::{Database, DatabaseOptions};
use openledger_witness::{Recorder, TrieState, Witness, open};
use proptest::{collection::btree_map, prelude::*};

fn address(index: u8) -> Address {
    if index == 0 { L2_TO_L1_MESSAGE_PASSER } else { Address::repeat_byte(index) }
}

fn change() -> impl Strategy<Value = AccountChange> {
    let value = prop_oneof![Just(0), any::<u64>()];
    let storage = btree_map((0..24u8).prop_map(B256::with_last_byte), value.prop_map(U256::from), 0..8);
    prop_oneof![
        1 => Just(AccountChange::default()),
        3 => (1..9u64, any::<bool>(), storage).prop_map(|(nonce, storage_wiped, storage)| AccountChange {
            account: Some(Account { nonce, ..Account::default() }),
            storage_wiped,
            storage,
        }),
    ]
}

fn state() -> impl Strategy<Value = StateChanges> {
    btree_map((0..12u8).prop_map(address), change(), 0..12)
        .prop_map(|accounts| StateChanges { accounts, ..StateChanges::default() })
}

/// The first state without what a genesis cannot have.
fn as_genesis(mut state: StateChanges) -> StateChanges {
    state.accounts.retain(|_, change| change.account.is_some());
    for change in state.accounts.values_mut() {
        change.storage_wiped = false;
        change.storage.retain(|_, value| !value.is_zero());
    }
    state
}

fn roots(witness: &Witness, parent: B256, changes: &StateChanges) -> Option<StateRoots> {
    open(witness, parent).unwrap().0.roots(changes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn roots_need_the_whole_witness(first in state(), changes in state()) {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(folder.path(), &DatabaseOptions { cache_bytes: 8 << 20, state_cache_bytes: 1 << 20, max_open_files: 64 }).unwrap();
        let first = as_genesis(first);
        let commitments = Database::genesis_roots(&first).unwrap();
        let header = Header {
            state_root: commitments.state_root,
            base_fee_per_gas: Some(1),
            withdrawals_root: Some(commitments.message_passer_root),
            ..Header::default()
        };
        let parent = Sealed::new(header.clone());
        db.init_genesis(&Block { header, body: Default::default() }, &first).unwrap();

        let view = db.latest().unwrap();
        let expected = view.roots(&changes).unwrap();
        let recorder = Recorder::new(&view, 1 << 20);
        prop_assert_eq!(TrieState::new(&recorder, parent.state_root).roots(&changes).unwrap(), expected);
        let witness = recorder.into_witness(&parent, |_| unreachable!("no block hash was asked for")).unwrap();
        prop_assert_eq!(roots(&witness, parent.hash(), &changes), Some(expected));
        for index in 0..witness.state.len() {
            let mut less = witness.clone();
            less.state.remove(index);
            prop_assert_eq!(roots(&less, parent.hash(), &changes), None);
        }
    }
}
