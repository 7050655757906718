use super::Datum;

impl Datum {
    /// What the content hash is taken of: the datum as RFC 8785 (JSON Canonicalization Scheme) writes it, with exactly
    /// the members `answer`, `contributor` (the name) and `question`, in this order, in UTF-8, without white space.
    /// RFC 8785 escapes in strings `"`, `\` and the characters below U+0020, as serde_json does, and nothing else.
    pub fn canonical_json(&self) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("text is JSON");
        format!(
            r#"{{"answer":{},"contributor":{},"question":{}}}"#,
            quoted(&self.answer),
            quoted(&self.contributor),
            quoted(&self.question)
        )
    }
}
