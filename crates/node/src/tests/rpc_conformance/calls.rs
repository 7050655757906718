//! Rules about `eth_call`, `eth_estimateGas` and `eth_createAccessList`.

use alloy_primitives::{Address, B256, U256, address, hex};
use alloy_sol_types::{Panic, Revert, SolError as _};
use serde_json::{Value, json};

use super::{
    super::actors::RECIPIENT,
    facts::Facts,
    rule::{Expect::*, Rule, rule},
};

/// The precompile that answers what it is given.
pub(super) const IDENTITY: Address = address!("0000000000000000000000000000000000000004");
/// Where nothing is.
pub(super) const ELSEWHERE: Address = address!("000000000000000000000000000000000000c0de");
/// Answers the number of the block.
pub(super) const NUMBER: &str = "0x4360005260206000f3";
/// Calls itself a failure with one byte of output.
pub(super) const REVERT: &str = "0x600260005360016000fd";
/// Does not end.
const LOOP: &str = "0x5b600056";
/// Answers slot 0.
const SLOT: &str = "0x60005460005260206000f3";

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [calls(facts), overrides(facts), refused(facts), failures(), precompiles(), estimates(facts), access_lists(facts)]
        .into_iter()
        .flatten()
        .collect()
}

/// A word in hex.
pub(super) fn word(value: u64) -> String {
    B256::from(U256::from(value)).to_string()
}

/// Code that reverts with these bytes.
fn reverting(data: &[u8]) -> Value {
    let length = u8::try_from(data.len()).unwrap();
    let copy = [0x60, length, 0x80, 0x60, 0x0b, 0x60, 0, 0x39, 0x60, 0, 0xfd];
    json!({"code": hex::encode_prefixed([&copy, data].concat())})
}

fn with_code(code: &str) -> Value {
    json!({RECIPIENT.to_string(): {"code": code}})
}

fn calls(facts: &Facts) -> Vec<Rule> {
    let counter = facts.counter;
    vec![
        rule("a call of no code", "eth_call", json!([{"to": RECIPIENT}, "latest"]), Is(json!("0x"))),
        rule("a call at the default block", "eth_call", json!([{"to": counter}]), Is(json!(word(2)))),
        rule("a call changes nothing", "eth_call", json!([{"to": counter}, "pending"]), Is(json!(word(2)))),
        rule("a call in the past", "eth_call", json!([{"to": counter}, "0x8"]), Is(json!("0x"))),
        rule(
            "a call by hash",
            "eth_call",
            json!([{"to": counter}, {"blockHash": facts.kinds["hash"]}]),
            Is(json!(word(2))),
        ),
        rule(
            "a call of a delegating account",
            "eth_call",
            json!([{"to": delegating(), "gas": "0x186a0"}]),
            Is(json!(word(1))),
        ),
        rule("a call with data", "eth_call", json!([{"to": IDENTITY, "data": "0x0102"}]), Is(json!("0x0102"))),
        rule("a call with input", "eth_call", json!([{"to": IDENTITY, "input": "0x0102"}]), Is(json!("0x0102"))),
        rule(
            "a call without recipient runs its input",
            "eth_call",
            json!([{"input": NUMBER}, "0x3"]),
            Is(json!(word(3))),
        ),
        rule(
            "a call with value",
            "eth_call",
            json!([{"from": facts.user, "to": RECIPIENT, "value": "0x1"}]),
            Is(json!("0x")),
        ),
        rule("a block to come", "eth_call", json!([{"to": RECIPIENT}, "0xffff"]), Error(-32001, "header not found")),
        rule(
            "an unknown block",
            "eth_call",
            json!([{"to": RECIPIENT}, {"blockHash": B256::repeat_byte(7)}]),
            Error(-32001, "header not found"),
        ),
    ]
}

/// The account that the EIP-7702 transaction gave the counter's code.
fn delegating() -> Address {
    alloy_signer_local::PrivateKeySigner::from_bytes(&B256::repeat_byte(0x22)).unwrap().address()
}

