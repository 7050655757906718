//! The two files that a node is started with, as they are deployed: they are taken, and with extreme numbers in them they are
//! refused or make a chain. `openledger-fuzz` damages them in other ways.

use openledger_fuzz::config;
use proptest::{prelude::*, sample::Index};

use super::actors::{Actor, genesis, rollup};

/// The files as `openledger deploy` writes them.
fn files() -> [String; 2] {
    let genesis = genesis();
    let rollup = rollup(&genesis, &Actor::new_l1());
    [serde_json::to_string(&genesis).unwrap(), serde_json::to_string(&rollup).unwrap()]
}

#[test]
fn whole_files_are_taken() {
    assert!(files().iter().all(|file| config(file.as_bytes())));
}

proptest! {
    #[test]
    fn extreme_numbers_never_panic(field in any::<Index>(), number in prop::sample::select(
        &["0", "-1", "18446744073709551615", "\"0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"", "null"][..])
    ) {
        for file in files() {
            let mut value: serde_json::Value = serde_json::from_str(&file).unwrap();
            let number = serde_json::from_str(number).unwrap_or_default();
            replace(&mut value, &mut field.index(40), &number);
            config(value.to_string().as_bytes());
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
