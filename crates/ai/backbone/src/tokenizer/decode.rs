use super::Tokenizer;

/// Turns tokens into text as they come. A character whose bytes are spread over several tokens is held back until it is whole,
/// so that the pieces joined are always what decoding at once gives.
#[derive(Debug, Default)]
pub struct Detokenizer {
    held: Vec<u8>,
}

impl Detokenizer {
    /// The text that this token completes; may be empty.
    pub fn push(&mut self, tokenizer: &Tokenizer, token: u32) -> String {
        self.held.extend_from_slice(tokenizer.bytes(token));
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.held) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.held.clear();
                    return text;
                }
                Err(error) => {
                    let (valid, rest) = self.held.split_at(error.valid_up_to());
                    // `valid` was just found to be UTF-8.
                    text.push_str(&String::from_utf8_lossy(valid));
                    match error.error_len() {
                        Some(wrong) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            self.held = rest[wrong..].to_vec();
                        }
                        None => {
                            self.held = rest.to_vec();
                            return text;
                        }
                    }
                }
            }
        }
    }

    /// What is left when no more tokens come: an unfinished character becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.held)).into_owned()
    }
}
