//! The OpenRPC document: what the server answers to `rpc.discover`.
//!
//! It is made of the parts in `openrpc/`, which are written in a short form. A method is what it does, what it takes (and
//! `forgives`, if it takes anything there), what it answers and with which errors it fails; an object is its fields with their types. Types are written as
//!
//! | text | JSON schema |
//! |---|---|
//! | `Name` | what `openrpc/` says of that name |
//! | `string`, `integer`, `number`, `boolean`, `null` | the type of JSON |
//! | `'text'` | this text |
//! | `Type?` | the type, or `null` |
//! | `Type[]` | an array of it |
//! | `{Key: Type}` | an object with any fields, whose names are of one type and values of another |
//! | `One \| Other` | any of these |
//!
//! A field or parameter whose name ends with `?` may be left out. An object has no other fields than those that it names and
//! those of the objects after `...`; `#` says what it is. Objects whose names begin in lower case are there for others to
//! begin with, and not in the document.

use std::{collections::BTreeMap, sync::LazyLock};

use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

type Object = Map<String, Value>;

/// The document, as it is sent.
pub(crate) static OPENRPC: LazyLock<Box<RawValue>> =
    LazyLock::new(|| to_raw_value(&document()).expect("a document of JSON is JSON"));

const PARTS: [&str; 5] = [
    include_str!("../openrpc/chain.json"),
    include_str!("../openrpc/requests.json"),
    include_str!("../openrpc/traces.json"),
    include_str!("../openrpc/rollup.json"),
    include_str!("../openrpc/simulation.json"),
];

fn document() -> Value {
    let values = parsed(include_str!("../openrpc/values.json"));
    let mut schemas: Object =
        values.into_iter().map(|(name, value)| (name, value.as_str().map(schema).unwrap_or(value))).collect();
    let objects: Object = PARTS.into_iter().flat_map(parsed).collect();
    let named = objects.keys().filter(|name| name.starts_with(char::is_uppercase));
    schemas.extend(named.map(|name| (name.clone(), object(&objects, name))));
    let errors = parsed(include_str!("../openrpc/errors.json"));
    let methods = [include_str!("../openrpc/eth.json"), include_str!("../openrpc/methods.json")];
    let methods: Vec<Value> =
        methods.into_iter().flat_map(parsed).map(|(name, text)| method(&errors, &name, &text)).collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "OpenLedger JSON-RPC",
            "description": "What a node answers over HTTP and WebSocket.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "methods": methods,
        "components": {"schemas": schemas, "errors": errors},
    })
}

fn parsed(part: &str) -> Object {
    serde_json::from_str(part).expect("the parts of the document are JSON objects")
}

fn method(errors: &Object, name: &str, text: &Value) -> Value {
    let list = |field: &str| text[field].as_array().into_iter().flatten().filter_map(Value::as_str);
    let params: Vec<Value> = list("takes").map(param).collect();
    // What every method can fail with, and every one that has parameters and does not take them as they come.
    let refuses = !params.is_empty() && text["forgives"] != true;
    let always = ["Internal"].into_iter().chain(refuses.then_some("InvalidParams"));
    let errors: Vec<&Value> = list("fails").chain(always).map(|error| &errors[error]).collect();
    json!({
        "name": name,
        "summary": text["does"],
        "paramStructure": "by-position",
        "params": params,
        "result": {"name": "result", "schema": schema(string(&text["answers"]))},
        "errors": errors,
    })
}

fn param(text: &str) -> Value {
    let (name, kind) = text.split_once(": ").expect("a parameter is its name and its type");
    let (name, required) = required(name);
    json!({"name": name, "required": required, "schema": schema(kind)})
}

/// The schema of an object, which has no fields but those that it names.
fn object(all: &Object, name: &str) -> Value {
    let mut fields = BTreeMap::new();
    collect(all, name, &mut fields);
    let description = all[name].get("#").cloned().unwrap_or_default();
    let required: Vec<&str> = fields.iter().filter(|(_, field)| field.required).map(|(name, _)| &**name).collect();
    let properties: Object = fields.iter().map(|(name, field)| (name.clone(), schema(field.kind))).collect();
    let mut schema = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    if description.is_string() {
        schema["description"] = description;
    }
    schema
}

struct Field<'a> {
    kind: &'a str,
    required: bool,
}

