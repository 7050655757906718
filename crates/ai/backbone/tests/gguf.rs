//! Hostile files: whatever the bytes, parsing and loading end with a model or a typed error.

use std::io::Cursor;

use openledger_backbone::{
    BackboneError, Llama, LlamaConfig, Tokenizer,
    gguf::{Gguf, Value},
    testing::tiny_gguf,
};
use proptest::prelude::*;
use tch::Device;

fn load(bytes: &[u8]) -> Result<Llama, BackboneError> {
    let mut gguf = Gguf::parse(Cursor::new(bytes))?;
    let tokenizer = Tokenizer::from_gguf(&gguf)?;
    let config = LlamaConfig::from_gguf(&gguf, tokenizer.len())?;
    Llama::load(&mut gguf, config, Device::Cpu)
}

/// Where the data section begins: the end of the header is all that a mutation can make interesting.
fn header_len(bytes: &[u8]) -> usize {
    let gguf = Gguf::parse(Cursor::new(bytes)).unwrap();
    gguf.tensors.values().map(|info| info.offset).min().unwrap() as usize
}

#[test]
fn the_tiny_model_is_read() {
    let bytes = tiny_gguf(1);
    let gguf = Gguf::parse(Cursor::new(&bytes)).unwrap();
    assert_eq!(gguf.string("general.architecture").unwrap(), "llama");
    assert_eq!(gguf.metadata["llama.block_count"], Value::Unsigned(2));
    assert_eq!(gguf.tensors["blk.1.ffn_down.weight"].shape, [64, 96]);
    load(&bytes).unwrap();
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = tiny_gguf(1);
    let header = header_len(&bytes);
    for len in (0..header).step_by(7).chain(header..header + 64).chain([bytes.len() - 1]) {
        let error = Gguf::parse(Cursor::new(&bytes[..len])).unwrap_err();
        assert!(matches!(error, BackboneError::Truncated { .. }), "{len}: {error}");
    }
}

fn patched(at: usize, value: &[u8]) -> BackboneError {
    let mut bytes = tiny_gguf(1);
    bytes[at..at + value.len()].copy_from_slice(value);
    Gguf::parse(Cursor::new(bytes)).unwrap_err()
}

#[test]
fn impossible_counts_allocate_nothing() {
    let huge = u64::MAX.to_le_bytes();
    assert!(matches!(patched(0, b"GGML"), BackboneError::NotGguf(_)));
    assert!(matches!(patched(4, &2u32.to_le_bytes()), BackboneError::UnsupportedVersion(2)));
    assert!(matches!(patched(8, &huge), BackboneError::Truncated { what: "tensor table", .. }));
    assert!(matches!(patched(16, &huge), BackboneError::Truncated { what: "metadata", .. }));
    assert!(matches!(patched(24, &huge), BackboneError::Truncated { what: "metadata key", .. }));
    // A count that fits in 64 bits but not in the file.
    assert!(matches!(patched(8, &(1u64 << 40).to_le_bytes()), BackboneError::Truncated { .. }));
}

fn position(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
}

#[test]
fn tensors_must_lie_apart_inside_the_file() {
    let bytes = tiny_gguf(1);
    // A matrix's row of the table: name, dimensions (4), two sizes (16), type (4), offset (8).
    let row = position(&bytes, "blk.0.attn_q.weight") + "blk.0.attn_q.weight".len();
    let offset = row + 4 + 16 + 4;
    assert!(matches!(patched(offset, &7u64.to_le_bytes()), BackboneError::Malformed { .. }), "alignment");
    assert!(patched(offset, &0u64.to_le_bytes()).to_string().contains("overlaps"));
    assert!(matches!(patched(offset, &(1u64 << 40).to_le_bytes()), BackboneError::Truncated { .. }));
    assert!(matches!(patched(offset, &(u64::MAX - 31).to_le_bytes()), BackboneError::Malformed { .. }), "overflow");
    assert!(matches!(patched(row + 4, &(1u64 << 62).to_le_bytes()), BackboneError::Malformed { .. }), "size");
    assert!(matches!(patched(row + 4, &33u64.to_le_bytes()), BackboneError::Malformed { .. }), "half a block");
    assert!(matches!(patched(row, &9u32.to_le_bytes()), BackboneError::Malformed { .. }), "dimensions");
    assert!(matches!(patched(row + 20, &99u32.to_le_bytes()), BackboneError::UnsupportedTensorType { .. }));
}

#[test]
fn a_model_that_does_not_match_its_metadata_is_refused() {
    let mut bytes = tiny_gguf(1);
    let at = position(&bytes, "llama.feed_forward_length") + "llama.feed_forward_length".len() + 4;
    bytes[at..at + 4].copy_from_slice(&128u32.to_le_bytes());
    assert!(matches!(load(&bytes), Err(BackboneError::TensorShape { .. })));
    let mut bytes = tiny_gguf(1);
    let at = position(&bytes, "llama.block_count") + "llama.block_count".len() + 4;
    bytes[at..at + 4].copy_from_slice(&3u32.to_le_bytes());
    assert!(matches!(load(&bytes), Err(BackboneError::MissingTensor(_))));
    let mut bytes = tiny_gguf(1);
    let at = position(&bytes, "llama.attention.head_count_kv") + "llama.attention.head_count_kv".len() + 4;
    bytes[at..at + 4].copy_from_slice(&3u32.to_le_bytes());
    assert!(matches!(load(&bytes), Err(BackboneError::UnsupportedModel(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_headers_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = tiny_gguf(1);
        let header = header_len(&bytes);
        for (at, value) in changes {
            let at = at.index(header);
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // Either is fine; a panic or a run out of memory is not.
        let _ = load(&bytes);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..512), version in any::<bool>()) {
        let mut file = b"GGUF".to_vec();
        if version {
            file.extend(3u32.to_le_bytes());
        }
        file.extend(&bytes);
        prop_assert!(load(&file).is_err());
    }
}
