//! Any text survives encoding, and decoding in pieces is decoding at once.

use std::io::Cursor;

use openledger_backbone::{Detokenizer, Tokenizer, gguf::Gguf, testing::tiny_gguf};
use proptest::prelude::*;

fn tokenizer() -> Tokenizer {
    Tokenizer::from_gguf(&Gguf::parse(Cursor::new(tiny_gguf(1))).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn any_text_comes_back(text in ".*|( the|th| |[0-9]|é|\\n)*") {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode(&text, false).unwrap();
        prop_assert_eq!(tokenizer.decode(&ids), &text[..]);
        prop_assert!(ids.len() >= tokenizer.fewest_tokens(text.len()));
    }

    #[test]
    fn pieces_join_to_the_whole(ids in prop::collection::vec(0u32..270, 0..64)) {
        let tokenizer = tokenizer();
        let mut detokenizer = Detokenizer::default();
        let mut streamed: String = ids.iter().map(|&id| detokenizer.push(&tokenizer, id)).collect();
        streamed += &detokenizer.finish();
        prop_assert_eq!(streamed, tokenizer.decode(&ids));
    }
}

#[test]
fn a_long_word_takes_no_longer_than_it_should() {
    let tokenizer = tokenizer();
    let text = "th".repeat(200_000);
    let start = std::time::Instant::now();
    assert_eq!(tokenizer.encode(&text, true).unwrap().len(), 200_000);
    // Quadratic merging would take minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}