/// The fields of the object, which take the place of those of the same name in the objects that it begins with.
fn collect<'a>(all: &'a Object, name: &str, fields: &mut BTreeMap<String, Field<'a>>) {
    let own = all.get(name).and_then(Value::as_object).unwrap_or_else(|| panic!("{name} is no object of openrpc/"));
    for base in own.get("...").map(string).unwrap_or_default().split_whitespace() {
        collect(all, base, fields);
    }
    for (name, kind) in own.iter().filter(|(name, _)| *name != "..." && *name != "#") {
        let (name, required) = required(name);
        fields.insert(name.to_owned(), Field { kind: string(kind), required });
    }
}

/// The name, and whether it may not be left out.
fn required(name: &str) -> (&str, bool) {
    name.strip_suffix('?').map_or((name, true), |name| (name, false))
}

fn string(value: &Value) -> &str {
    value.as_str().expect("types are written as text")
}

/// The JSON schema of a type.
fn schema(kind: &str) -> Value {
    let alternatives: Vec<&str> = kind.split(" | ").collect();
    if alternatives.len() > 1 {
        return json!({"anyOf": alternatives.into_iter().map(schema).collect::<Vec<_>>()});
    }
    if let Some(inner) = kind.strip_suffix('?') {
        return json!({"anyOf": [schema(inner), {"type": "null"}]});
    }
    if let Some(inner) = kind.strip_suffix("[]") {
        return json!({"type": "array", "items": schema(inner)});
    }
    if let Some((key, value)) = kind.strip_prefix('{').and_then(|kind| kind.strip_suffix('}')?.split_once(": ")) {
        return json!({"type": "object", "propertyNames": schema(key), "additionalProperties": schema(value)});
    }
    if let Some(text) = kind.strip_prefix('\'').and_then(|kind| kind.strip_suffix('\'')) {
        return json!({"const": text});
    }
    match kind {
        "string" | "integer" | "number" | "boolean" | "null" => json!({"type": kind}),
        name => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn types_are_written_short() {
        let name = json!({"$ref": "#/components/schemas/Hash"});
        assert_eq!(schema("Hash"), name);
        assert_eq!(schema("Hash[]?"), json!({"anyOf": [{"type": "array", "items": name}, {"type": "null"}]}));
        assert_eq!(schema("'0x2' | null"), json!({"anyOf": [{"const": "0x2"}, {"type": "null"}]}));
        let map = json!({"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": name});
        assert_eq!(schema("{string: Hash}"), map);
    }

    #[test]
    fn objects_have_the_fields_of_those_they_begin_with() {
        let all =
            json!({"Base": {"a": "string", "b?": "string"}, "More": {"...": "Base", "#": "more", "b": "integer"}});
        let more = object(all.as_object().unwrap(), "More");
        assert_eq!(more["description"], "more");
        assert_eq!(more["properties"]["a"]["type"], "string");
        assert_eq!(more["required"], json!(["a", "b"]));
    }

    #[test]
    fn errors_have_the_codes_of_the_server() {
        use crate::{RpcError, SimulationRule as Rule};
        let hash = Default::default();
        let own = [
            RpcError::InvalidParams(String::new()),
            RpcError::BlockNotFound(String::new()),
            RpcError::Execution(String::new()),
            RpcError::Reverted { message: String::new(), data: Default::default() },
            RpcError::NotIncludedInTime(hash),
            RpcError::NonceGap { expected: 0 },
            RpcError::LimitExceeded(String::new()),
            RpcError::Unsupported(String::new()),
            RpcError::Unavailable(String::new()),
            RpcError::Internal(""),
        ];
        let rules = [
            Rule::NonceTooLow,
            Rule::NonceTooHigh,
            Rule::BaseFeeTooLow,
            Rule::IntrinsicGas,
            Rule::InsufficientFunds,
            Rule::BlockGasLimit,
            Rule::BlockNumber,
            Rule::Timestamp,
            Rule::MoveToItself,
            Rule::MoveToSame,
            Rule::InitCodeSize,
            Rule::Limit,
        ];
        let codes: BTreeSet<i64> =
            own.iter().map(RpcError::code).chain(rules.map(|rule| rule as i32)).map(i64::from).collect();
        let errors = parsed(include_str!("../openrpc/errors.json"));
        assert_eq!(errors.values().map(|error| error["code"].as_i64().unwrap()).collect::<BTreeSet<_>>(), codes);
        assert_eq!(errors.len(), codes.len(), "an error of its own for each code");
    }

    #[test]
    fn every_name_is_defined_and_every_definition_used() {
        let document = document();
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let used: BTreeSet<&str> =
            text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        for name in &used {
            assert!(schemas.contains_key(*name), "{name} is used and not defined");
        }
        assert_eq!(used.len(), schemas.len(), "some of these are not used: {:?}", schemas.keys());
    }
}
