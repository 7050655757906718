//! A row of the tables.

use serde_json::{Value, json};

/// What is asked, and what must come.
pub(super) struct Rule {
    pub(super) says: &'static str,
    pub(super) method: &'static str,
    params: Value,
    expect: Expect,
}

/// What must come.
pub(super) enum Expect {
    /// This value.
    Is(Value),
    /// Whatever its schema allows.
    Any,
    /// `null`.
    Null,
    /// A number in hex, without leading zeros.
    Quantity,
    /// So many bytes in hex.
    Bytes(usize),
    /// Any number of bytes in hex, one at least.
    Data,
    /// At least the fields that are in this value, here and in what is inside. Arrays have as many elements.
    With(Value),
    /// An array of this length.
    Items(usize),
    /// An error with this code and a message that begins so.
    Error(i64, &'static str),
    /// An error with code 3, this message and these data.
    Reverts(&'static str, &'static str),
}

pub(super) fn rule(says: &'static str, method: &'static str, params: Value, expect: Expect) -> Rule {
    Rule { says, method, params, expect }
}

impl Rule {
    pub(super) fn request(&self) -> Value {
        json!({"jsonrpc": "2.0", "id": 1, "method": self.method, "params": self.params})
    }

    /// The code of the error that must come.
    pub(super) const fn code(&self) -> Option<i64> {
        match self.expect {
            Expect::Error(code, _) => Some(code),
            Expect::Reverts(..) => Some(3),
            _ => None,
        }
    }

    /// Whether the answer is as it must be, or why it is not.
    pub(super) fn check(&self, answer: &Value) -> Result<(), String> {
        if answer["jsonrpc"] != "2.0"
            || answer["id"] != 1
            || answer.get("error").is_some() == answer.get("result").is_some()
        {
            return Err("this is no response object".to_owned());
        }
        let (result, error) = (&answer["result"], &answer["error"]);
        let message = error["message"].as_str().unwrap_or_default();
        let (holds, expected) = match &self.expect {
            Expect::Is(value) => (result == value, value.to_string()),
            Expect::Any => (answer.get("result").is_some(), "a result".to_owned()),
            Expect::Null => (answer.get("result") == Some(&Value::Null), "null".to_owned()),
            Expect::Quantity => (is_quantity(result), "a quantity".to_owned()),
            Expect::Bytes(length) => (bytes(result) == Some(*length), format!("{length} bytes")),
            Expect::Data => (bytes(result).is_some_and(|length| length > 0), "bytes".to_owned()),
            Expect::With(value) => (has(result, value), format!("{value} in it")),
            Expect::Items(length) => {
                (result.as_array().is_some_and(|items| items.len() == *length), format!("{length} items"))
            }
            Expect::Error(code, begins) => {
                (error["code"] == *code && message.starts_with(begins), format!("error {code} {begins}"))
            }
            Expect::Reverts(says, data) => (
                error["code"] == 3 && message == *says && error["data"] == *data,
                format!("error 3 {says} with {data}"),
            ),
        };
        if holds { Ok(()) } else { Err(format!("expected {expected}")) }
    }
}

fn bytes(value: &Value) -> Option<usize> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    let lower = digits.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    (lower && digits.len() % 2 == 0).then_some(digits.len() / 2)
}

fn is_quantity(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).unwrap_or_default();
    let hex = digits.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    hex && (digits == "0" || (!digits.is_empty() && !digits.starts_with('0')))
}

/// Whether everything in `part` is in `whole`.
fn has(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| has(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| has(whole, part))
        }
        _ => whole == part,
    }
}
