//! Byte-level BPE with the vocabulary and merges of the GGUF file.

mod bpe;
mod bytes;
mod decode;
mod pretokenize;
mod vocabulary;

pub use decode::Detokenizer;
pub use vocabulary::Tokenizer;

/// A byte as vocabularies write it.
#[cfg(feature = "testing")]
pub(crate) fn byte_text(byte: u8) -> String {
    bytes::to_char(byte).to_string()
}
