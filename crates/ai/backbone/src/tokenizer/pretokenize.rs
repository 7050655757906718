use fancy_regex::Regex;

use crate::BackboneError;

/// GPT-2's pattern: contractions, then words, numbers and signs each with at most one space before, then spaces.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// A digit on its own.
const DIGIT: &str = r"\p{N}";

/// Cuts text into the pieces within which BPE merges. Patterns apply one after another: each cuts the pieces of the
/// one before, and what it does not match stays whole.
#[derive(Debug)]
pub(super) struct PreTokenizer(Vec<Regex>);

impl PreTokenizer {
    /// By the name in `tokenizer.ggml.pre`.
    pub(super) fn from_name(name: &str) -> Result<Self, BackboneError> {
        let patterns: &[&str] = match name {
            "gpt-2" | "default" => &[GPT2],
            "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" => &[DIGIT, GPT2],
            other => return Err(BackboneError::UnsupportedModel(format!("pre-tokenizer {other:?}"))),
        };
        let regexes = patterns.iter().map(|pattern| Regex::new(pattern).map_err(error)).collect::<Result<_, _>>()?;
        Ok(Self(regexes))
    }

    pub(super) fn split<'a>(&self, text: &'a str) -> Result<Vec<&'a str>, BackboneError> {
        let mut pieces = vec![text];
        for regex in &self.0 {
            let mut cut = Vec::with_capacity(pieces.len());
            for piece in pieces {
                let mut end = 0;
                for found in regex.find_iter(piece) {
                    let found = found.map_err(error)?;
                    if found.start() > end {
                        cut.push(&piece[end..found.start()]);
                    }
                    if found.end() > found.start() {
                        cut.push(found.as_str());
                    }
                    end = found.end();
                }
                if end < piece.len() {
                    cut.push(&piece[end..]);
                }
            }
            pieces = cut;
        }
        Ok(pieces)
    }
}

fn error(error: fancy_regex::Error) -> BackboneError {
    BackboneError::Tokenizer(format!("pre-tokenizer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_alone_and_the_last_space_goes_with_the_word() {
        let smollm = PreTokenizer::from_name("smollm").unwrap();
        let pieces = smollm.split("It's  12 years,\n\n ok").unwrap();
        assert_eq!(pieces, ["It", "'s", "  ", "1", "2", " years", ",", "\n\n", " ok"]);
        let gpt2 = PreTokenizer::from_name("gpt-2").unwrap();
        assert_eq!(gpt2.split("a 12").unwrap(), ["a", " 12"]);
        assert!(PreTokenizer::from_name("tekken").is_err());
    }

    #[test]
    fn nothing_is_lost() {
        let smollm = PreTokenizer::from_name("smollm").unwrap();
        for text in ["", " ", "\u{a0}\u{2003}x", "१२३ ½ Ⅷ", "𝒳é\u{301}", "a\r\n\t b  "] {
            assert_eq!(smollm.split(text).unwrap().concat(), text);
        }
    }
}