fn overrides(facts: &Facts) -> Vec<Rule> {
    let slot = |change: &str| json!({RECIPIENT.to_string(): {"code": SLOT, change: {B256::ZERO.to_string(): word(7)}}});
    let cleared = json!({facts.counter.to_string(): {"state": {}}});
    let both = json!({RECIPIENT.to_string(): {"state": {}, "stateDiff": {}}});
    let to = || json!({"to": RECIPIENT});
    let rich = json!({RECIPIENT.to_string(): {"balance": "0x64"}});
    let poor = json!({"from": RECIPIENT, "to": facts.user, "value": "0x64"});
    // TIMESTAMP, COINBASE, PREVRANDAO, GASLIMIT: one word each.
    let env = |opcode: &str| with_code(&format!("0x{opcode}60005260206000f3"));
    vec![
        rule("another code", "eth_call", json!([to(), "0x3", with_code(NUMBER)]), Is(json!(word(3)))),
        rule("another slot", "eth_call", json!([to(), "latest", slot("stateDiff")]), Is(json!(word(7)))),
        rule("another storage", "eth_call", json!([to(), "latest", slot("state")]), Is(json!(word(7)))),
        rule("no storage", "eth_call", json!([{"to": facts.counter}, "latest", cleared]), Is(json!(word(1)))),
        rule("slot and storage", "eth_call", json!([to(), "latest", both]), Error(-32602, "")),
        rule("another balance", "eth_call", json!([poor, "latest", rich]), Is(json!("0x"))),
        rule(
            "another number",
            "eth_call",
            json!([to(), "latest", with_code(NUMBER), {"number": "0x63"}]),
            Is(json!(word(0x63))),
        ),
        rule("another time", "eth_call", json!([to(), "latest", env("42"), {"time": "0x63"}]), Is(json!(word(0x63)))),
        rule(
            "another recipient of fees",
            "eth_call",
            json!([to(), "latest", env("41"), {"feeRecipient": IDENTITY}]),
            Is(json!(word(4))),
        ),
        rule(
            "other randomness",
            "eth_call",
            json!([to(), "latest", env("44"), {"prevRandao": word(9)}]),
            Is(json!(word(9))),
        ),
        rule(
            "another gas limit",
            "eth_call",
            json!([to(), "latest", env("45"), {"gasLimit": "0x64"}]),
            Is(json!(word(100))),
        ),
        rule(
            "an estimate with another code",
            "eth_estimateGas",
            json!([to(), "latest", with_code(REVERT)]),
            Reverts("execution reverted", "0x02"),
        ),
        rule("an override of no account", "eth_call", json!([to(), "latest", {"0x07": {}}]), Error(-32602, "")),
    ]
}

fn refused(facts: &Facts) -> Vec<Rule> {
    let call = |mut fields: Value| {
        fields["from"] = json!(facts.user);
        fields["to"] = json!(RECIPIENT);
        fields
    };
    let mut rules = Vec::new();
    for method in ["eth_call", "eth_createAccessList"] {
        let mut refuse = |says, fields, code, message| {
            rules.push(rule(says, method, json!([call(fields), "latest"]), Error(code, message)))
        };
        refuse("two kinds of prices", json!({"gasPrice": "0x1", "maxFeePerGas": "0x1"}), -32602, "both gasPrice and");
        refuse("another chain", json!({"chainId": "0x1"}), -32602, "chainId does not match");
        refuse("blobs", json!({"blobVersionedHashes": [B256::ZERO]}), -32602, "blob transactions do not exist");
        refuse(
            "a fee cap below the base fee",
            json!({"maxFeePerGas": "0x1"}),
            -32000,
            "max fee per gas less than block base fee",
        );
        refuse(
            "a tip above the fee cap",
            json!({"maxFeePerGas": "0x5f5e100", "maxPriorityFeePerGas": "0x5f5e101"}),
            -32000,
            "max priority fee per gas higher than max fee per gas",
        );
        refuse("too little gas", json!({"gas": "0x5207"}), -32000, "intrinsic gas too low");
        refuse(
            "more than the balance",
            json!({"value": U256::MAX}),
            -32000,
            "insufficient funds for gas * price + value",
        );
    }
    rules
}

fn failures() -> Vec<Rule> {
    let run = |says, code: Value, expect| {
        rule(
            says,
            "eth_call",
            json!([{"to": RECIPIENT, "gas": "0x186a0"}, "latest", {RECIPIENT.to_string(): code}]),
            expect,
        )
    };
    let reason = Revert::from("not yours").abi_encode();
    let reason_hex: &'static str = hex::encode_prefixed(&reason).leak();
    let panic = Panic::from(0x11).abi_encode();
    let panic_hex: &'static str = hex::encode_prefixed(&panic).leak();
    vec![
        run("a revert without output", reverting(&[]), Reverts("execution reverted", "0x")),
        run("a revert with output", reverting(&[1, 2, 3, 4]), Reverts("execution reverted", "0x01020304")),
        run("a revert with a reason", reverting(&reason), Reverts("execution reverted: not yours", reason_hex)),
        run("a panic", reverting(&panic), Reverts("execution reverted: arithmetic underflow or overflow", panic_hex)),
        run("no end", json!({"code": LOOP}), Error(-32000, "out of gas")),
        run("an invalid instruction", json!({"code": "0xfe"}), Error(-32000, "")),
    ]
}

