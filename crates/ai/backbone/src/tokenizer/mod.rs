//! Byte-level BPE with the vocabulary and merges of the GGUF file.

mod bpe;
mod bytes;
mod decode;
mod pretokenize;
mod vocabulary;

pub use decode::Detokenizer;
pub use vocabulary::Tokenizer;
