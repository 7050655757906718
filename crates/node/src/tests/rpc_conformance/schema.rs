//! The schemas of ethereum/execution-apis.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value};

/// What the OP Stack adds to receipts and transactions. The schemas of Ethereum allow no other fields there.
const OP_STACK_FIELDS: [&str; 15] = [
    "daFootprintGasScalar",
    "depositNonce",
    "depositReceiptVersion",
    "isSystemTx",
    "l1BaseFeeScalar",
    "l1BlobBaseFee",
    "l1BlobBaseFeeScalar",
    "l1Fee",
    "l1FeeScalar",
    "l1GasPrice",
    "l1GasUsed",
    "mint",
    "operatorFeeConstant",
    "operatorFeeScalar",
    "sourceHash",
];

/// Result schemas by method.
pub(super) struct Schemas {
    methods: BTreeMap<String, jsonschema::Validator>,
    checked: Cell<usize>,
    unknown: std::cell::RefCell<BTreeSet<String>>,
}

impl Schemas {
    /// The schemas of the file that `OPENLEDGER_OPENRPC` names.
    pub(super) fn from_env() -> Option<Self> {
        let path = std::env::var_os("OPENLEDGER_OPENRPC")?;
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let document: Value = serde_json::from_str(&text).unwrap();
        let methods = document["methods"].as_array().unwrap().iter().filter_map(|method| {
            let Value::Object(mut schema) = method["result"]["schema"].clone() else { return None };
            // References begin at the root of the document.
            schema.insert("components".to_owned(), document["components"].clone());
            let validator = jsonschema::validator_for(&Value::Object(schema)).unwrap();
            Some((method["name"].as_str().unwrap().to_owned(), validator))
        });
        Some(Self { methods: methods.collect(), checked: Cell::new(0), unknown: Default::default() })
    }

    /// Validates a result, as far as the document knows the method.
    pub(super) fn check(&self, method: &str, result: &Value) -> Result<(), String> {
        let Some(validator) = self.methods.get(method) else {
            self.unknown.borrow_mut().insert(method.to_owned());
            return Ok(());
        };
        if has_no_schema(result) {
            return Ok(());
        }
        self.checked.set(self.checked.get() + 1);
        validator.validate(&of_ethereum(result)).map_err(|error| format!("{error} at {}", error.instance_path()))
    }

    pub(super) fn summary(&self) -> String {
        let unknown: Vec<String> = self.unknown.borrow().iter().cloned().collect();
        format!("{} answers validated; no schema for {}", self.checked.get(), unknown.join(", "))
    }
}

/// What is right and cannot be valid: a deposit, a transaction that is in no block (the schema of a transaction wants one),
/// and an empty list (the schema of logs takes it for hashes as well, and wants one of the two).
fn has_no_schema(result: &Value) -> bool {
    let waits = result.get("blockHash").is_some_and(Value::is_null);
    waits || is_deposit(result) || result.as_array().is_some_and(Vec::is_empty)
}

fn is_deposit(item: &Value) -> bool {
    item["type"] == "0x7e" && item.get("sourceHash").is_some()
}

/// The value without what the OP Stack adds: deposits and their fields.
fn of_ethereum(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| !OP_STACK_FIELDS.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), of_ethereum(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().filter(|item| !is_deposit(item)).map(of_ethereum).collect()),
        other => other.clone(),
    }
}