fn precompiles() -> Vec<Rule> {
    let ask = |says, to: Address, state: Value, expect| {
        rule(says, "eth_call", json!([{"to": to, "input": "0x0102"}, "latest", state]), expect)
    };
    let moved = || json!({IDENTITY.to_string(): {"movePrecompileToAddress": ELSEWHERE}});
    let replaced = json!({IDENTITY.to_string(): {"movePrecompileToAddress": ELSEWHERE, "code": NUMBER}});
    let both = json!({IDENTITY.to_string(): {"movePrecompileToAddress": ELSEWHERE}, word(2)[..2].to_owned() + &word(2)[26..]: {"movePrecompileToAddress": ELSEWHERE}});
    vec![
        ask("a precompile that was moved", ELSEWHERE, moved(), Is(json!("0x0102"))),
        ask("nothing is left of it", IDENTITY, moved(), Is(json!("0x"))),
        ask("a precompile behind other code", ELSEWHERE, replaced.clone(), Is(json!("0x0102"))),
        ask("code in place of a precompile", IDENTITY, with_number_at(IDENTITY), Bytes(32)),
        ask("code in place of a moved precompile", IDENTITY, replaced, Bytes(32)),
        ask(
            "a move of what is no precompile",
            ELSEWHERE,
            json!({ELSEWHERE.to_string(): {"movePrecompileToAddress": RECIPIENT}}),
            Error(-32000, "account"),
        ),
        ask(
            "a move to itself",
            ELSEWHERE,
            json!({IDENTITY.to_string(): {"movePrecompileToAddress": IDENTITY}}),
            Error(-38022, ""),
        ),
        ask("two moves to one address", ELSEWHERE, both, Error(-38023, "")),
    ]
}

fn with_number_at(address: Address) -> Value {
    json!({address.to_string(): {"code": NUMBER}})
}

fn estimates(facts: &Facts) -> Vec<Rule> {
    let user = facts.user;
    let estimate = |says, call: Value, expect| rule(says, "eth_estimateGas", json!([call]), expect);
    vec![
        estimate("a transfer", json!({"from": user, "to": RECIPIENT, "value": "0x1"}), Is(json!("0x5208"))),
        estimate(
            "a transfer with a nonce",
            json!({"from": user, "to": RECIPIENT, "nonce": "0x0"}),
            Is(json!("0x5208")),
        ),
        estimate("a call", json!({"from": user, "to": facts.counter}), Quantity),
        estimate("a creation", json!({"from": user, "input": "0x6001600055"}), Quantity),
        estimate("without a sender", json!({"to": RECIPIENT}), Is(json!("0x5208"))),
        estimate(
            "a value that is not there",
            json!({"from": RECIPIENT, "to": user, "value": "0x64"}),
            Error(-32000, "insufficient funds"),
        ),
        estimate(
            "gas that does not suffice",
            json!({"from": user, "to": facts.counter, "gas": "0x6000"}),
            Error(-32000, "gas required exceeds allowance"),
        ),
        estimate(
            "an authorisation costs gas",
            json!({"from": user, "to": RECIPIENT, "authorizationList": [{
                "chainId": "0x1", "address": RECIPIENT, "nonce": "0x0", "yParity": "0x0", "r": "0x1", "s": "0x1",
            }]}),
            Quantity,
        ),
        rule(
            "a block to come",
            "eth_estimateGas",
            json!([{"to": RECIPIENT}, "0xffff"]),
            Error(-32001, "header not found"),
        ),
        rule(
            "a revert",
            "eth_estimateGas",
            json!([{"to": RECIPIENT}, "latest", with_code(REVERT)]),
            Reverts("execution reverted", "0x02"),
        ),
    ]
}

fn access_lists(facts: &Facts) -> Vec<Rule> {
    let counter = facts.counter;
    let list = |says, call: Value, expect| rule(says, "eth_createAccessList", json!([call, "latest"]), expect);
    vec![
        list(
            "a transfer reaches nothing else",
            json!({"from": facts.user, "to": RECIPIENT}),
            Is(json!({"accessList": [], "gasUsed": "0x5208"})),
        ),
        list(
            "a call reaches a slot",
            json!({"from": facts.user, "to": facts.counter}),
            With(json!({"accessList": [{"address": counter, "storageKeys": [B256::ZERO]}]})),
        ),
        rule(
            "a call that reverts says so",
            "eth_createAccessList",
            json!([{"to": RECIPIENT}, "latest", with_code(REVERT)]),
            With(json!({"accessList": [], "error": "execution reverted"})),
        ),
    ]
}
