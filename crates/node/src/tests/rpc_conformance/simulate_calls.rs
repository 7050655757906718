//! Rules about the calls of `eth_simulateV1`, the transfers in them and what is refused.

use alloy_primitives::{Address, U256, address, keccak256};
use serde_json::{Value, json};

use super::{
    super::actors::RECIPIENT,
    calls::{ELSEWHERE, IDENTITY, NUMBER, REVERT, word},
    facts::Facts,
    rule::{Expect::*, Rule},
    simulate::{OTHER, SENDER, blocks_of, funded, one, quantity, send, simulated, validated, validated_free},
};

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [calls(facts), transfers(facts), refused(facts), precompiles(facts)].into_iter().flatten().collect()
}

/// Sends on all that it has received to the address 0xc2.
const FORWARDER: &str = "0x600060006000600034 60c2 5af1";

fn calls(facts: &Facts) -> Vec<Rule> {
    let run = |code: &str, fields: Value| {
        let mut call = json!({"from": SENDER, "to": OTHER});
        call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        one(json!({"stateOverrides": {OTHER.to_string(): {"code": code}}, "calls": [call]}))
    };
    // PUSH1 number, BLOCKHASH, answer.
    let hash_of = |number: u64| format!("0x60{number:02x}4060005260206000f3");
    vec![
        simulated(
            "a revert is the answer of the call",
            run(REVERT, json!({})),
            With(
                json!([{"calls": [{"status": "0x0", "returnData": "0x", "logs": [], "error": {"code": 3, "message": "execution reverted", "data": "0x02"}}]}]),
            ),
        ),
        simulated(
            "so is another failure",
            run("0x5b600056", json!({"gas": "0x186a0"})),
            With(
                json!([{"calls": [{"status": "0x0", "returnData": "0x", "gasUsed": "0x186a0", "error": {"code": -32015, "message": "vm execution error: out of gas"}}]}]),
            ),
        ),
        simulated(
            "a call after one that failed",
            one(
                json!({"stateOverrides": {OTHER.to_string(): {"code": REVERT}}, "calls": [{"to": OTHER}, {"to": RECIPIENT}]}),
            ),
            With(json!([{"calls": [{"status": "0x0"}, {"status": "0x1"}]}])),
        ),
        simulated(
            "the hash of a real block",
            run(&hash_of(9), json!({})),
            With(json!([{"calls": [{"returnData": facts.kinds["hash"]}]}])),
        ),
        simulated(
            "a block knows not its own hash",
            run(&hash_of(facts.head + 1), json!({})),
            With(json!([{"calls": [{"returnData": word(0)}]}])),
        ),
        simulated(
            "logs have their places",
            one(json!({"calls": [{"to": facts.counter}, {"to": facts.counter}]})),
            With(
                json!([{"calls": [{"logs": [{"logIndex": "0x0", "transactionIndex": "0x0"}]}, {"logs": [{"logIndex": "0x1", "transactionIndex": "0x1", "removed": false, "blockNumber": quantity(facts.head + 1)}]}]}]),
            ),
        ),
    ]
}

fn transfers(facts: &Facts) -> Vec<Rule> {
    let forwarder = FORWARDER.replace(' ', "");
    let traced = |mut params: Value| {
        params[0]["traceTransfers"] = json!(true);
        params
    };
    let log = |from: Address, to: Address, value: u64, place: &str| {
        json!({
            "address": "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
            "topics": [keccak256("Transfer(address,address,uint256)"), from.into_word(), to.into_word()],
            "data": word(value),
            "logIndex": place,
            "blockNumber": quantity(facts.head + 1),
        })
    };
    let target = Address::from_word(U256::from(0xc2).into());
    let with_code = |code: &str, calls: Value| {
        one(json!({
            "stateOverrides": {SENDER.to_string(): {"balance": "0x7d0"}, OTHER.to_string(): {"code": code, "balance": "0x5"}},
            "calls": calls,
        }))
    };
    // Forwards, then reverts.
    let undone = format!("{forwarder}60006000fd");
    // Sends on to a contract that sends on and then reverts, and does not care.
    let inner = address!("00000000000000000000000000000000000000c3");
    let swallowed = one(json!({
        "stateOverrides": {
            SENDER.to_string(): {"balance": "0x7d0"},
            OTHER.to_string(): {"code": "0x60006000600060003460c35af1"},
            inner.to_string(): {"code": undone},
        },
        "calls": [send("0x3e8")],
    }));
    let empty_bloom = json!([{"logsBloom": format!("0x{}", "0".repeat(512))}]);
    vec![
        simulated(
            "no logs unless they are asked for",
            funded("0x7d0", json!([send("0x3e8")])),
            With(json!([{"calls": [{"logs": []}]}])),
        ),
        simulated(
            "a transfer",
            traced(funded("0x7d0", json!([send("0x3e8")]))),
            With(json!([{"calls": [{"logs": [log(SENDER, OTHER, 1000, "0x0")]}]}])),
        ),
        simulated("the bloom does not have it", traced(funded("0x7d0", json!([send("0x3e8")]))), With(empty_bloom)),
        simulated(
            "nothing for a transfer of nothing",
            traced(funded("0x7d0", json!([send("0x0")]))),
            With(json!([{"calls": [{"logs": []}]}])),
        ),
        simulated(
            "a transfer by a contract",
            traced(with_code(&forwarder, json!([send("0x3e8")]))),
            With(json!([{"calls": [{"logs": [log(SENDER, OTHER, 1000, "0x0"), log(OTHER, target, 1000, "0x1")]}]}])),
        ),
        simulated(
            "nothing of what reverts",
            traced(with_code(&undone, json!([send("0x3e8")]))),
            With(json!([{"calls": [{"status": "0x0", "logs": []}]}])),
        ),
        simulated(
            "nothing of what reverts inside",
            traced(swallowed),
            With(json!([{"calls": [{"status": "0x1", "logs": [log(SENDER, OTHER, 1000, "0x0")]}]}])),
        ),
        simulated(
            "what a contract leaves behind when it destroys itself",
            traced(with_code("0x60c2ff", json!([send("0x0")]))),
            With(json!([{"calls": [{"logs": [log(OTHER, target, 5, "0x0")]}]}])),
        ),
        simulated(
            "a creation with value",
            traced(funded("0x7d0", json!([{"from": SENDER, "value": "0x5", "input": "0x00"}]))),
            With(json!([{"calls": [{"logs": [log(SENDER, SENDER.create(0), 5, "0x0")]}]}])),
        ),
    ]
}

