use std::io::Write;

use alloy_primitives::{Address, address, b256};
use proptest::prelude::*;
use tempfile::NamedTempFile;

use super::*;

fn file(text: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_ref()).unwrap();
    file
}

fn read(text: impl AsRef<[u8]>, skip: bool) -> Result<(Dataset, ReadSummary)> {
    Dataset::read(file(text).path(), &JsonlFields::default(), &Contributors::Development, skip)
}

#[test]
fn reads_the_usual_names_of_fields() {
    let rows = r#"{"q":"one?","a":" 1 ","category":"x","sources":["s"]}
{"instruction":"two?","output":"2","contributor":"y"}

{"prompt":"three?","completion":"3","contributor":"0x00000000000000000000000000000000000000aa"}
{"q":"one?","a":"1","category":"x"}"#;
    let (dataset, summary) = read(rows, false).unwrap();
    assert_eq!(summary, ReadSummary { skipped: vec![], duplicates: 1 });
    let answers: Vec<_> = dataset.data().iter().map(|d| (d.id, d.answer.as_str())).collect();
    assert_eq!(answers, [(0, "1"), (1, "2"), (2, "3")]);
    assert_eq!(dataset.data()[2].address, address!("00000000000000000000000000000000000000aa"));
    assert_eq!(dataset.data()[0].address, development_address("x"));
    assert_eq!(dataset.contributors()["x"].1, 1);
}

#[test]
fn reports_every_bad_row_with_its_line() {
    let long = format!("{{\"q\":\"{}\"}}", "x".repeat(MAX_LINE));
    let rows = format!(
        "{{\"q\":\"\",\"a\":\"1\",\"category\":\"x\"}}\n[]\n{long}\nnot json\n\
         {{\"q\":\"ok\",\"a\":\"1\",\"category\":\"x\"}}\n{{\"q\":1,\"a\":\"1\",\"category\":\"x\"}}\n{{\"q\":\"1\",\"a\":\"1\"}}"
    );
    let error = read(&rows, false).unwrap_err();
    let Error::Rows { rows: bad, .. } = &error else { panic!("{error}") };
    assert_eq!(bad.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7]);
    assert!(error.to_string().contains("line 7: no contributor: none of the members contributor, category"), "{error}");
    let (dataset, summary) = read(&rows, true).unwrap();
    assert_eq!((dataset.len(), summary.skipped.len()), (1, 6));
    assert!(matches!(read("", true), Err(Error::Empty { .. })));
    assert!(matches!(read(b"\xff\xfe", true), Err(Error::Empty { .. })));
}

#[test]
fn contributors_are_never_guessed() {
    let listed = file(r#"{"x":"0x00000000000000000000000000000000000000aa"}"#);
    let listed = Contributors::open(listed.path()).unwrap();
    assert_eq!(listed.address("x").unwrap(), address!("00000000000000000000000000000000000000aa"));
    assert!(matches!(listed.address("y"), Err(Error::UnknownContributor { .. })));
    assert!(listed.address(&Address::ZERO.to_string()).is_err());
    for bad in ["[]", r#"{"x":"0x1"}"#, r#"{"x":"0x0000000000000000000000000000000000000000"}"#, "{"] {
        assert!(matches!(Contributors::open(file(bad).path()), Err(Error::Contributors { .. })), "{bad}");
    }
}

#[test]
fn limits_evenly_and_splits_without_loss() {
    let rows: String = [("x", 6), ("y", 1), ("z", 3)]
        .iter()
        .flat_map(|(name, n)| {
            (0..*n).map(move |i| format!("{{\"q\":\"{name}{i}\",\"a\":\"1\",\"category\":\"{name}\"}}\n"))
        })
        .collect();
    let (dataset, _) = read(&rows, false).unwrap();
    let questions = |d: &Dataset| d.data().iter().map(|d| d.question.clone()).collect::<Vec<_>>();
    assert_eq!(questions(&dataset.clone().limited(6)), ["x0", "x1", "x2", "y0", "z0", "z1"]);
    let (training, evaluation) = dataset.clone().split(0.3, 1);
    assert_eq!((training.len(), evaluation.len()), (7, 3));
    assert!(training.data().iter().enumerate().all(|(i, datum)| datum.id as usize == i));
    let mut all = [questions(&training), questions(&evaluation)].concat();
    all.sort();
    assert_eq!(all, questions(&dataset));
    assert_eq!(dataset.split(0.3, 1).0, training);
}

#[test]
fn survives_the_way_to_disk_and_back() {
    let (dataset, _) = read("{\"q\":\"å \\u0001\\\"\",\"a\":\"\\\\n\",\"category\":\"ö\"}", false).unwrap();
    let stored = file(dataset.to_jsonl());
    let again = Dataset::open(stored.path()).unwrap();
    assert_eq!(again, dataset);
    assert_eq!(again.root(), dataset.root());
    let mut bytes = dataset.to_jsonl();
    bytes.extend(dataset.to_jsonl());
    assert!(matches!(Dataset::open(file(bytes).path()), Err(Error::Damaged { .. })), "the id 0 twice");
    assert!(matches!(Dataset::open(file("{").path()), Err(Error::Damaged { .. })));
}

#[test]
fn canonical_json_is_rfc_8785() {
    let datum = Datum {
        id: 0,
        address: Address::ZERO,
        contributor: "å/€".into(),
        question: "a \"b\"\\\n\u{1f}\u{7f}".into(),
        answer: "\u{8}\u{c}\r\t😀".into(),
    };
    let expected =
        "{\"answer\":\"\\b\\f\\r\\t😀\",\"contributor\":\"å/€\",\"question\":\"a \\\"b\\\"\\\\\\n\\u001f\u{7f}\"}";
    assert_eq!(datum.canonical_json(), expected);
}

#[test]
fn the_root_follows_the_specification() {
    let (dataset, _) =
        read(r#"{"q":"Q","a":"A","contributor":"0x00000000000000000000000000000000000000aa"}"#, false).unwrap();
    // Made with Foundry: cast keccak (cast keccak (cast abi-encode "f(uint32,address,bytes32)" 0 0x…aa (cast keccak
    // '{"answer":"A","contributor":"0x…aa","question":"Q"}'))), and cast keccak of the name's prefix.
    assert_eq!(dataset.root(), b256!("4a6a1866c909e991efbdd88d15adb563f2626bdccbd54d818baba9796bcb7e2a"));
    assert_eq!(development_address("x"), address!("c7ca7b778754121e8e01e2c936b248025e66fba6"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, true);
        let _ = Dataset::open(file(&bytes).path());
    }
}
