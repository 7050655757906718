use std::collections::{BTreeSet, HashMap};

use super::{
    bpe::{self, Merges},
    bytes,
    pretokenize::PreTokenizer,
};
use crate::{
    BackboneError,
    gguf::{Array, Gguf, Value},
};

const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;
const MAX_TOKENS: usize = 1 << 20;

/// A byte-level BPE tokenizer read from a GGUF file.
#[derive(Debug)]
pub struct Tokenizer {
    tokens: Vec<Vec<u8>>,
    /// Bytes of the longest token.
    longest: usize,
    kinds: Vec<TokenKind>,
    /// The token of each single byte. Some vocabularies lack control bytes (SmolLM2's does): those are left out of the text, as
    /// the published tokenizer does.
    byte_tokens: [Option<u32>; 256],
    merges: Merges,
    pretokenizer: PreTokenizer,
    special: Special,
    /// Put before every prompt, if the file says so.
    pub bos: Option<u32>,
    /// Tokens that end an answer.
    pub end_of_generation: BTreeSet<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// Written in the byte alphabet, made by merges.
    Normal,
    /// Matched whole in the text, shown in answers.
    UserDefined,
    /// Matched whole in the text, not shown in answers.
    Control,
}

/// Tokens that are matched whole, longest first among those with the same first byte.
#[derive(Debug, Default)]
struct Special(HashMap<u8, Vec<(String, u32)>>);

impl Tokenizer {
    /// Reads vocabulary, merges, token kinds and special tokens from a file's metadata.
    pub fn from_gguf<R>(gguf: &Gguf<R>) -> Result<Self, BackboneError> {
        let model = gguf.string("tokenizer.ggml.model")?;
        if model != "gpt2" {
            return Err(BackboneError::UnsupportedModel(format!("tokenizer {model:?} (only \"gpt2\", BPE, is)")));
        }
        let pretokenizer = PreTokenizer::from_name(gguf.string("tokenizer.ggml.pre").unwrap_or("default"))?;
        let texts = gguf.strings("tokenizer.ggml.tokens")?;
        if texts.is_empty() || texts.len() > MAX_TOKENS {
            return Err(invalid(format!("{} tokens, 1 to {MAX_TOKENS} are supported", texts.len())));
        }
        let kinds = kinds(gguf, texts.len())?;

        let mut ids = HashMap::with_capacity(texts.len());
        let mut tokens = Vec::with_capacity(texts.len());
        let mut special = Special::default();
        for ((id, text), &kind) in (0u32..).zip(texts).zip(&kinds) {
            if kind == TokenKind::Normal {
                // A normal token outside the byte alphabet cannot be reached by merges; it stands for its own text.
                let mapped: Option<Vec<u8>> = text.chars().map(bytes::to_byte).collect();
                tokens.push(mapped.unwrap_or_else(|| text.clone().into_bytes()));
            } else {
                tokens.push(text.clone().into_bytes());
                special.insert(text, id)?;
            }
            ids.entry(text.as_str()).or_insert(id);
        }
        let mut byte_tokens = [None; 256];
        for byte in 0..=u8::MAX {
            byte_tokens[usize::from(byte)] = ids.get(bytes::to_char(byte).to_string().as_str()).copied();
        }
        if (b'a'..=b'z').any(|byte| byte_tokens[usize::from(byte)].is_none()) {
            return Err(invalid("the vocabulary lacks tokens for single letters".into()));
        }
        let mut merges = Merges::new();
        for (rank, line) in (0u32..).zip(gguf.strings("tokenizer.ggml.merges")?) {
            let find = |text: &str| ids.get(text).copied().ok_or_else(|| invalid(format!("merge of unknown {text:?}")));
            let (left, right) = line.split_once(' ').ok_or_else(|| invalid(format!("merge {line:?} is not a pair")))?;
            let merged = find(&format!("{left}{right}"))?;
            merges.entry((find(left)?, find(right)?)).or_insert((rank, merged));
        }

        let token_at = |key: &str| -> Result<Option<u32>, BackboneError> {
            if !gguf.metadata.contains_key(key) {
                return Ok(None);
            }
            let id = gguf.u32(key)?;
            match (id as usize) < texts.len() {
                true => Ok(Some(id)),
                false => Err(invalid(format!("{key} = {id} is not in the vocabulary"))),
            }
        };
        let mut end_of_generation: BTreeSet<u32> = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>"]
            .iter()
            .filter_map(|&t| ids.get(t).copied())
            .collect();
        end_of_generation.extend(token_at("tokenizer.ggml.eos_token_id")?);
        let bos = token_at("tokenizer.ggml.bos_token_id")?.filter(|_| {
            // GPT-2 style tokenizers add it only where the file says so.
            gguf.bool_or("tokenizer.ggml.add_bos_token", false).unwrap_or(false)
        });
        let longest = tokens.iter().map(Vec::len).max().unwrap_or(0);
        Ok(Self { tokens, longest, kinds, byte_tokens, merges, pretokenizer, special, bos, end_of_generation })
    }