fn refused(facts: &Facts) -> Vec<Rule> {
    let user = facts.user;
    let from_user = |fields: Value| {
        let mut call = json!({"from": user, "to": OTHER, "maxFeePerGas": "0x3b9aca00"});
        call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        validated(one(json!({"calls": [call]})))
    };
    vec![
        simulated("a nonce that was used", from_user(json!({"nonce": "0x0"})), Error(-38010, "nonce too low")),
        simulated("a nonce to come", from_user(json!({"nonce": "0x64"})), Error(-38011, "nonce too high")),
        simulated(
            "a fee cap below the base fee",
            validated(one(json!({"calls": [{"from": user, "to": OTHER}]}))),
            Error(-38012, "max fee per gas less than block base fee"),
        ),
        simulated(
            "too little gas",
            one(json!({"calls": [{"from": SENDER, "to": OTHER, "gas": "0x0"}]})),
            Error(-38013, "intrinsic gas too low"),
        ),
        simulated(
            "a value that is not there",
            one(json!({"calls": [send("0x3e8")]})),
            Error(-38014, "insufficient funds for gas * price + value"),
        ),
        simulated(
            "gas that cannot be paid",
            validated(one(json!({"calls": [{"from": SENDER, "to": OTHER, "maxFeePerGas": "0x3b9aca00"}]}))),
            Error(-38014, "insufficient funds for gas * price + value"),
        ),
        simulated(
            "more gas than the block has",
            one(json!({"blockOverrides": {"gasLimit": "0x5208"}, "calls": [{"to": OTHER, "gas": "0x5209"}]})),
            Error(-38015, "block gas limit reached"),
        ),
        simulated(
            "more gas than the block has left",
            one(
                json!({"blockOverrides": {"gasLimit": "0xa410"}, "calls": [{"to": OTHER}, {"to": OTHER, "gas": "0x5209"}]}),
            ),
            Error(-38015, "block gas limit reached"),
        ),
        simulated(
            "more init code than is allowed",
            validated_free(one(json!({"calls": [{"from": SENDER, "input": format!("0x{}", "00".repeat(49_153))}]}))),
            Error(-38025, "max initcode size exceeded"),
        ),
        simulated(
            "more gas than one request has",
            blocks_of(json!(vec![
                json!({"stateOverrides": {OTHER.to_string(): {"code": "0xfe"}}, "calls": [{"to": OTHER}]});
                3
            ])),
            Error(-38026, ""),
        ),
        simulated(
            "two kinds of prices",
            one(json!({"calls": [{"gasPrice": "0x1", "maxFeePerGas": "0x1"}]})),
            Error(-32602, "both gasPrice and"),
        ),
        simulated(
            "another chain",
            one(json!({"calls": [{"chainId": "0x1"}]})),
            Error(-32602, "chainId does not match"),
        ),
        simulated(
            "slot and storage",
            one(json!({"stateOverrides": {OTHER.to_string(): {"state": {}, "stateDiff": {}}}})),
            Error(-32602, ""),
        ),
        simulated("no blocks named", json!([{}]), Error(-32602, "")),
        simulated("no object", json!([1]), Error(-32602, "")),
    ]
}

fn precompiles(facts: &Facts) -> Vec<Rule> {
    let moved = |to: Address| json!({IDENTITY.to_string(): {"movePrecompileToAddress": to}});
    let ask = |to: Address| json!({"to": to, "input": "0x0102"});
    let sha = address!("0000000000000000000000000000000000000002");
    vec![
        simulated(
            "a precompile is moved for one block",
            blocks_of(
                json!([{"stateOverrides": moved(ELSEWHERE), "calls": [ask(ELSEWHERE), ask(IDENTITY)]}, {"calls": [ask(ELSEWHERE), ask(IDENTITY)]}]),
            ),
            With(
                json!([{"calls": [{"returnData": "0x0102"}, {"returnData": "0x"}]}, {"calls": [{"returnData": "0x"}, {"returnData": "0x0102"}]}]),
            ),
        ),
        simulated("to itself", one(json!({"stateOverrides": moved(IDENTITY)})), Error(-38022, "")),
        simulated(
            "two to one address",
            one(
                json!({"stateOverrides": {IDENTITY.to_string(): {"movePrecompileToAddress": ELSEWHERE}, sha.to_string(): {"movePrecompileToAddress": ELSEWHERE}}}),
            ),
            Error(-38023, ""),
        ),
        simulated(
            "what is no precompile",
            one(json!({"stateOverrides": {OTHER.to_string(): {"movePrecompileToAddress": ELSEWHERE}}})),
            Error(-32000, "account"),
        ),
        simulated(
            "code in its place",
            one(json!({"stateOverrides": {IDENTITY.to_string(): {"code": NUMBER}}, "calls": [ask(IDENTITY)]})),
            With(json!([{"calls": [{"returnData": word(facts.head + 1)}]}])),
        ),
    ]
}
