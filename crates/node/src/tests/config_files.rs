//! The two files that a node is started with, mutilated: they are refused, or make a chain, and nothing panics.

use alloy_genesis::Genesis;
use openledger_primitives::RollupConfig;
use openledger_stf::genesis::block_and_state;
use proptest::{collection::vec, prelude::*, sample::Index};

use super::actors::{Actor, genesis, rollup};

/// The files as `openledger deploy` writes them.
fn files() -> [String; 2] {
    let genesis = genesis();
    let rollup = rollup(&genesis, &Actor::new_l1());
    [serde_json::to_string(&genesis).unwrap(), serde_json::to_string(&rollup).unwrap()]
}

/// What a node does with them before it believes them.
fn read(bytes: &[u8]) -> bool {
    let genesis = serde_json::from_slice::<Genesis>(bytes).is_ok_and(|genesis| block_and_state(&genesis).is_ok());
    let rollup = serde_json::from_slice::<RollupConfig>(bytes).is_ok_and(|rollup| rollup.validate().is_ok());
    genesis || rollup
}

#[test]
fn whole_files_are_taken() {
    assert!(files().iter().all(|file| read(file.as_bytes())));
}

proptest! {
    #[test]
    fn mutilated_files_never_panic(
        which in 0usize..2,
        changes in vec((any::<Index>(), prop_oneof![any::<u8>(), prop::sample::select(&b"0f9-.e\"{}[],:"[..])]), 1..4),
        cut in proptest::option::of(any::<Index>()),
    ) {
        let mut bytes = files()[which].clone().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read(&bytes);
    }

    #[test]
    fn extreme_numbers_never_panic(field in any::<Index>(), number in prop::sample::select(
        &["0", "-1", "18446744073709551615", "\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"", "null"][..])
    ) {
        for file in files() {
            let mut value: serde_json::Value = serde_json::from_str(&file).unwrap();
            let number = serde_json::from_str(number).unwrap_or_default();
            replace(&mut value, &mut field.index(40), &number);
            read(value.to_string().as_bytes());
        }
    }
}

/// Replaces the scalar that comes after `skip` others.
fn replace(value: &mut serde_json::Value, skip: &mut usize, with: &serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, skip, with)),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| replace(item, skip, with)),
        scalar => {
            if *skip == 0 {
                *scalar = with.clone();
            }
            *skip = skip.wrapping_sub(1);
        }
    }
}
