use std::{collections::BTreeMap, path::Path};

use alloy_primitives::{Address, B256};
use serde_json::Value;

use super::{Contributors, Dataset, Datum, for_lines};
use crate::{Error, Result};

/// Which members of a row hold what. The first that a row has is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonlFields {
    /// Members that may hold the question.
    pub question: Vec<String>,
    /// Members that may hold the answer.
    pub answer: Vec<String>,
    /// Members that may name the contributor.
    pub contributor: Vec<String>,
}

impl Default for JsonlFields {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            question: names(&["question", "q", "instruction", "prompt"]),
            answer: names(&["answer", "a", "output", "completion", "response"]),
            contributor: names(&["contributor", "category"]),
        }
    }
}

/// A row that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Its line in the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What was left out while reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Rows that could not be used (only when they may be skipped).
    pub skipped: Vec<RowError>,
    /// Rows with the same question, answer and contributor as an earlier one: one datum is paid once.
    pub duplicates: usize,
}

impl Dataset {
    /// Reads any JSONL whose rows have a question, an answer and a contributor. All bad rows are reported together, or,
    /// with `skip_bad_rows`, left out and told in the summary.
    pub fn read(
        path: &Path,
        fields: &JsonlFields,
        contributors: &Contributors,
        skip_bad_rows: bool,
    ) -> Result<(Self, ReadSummary)> {
        let mut data: Vec<Datum> = Vec::new();
        let mut summary = ReadSummary::default();
        let mut seen: BTreeMap<B256, ()> = BTreeMap::new();
        let mut known: BTreeMap<String, Address> = BTreeMap::new();
        for_lines(path, |line, bytes| {
            let row = match bytes {
                Some(bytes) => parse(bytes, fields),
                None => Err("longer than 1 MiB".to_owned()),
            };
            let (question, answer, contributor) = match row {
                Ok(row) => row,
                Err(reason) => {
                    summary.skipped.push(RowError { line, reason });
                    return Ok(());
                }
            };
            let address = match known.get(&contributor) {
                Some(address) => *address,
                None => {
                    let address = contributors.address(&contributor)?;
                    known.insert(contributor.clone(), address);
                    address
                }
            };
            let datum = Datum { id: 0, address, contributor, question, answer };
            match seen.insert(datum.content_hash(), ()) {
                Some(()) => summary.duplicates += 1,
                None => data.push(datum),
            }
            Ok(())
        })?;
        if !skip_bad_rows && !summary.skipped.is_empty() {
            return Err(Error::Rows { path: path.into(), rows: summary.skipped });
        }
        if data.is_empty() {
            let hint = "each line is to be a JSON object with a question, an answer and a contributor".into();
            return Err(Error::Empty { path: path.into(), hint });
        }
        Ok((Self::new(data), summary))
    }
}

fn parse(bytes: &[u8], fields: &JsonlFields) -> Result<(String, String, String), String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(row) = value else { return Err("not a JSON object".into()) };
    let text = |what: &str, names: &[String]| {
        let Some((name, value)) = names.iter().find_map(|name| row.get(name).map(|value| (name, value))) else {
            return Err(format!("no {what}: none of the members {}", names.join(", ")));
        };
        match value.as_str().map(str::trim) {
            Some("") => Err(format!("the member {name} is empty")),
            Some(text) => Ok(text.to_owned()),
            None => Err(format!("the member {name} is not a string")),
        }
    };
    Ok((
        text("question", &fields.question)?,
        text("answer", &fields.answer)?,
        text("contributor", &fields.contributor)?,
    ))
}