    /// Tokens in the vocabulary.
    pub const fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Never: an empty vocabulary is refused.
    pub const fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// A number of tokens that a text of this many bytes cannot stay below: tells that a text is far too long without
    /// tokenising it.
    pub fn fewest_tokens(&self, bytes: usize) -> usize {
        bytes / self.longest.max(1)
    }

    /// The tokens of a text, without a beginning-of-sequence token. With `special`, control tokens written in the
    /// text become those tokens (prompts rendered by a chat template); without, they are ordinary text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, BackboneError> {
        let mut out = Vec::with_capacity(text.len() / 4 + 1);
        let mut plain = 0;
        let mut at = 0;
        while special && at < text.len() {
            match self.special.at(&text.as_bytes()[at..]) {
                Some((len, id)) => {
                    self.encode_plain(&text[plain..at], &mut out)?;
                    out.push(id);
                    at += len;
                    plain = at;
                }
                None => at += 1,
            }
        }
        self.encode_plain(&text[plain..], &mut out)?;
        Ok(out)
    }

    fn encode_plain(&self, text: &str, out: &mut Vec<u32>) -> Result<(), BackboneError> {
        for piece in self.pretokenizer.split(text)? {
            let bytes: Vec<u32> = piece.bytes().filter_map(|byte| self.byte_tokens[usize::from(byte)]).collect();
            bpe::merge(&bytes, &self.merges, out);
        }
        Ok(())
    }

    /// The text of tokens, without control tokens; bytes that are not UTF-8 become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&id| self.bytes(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What a token adds to an answer's text: nothing for control tokens and for numbers outside the vocabulary.
    pub fn bytes(&self, id: u32) -> &[u8] {
        match self.kinds.get(id as usize) {
            Some(TokenKind::Normal | TokenKind::UserDefined) => &self.tokens[id as usize],
            _ => &[],
        }
    }

    /// A token as the file writes it, control tokens included.
    pub fn text(&self, id: u32) -> Option<String> {
        self.tokens.get(id as usize).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

impl Special {
    fn insert(&mut self, text: &str, id: u32) -> Result<(), BackboneError> {
        let &first = text.as_bytes().first().ok_or_else(|| invalid("a special token has no text".into()))?;
        let list = self.0.entry(first).or_default();
        let position = list.partition_point(|(other, _)| other.len() >= text.len());
        list.insert(position, (text.to_owned(), id));
        Ok(())
    }

    fn at(&self, text: &[u8]) -> Option<(usize, u32)> {
        let candidates = self.0.get(text.first()?)?;
        candidates.iter().find(|(token, _)| text.starts_with(token.as_bytes())).map(|(token, id)| (token.len(), *id))
    }
}

fn kinds<R>(gguf: &Gguf<R>, count: usize) -> Result<Vec<TokenKind>, BackboneError> {
    let kinds: Vec<i64> = match gguf.metadata.get("tokenizer.ggml.token_type") {
        None => vec![1; count],
        Some(Value::Array(Array::Signed(kinds))) => kinds.clone(),
        Some(Value::Array(Array::Unsigned(kinds))) => kinds.iter().map(|&kind| kind as i64).collect(),
        Some(_) => return Err(invalid("tokenizer.ggml.token_type is not a list of integers".into())),
    };
    if kinds.len() != count {
        return Err(invalid(format!("{} token types for {count} tokens", kinds.len())));
    }
    let kind = |kind| match kind {
        CONTROL => TokenKind::Control,
        USER_DEFINED => TokenKind::UserDefined,
        _ => TokenKind::Normal,
    };
    Ok(kinds.into_iter().map(kind).collect())
}

fn invalid(detail: String) -> BackboneError {
    BackboneError::Tokenizer(detail)
}
