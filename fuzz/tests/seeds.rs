//! Each target on its seeds, on damaged seeds and on random bytes.

use openledger_fuzz::{batches, config, l1, transactions, tries};
use openledger_testing::workspace;
use proptest::{collection::vec, prelude::*, sample::Index};
use std::{fs, sync::LazyLock};

/// What must hold for any bytes.
type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 5] = [
    ("batches", batches),
    ("l1", l1),
    ("transactions", transactions),
    ("tries", tries),
    ("config", |bytes| {
        config(bytes);
    }),
];

/// The seeds of each target.
static SEEDS: LazyLock<[Vec<Vec<u8>>; 5]> = LazyLock::new(|| {
    TARGETS.map(|(name, _)| {
        let folder = workspace().join("fuzz/seeds").join(name);
        let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    })
});

#[test]
fn seeds() {
    for ((name, target), seeds) in TARGETS.iter().zip(SEEDS.iter()) {
        assert!(!seeds.is_empty(), "{name} has none");
        seeds.iter().for_each(|seed| target(seed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]
    #[test]
    fn damaged_seeds(
        which in 0..TARGETS.len(), seed in any::<Index>(), changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<Index>()),
    ) {
        let mut bytes = seed.get(&SEEDS[which]).clone();
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        TARGETS[which].1(&bytes);
    }

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..300)) {
        TARGETS.iter().for_each(|(_, target)| target(&bytes));
    }
}
