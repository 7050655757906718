use std::{fs, path::Path};

use alloy_primitives::keccak256;
use tempfile::TempDir;

use super::*;
use crate::{Bf16Rows, GradientLayout, MatrixSpec, QueryGradient, Statistics, influences};

fn layout() -> GradientLayout {
    let spec = |name: &str, shape| MatrixSpec { name: name.into(), shape };
    GradientLayout::new(vec![spec("a", [2, 3]), spec("b", [3, 2])]).unwrap()
}

fn identity() -> Identity {
    let hash = B256::repeat_byte;
    Identity { backbone: hash(1), adapter: hash(2), dataset_root: hash(3), max_tokens: 64 }
}

fn table(n: u32) -> Vec<DatumEntry> {
    let entry = |id| DatumEntry {
        id,
        contributor: Address::repeat_byte(id as u8 + 1),
        contributor_name: format!("contributor {id}"),
        content_hash: keccak256([id as u8]),
        preview: "How thick? \"Thick\"\nenough".into(),
    };
    (0..n).map(entry).collect()
}

fn gradient(id: usize) -> Vec<f32> {
    (0..12).map(|j| ((id * 7 + j * 3) % 11) as f32 / 4.0 - 1.0).collect()
}

fn build(parent: &Path, n: usize) -> Index {
    let mut builder = IndexBuilder::open(parent, identity(), layout(), &table(n as u32)).unwrap();
    while builder.next() < n {
        builder.push(&gradient(builder.next())).unwrap();
    }
    builder.finish().unwrap()
}

#[test]
fn scores_equal_those_of_rows_in_memory() {
    let folder = TempDir::new().unwrap();
    let index = build(folder.path(), 9);
    index.verify().unwrap();
    index.expect(B256::repeat_byte(1), B256::repeat_byte(2), None).unwrap();
    assert_eq!(index.data(), table(9));
    let rows = Bf16Rows::new(&(0..9).map(gradient).collect::<Vec<_>>()).unwrap();
    let query = QueryGradient::new(&layout(), gradient(4), 1.0).unwrap();
    let statistics = Statistics::of(&layout(), &rows).unwrap();
    assert_eq!(&statistics, index.statistics());
    assert_eq!(index.score(&query).unwrap(), influences(&layout(), &rows, &statistics, query.values()).unwrap());
}

#[test]
fn an_interrupted_build_goes_on_and_ends_in_the_same_bytes() {
    let (whole, torn) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let expected = build(whole.path(), 6).header().clone();
    let mut builder = IndexBuilder::open(torn.path(), identity(), layout(), &table(6)).unwrap();
    (0..4).for_each(|id| builder.push(&gradient(id)).unwrap());
    assert!(matches!(IndexBuilder::open(torn.path(), identity(), layout(), &table(6)), Err(Error::Busy { .. })));
    drop(builder);
    assert!(matches!(Index::open(torn.path()), Err(Error::Missing { .. })));

    // The fourth row cut off in the middle, the third's bytes lost: both are computed again.
    let rows = torn.path().join(PARTIAL).join(GRADIENTS);
    let mut bytes = fs::read(&rows).unwrap();
    bytes.truncate(24 * 3 + 5);
    bytes[24 * 2..24 * 3].fill(0);
    fs::write(&rows, &bytes).unwrap();
    let mut builder = IndexBuilder::open(torn.path(), identity(), layout(), &table(6)).unwrap();
    assert_eq!(builder.next(), 2);
    (2..6).for_each(|id| builder.push(&gradient(id)).unwrap());
    assert!(matches!(builder.push(&gradient(6)), Err(Error::Count { .. })));
    drop(builder); // killed between the last row and the header
    let builder = IndexBuilder::open(torn.path(), identity(), layout(), &table(6)).unwrap();
    assert_eq!(builder.next(), 6);
    assert_eq!(builder.finish().unwrap().header(), &expected);
}

#[test]
fn another_plan_starts_afresh_and_replaces_the_index() {
    let folder = TempDir::new().unwrap();
    let before = build(folder.path(), 3).header().commitment;
    let other = Identity { adapter: B256::repeat_byte(9), ..identity() };
    let mut builder = IndexBuilder::open(folder.path(), identity(), layout(), &table(2)).unwrap();
    builder.push(&gradient(0)).unwrap();
    drop(builder);
    let mut builder = IndexBuilder::open(folder.path(), other, layout(), &table(2)).unwrap();
    assert_eq!(builder.next(), 0);
    assert!(matches!(builder.push(&[0.0; 11]), Err(Error::Shape { .. })));
    assert!(matches!(builder.push(&[f32::NAN; 12]), Err(Error::NotFinite { .. })));
    (0..2).for_each(|id| builder.push(&gradient(id + 1)).unwrap());
    assert_eq!(Index::open(folder.path()).unwrap().header().commitment, before, "the old one serves until the end");
    let index = builder.finish().unwrap();
    assert_ne!(index.header().commitment, before);
    let mismatch = index.expect(B256::repeat_byte(1), B256::repeat_byte(2), None).unwrap_err();
    assert!(mismatch.to_string().contains("another adapter"), "{mismatch}");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["gradients"]);
}

#[test]
fn every_truncation_and_every_changed_byte_is_found() {
    let folder = TempDir::new().unwrap();
    build(folder.path(), 2);
    for name in [HEADER, TABLE, RECORDS, GRADIENTS] {
        let path = folder.path().join(FOLDER).join(name);
        let good = fs::read(&path).unwrap();
        for i in 0..good.len() {
            fs::write(&path, &good[..i]).unwrap();
            assert!(matches!(Index::open(folder.path()), Err(Error::Corrupt { .. })), "{name} cut to {i}");
            let mut bad = good.clone();
            bad[i] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            // A header may say something else and be sound (another adapter, say): `expect` is for that. It must not
            // pass as the same.
            match Index::open(folder.path()).and_then(|index| index.verify().map(|()| index)) {
                Err(Error::Corrupt { .. }) => {}
                Ok(index) if name == HEADER => assert_ne!(serde_json::to_vec_pretty(index.header()).unwrap(), good),
                other => panic!("{name}, byte {i}: {other:?}"),
            }
        }
        fs::write(&path, &good).unwrap();
    }
    Index::open(folder.path()).unwrap().verify().unwrap();
}

#[test]
fn a_hostile_header_does_not_allocate() {
    let folder = TempDir::new().unwrap();
    build(folder.path(), 2);
    let path = folder.path().join(FOLDER).join(HEADER);
    let good: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let cases = [
        ("/plan/data", serde_json::json!(u32::MAX)),
        ("/plan/matrices/0/shape", serde_json::json!([u64::MAX, u64::MAX])),
        ("/plan/matrices/0/shape", serde_json::json!([1u64 << 31, 1])),
        ("/plan/matrices/0/shape", serde_json::json!([0, 3])),
        ("/plan/matrices", serde_json::json!([])),
        ("/version", serde_json::json!(2)),
        ("/dtype", serde_json::json!("f64")),
    ];
    for (pointer, value) in cases {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        fs::write(&path, serde_json::to_vec(&bad).unwrap()).unwrap();
        assert!(matches!(Index::open(folder.path()), Err(Error::Corrupt { .. })), "{pointer}");
    }
}
