//! Rules about `eth_simulateV1`: its blocks and transactions. Those about calls are in `simulate_calls.rs`.

use alloy_primitives::{Address, B256, address};
use serde_json::{Value, json};

use super::{
    super::actors::RECIPIENT,
    calls::{IDENTITY, NUMBER, word},
    facts::Facts,
    rule::{Expect::*, Rule, rule},
};

/// Who sends in the simulations; the chain does not know it.
pub(super) const SENDER: Address = address!("c000000000000000000000000000000000000000");
/// Who receives.
pub(super) const OTHER: Address = address!("c100000000000000000000000000000000000000");

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [blocks(facts), order(facts), transactions(facts)].into_iter().flatten().collect()
}

/// A request with these blocks on the newest one.
pub(super) fn blocks_of(blocks: Value) -> Value {
    json!([{"blockStateCalls": blocks}, "latest"])
}

pub(super) fn one(block: Value) -> Value {
    blocks_of(json!([block]))
}

/// One block in which `SENDER` has so much and makes these calls.
pub(super) fn funded(balance: &str, calls: Value) -> Value {
    one(json!({"stateOverrides": {SENDER.to_string(): {"balance": balance}}, "calls": calls}))
}

pub(super) fn validated(mut params: Value) -> Value {
    params[0]["validation"] = json!(true);
    params
}

pub(super) fn simulated(says: &'static str, params: Value, expect: super::rule::Expect) -> Rule {
    rule(says, "eth_simulateV1", params, expect)
}

pub(super) fn send(value: &str) -> Value {
    json!({"from": SENDER, "to": OTHER, "value": value})
}

pub(super) fn quantity(value: u64) -> String {
    format!("{value:#x}")
}

fn blocks(facts: &Facts) -> Vec<Rule> {
    let next = quantity(facts.head + 1);
    let run = |code: &str, overrides: Value| {
        one(json!({
            "blockOverrides": overrides,
            "stateOverrides": {OTHER.to_string(): {"code": code}},
            "calls": [{"from": SENDER, "to": OTHER}],
        }))
    };
    let answers = |value: u64| With(json!([{"calls": [{"status": "0x1", "returnData": word(value)}]}]));
    let env = |opcode: &str| format!("0x{opcode}60005260206000f3");
    vec![
        simulated(
            "an empty block is next",
            one(json!({})),
            With(
                json!([{"number": next, "calls": [], "transactions": [], "uncles": [], "withdrawals": [], "gasUsed": "0x0", "baseFeePerGas": "0x0", "miner": Address::ZERO, "mixHash": B256::ZERO}]),
            ),
        ),
        simulated(
            "the default block is the newest",
            json!([{"blockStateCalls": [{}]}]),
            With(json!([{"number": next}])),
        ),
        simulated(
            "on a block of the past",
            json!([{"blockStateCalls": [{}]}, "0x1"]),
            With(json!([{"number": "0x2", "parentHash": facts.block["hash"]}])),
        ),
        simulated(
            "on a block by hash",
            json!([{"blockStateCalls": [{}]}, facts.block["hash"]]),
            With(json!([{"number": "0x2"}])),
        ),
        simulated(
            "with validation the base fee is that of the next block",
            validated(one(json!({}))),
            With(json!([{"baseFeePerGas": "0xf4240"}])),
        ),
        simulated(
            "with validation the base fee follows the simulated parent",
            validated(blocks_of(json!([{"blockOverrides": {"baseFeePerGas": "0x3b9aca00"}}, {}]))),
            // 1/250 less for an empty block.
            With(json!([{"baseFeePerGas": "0x3b9aca00"}, {"baseFeePerGas": "0x3b5dc100"}])),
        ),
        simulated(
            "without it the base fee is zero again after an override",
            blocks_of(json!([{"blockOverrides": {"baseFeePerGas": "0x3b9aca00"}}, {}])),
            With(json!([{"baseFeePerGas": "0x3b9aca00"}, {"baseFeePerGas": "0x0"}])),
        ),
        simulated(
            "a header takes overrides",
            one(
                json!({"blockOverrides": {"gasLimit": "0x2e631", "feeRecipient": OTHER, "prevRandao": word(0x12), "time": "0x70000000"}}),
            ),
            With(json!([{"gasLimit": "0x2e631", "miner": OTHER, "mixHash": word(0x12), "timestamp": "0x70000000"}])),
        ),
        simulated(
            "a gas limit goes on",
            blocks_of(json!([{"blockOverrides": {"gasLimit": "0x2e631"}}, {}])),
            With(json!([{"gasLimit": "0x2e631"}, {"gasLimit": "0x2e631"}])),
        ),
        simulated("contracts see the number", run(NUMBER, json!({})), answers(facts.head + 1)),
        simulated(
            "contracts see another number",
            run(NUMBER, json!({"number": quantity(facts.head + 9)})),
            With(json!([{}, {}, {}, {}, {}, {}, {}, {}, {"calls": [{"returnData": word(facts.head + 9)}]}])),
        ),
        simulated("contracts see the time", run(&env("42"), json!({"time": "0x70000000"})), answers(0x7000_0000)),
        simulated("contracts see who gets the fees", run(&env("41"), json!({"feeRecipient": IDENTITY})), answers(4)),
        simulated("contracts see the randomness", run(&env("44"), json!({"prevRandao": word(0x12)})), answers(0x12)),
        simulated("contracts see the gas limit", run(&env("45"), json!({"gasLimit": "0x2e631"})), answers(0x2e631)),
        simulated("contracts see no base fee", run(&env("48"), json!({})), answers(0)),
    ]
}

fn order(facts: &Facts) -> Vec<Rule> {
    let head = facts.head;
    let at = |number: u64| json!({"blockOverrides": {"number": quantity(number)}});
    let when = |time: u64| json!({"blockOverrides": {"time": quantity(time)}});
    let now = 0x7000_0000;
    vec![
        simulated(
            "gaps are filled",
            blocks_of(json!([at(head + 3), {}])),
            With(
                json!([{"number": quantity(head + 1)}, {"number": quantity(head + 2)}, {"number": quantity(head + 3)}, {"number": quantity(head + 4)}]),
            ),
        ),
        simulated("256 blocks in all", one(at(head + 256)), Items(256)),
        simulated("257 blocks with those in the gap", one(at(head + 257)), Error(-38026, "too many blocks")),
        simulated("257 blocks", blocks_of(json!(vec![json!({}); 257])), Error(-38026, "too many blocks")),
        simulated("no blocks", blocks_of(json!([])), Error(-32602, "")),
        simulated("the number of the base", one(at(head)), Error(-38020, "block numbers must be in order")),
        simulated(
            "a number twice",
            blocks_of(json!([at(head + 2), at(head + 2)])),
            Error(-38020, "block numbers must be in order"),
        ),
        simulated(
            "a number that descends",
            blocks_of(json!([at(head + 9), at(head + 4)])),
            Error(-38020, "block numbers must be in order"),
        ),
        simulated(
            "times ascend",
            blocks_of(json!([when(now), {}, when(now + 2)])),
            With(
                json!([{"timestamp": quantity(now)}, {"timestamp": quantity(now + 1)}, {"timestamp": quantity(now + 2)}]),
            ),
        ),
        simulated("a time before the base", one(when(1)), Error(-38021, "block timestamps must be in order")),
        simulated(
            "a time twice",
            blocks_of(json!([when(now), when(now)])),
            Error(-38021, "block timestamps must be in order"),
        ),
        simulated(
            "a time that descends",
            blocks_of(json!([when(now), when(now - 1)])),
            Error(-38021, "block timestamps must be in order"),
        ),
        simulated("a base to come", json!([{"blockStateCalls": [{}]}, "0xffff"]), Error(-32000, "header not found")),
        simulated(
            "an unknown base",
            json!([{"blockStateCalls": [{}]}, B256::repeat_byte(7)]),
            Error(-32000, "header not found"),
        ),
    ]
}

fn transactions(facts: &Facts) -> Vec<Rule> {
    let mut full = validated(one(json!({
        "blockOverrides": {"baseFeePerGas": "0xf"},
        "stateOverrides": {SENDER.to_string(): {"balance": "0xe8d4a51000"}},
        "calls": [{"from": SENDER, "to": OTHER, "maxFeePerGas": "0x10", "value": "0x3e8", "gas": "0x5208"}],
    })));
    full[0]["returnFullTransactions"] = json!(true);
    let kind = |fields: Value, expected: &str| {
        let mut call = send("0x1");
        call.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let mut params = funded("0xffffffffffff", json!([call]));
        params[0]["returnFullTransactions"] = json!(true);
        simulated(
            "the kind of a transaction follows its fields",
            params,
            With(json!([{"transactions": [{"type": expected, "from": SENDER}]}])),
        )
    };
    vec![
        simulated(
            "whole transactions",
            full,
            With(json!([{"transactions": [{
                "type": "0x2", "from": SENDER, "to": OTHER, "value": "0x3e8", "gas": "0x5208", "nonce": "0x0", "maxFeePerGas": "0x10",
                "maxPriorityFeePerGas": "0x0", "gasPrice": "0xf", "chainId": "0x4f4c", "r": "0x0", "s": "0x0", "yParity": "0x0", "transactionIndex": "0x0",
                "blockNumber": quantity(facts.head + 1),
            }]}])),
        ),
        kind(json!({}), "0x2"),
        kind(json!({"gasPrice": "0x0"}), "0x0"),
        kind(json!({"gasPrice": "0x0", "accessList": []}), "0x1"),
        kind(json!({"accessList": []}), "0x2"),
        simulated(
            "nonces go on over the blocks",
            blocks_of(json!([{"calls": [send("0x0"), send("0x0")]}, {"calls": [{"from": SENDER, "to": OTHER, "nonce": "0x2"}]}])).pipe(validated_free),
            With(json!([{"calls": [{"status": "0x1"}, {"status": "0x1"}]}, {"calls": [{"status": "0x1"}]}])),
        ),
        simulated("without validation any nonce does", one(json!({"calls": [{"from": SENDER, "to": OTHER, "nonce": "0x64"}]})), With(json!([{"calls": [{"status": "0x1"}]}]))),
        simulated(
            "balances go on over the blocks",
            blocks_of(json!([
                {"stateOverrides": {SENDER.to_string(): {"balance": "0x7d0"}}, "calls": [send("0x3e8")]},
                {"calls": [{"from": OTHER, "to": RECIPIENT, "value": "0x3e8"}]},
            ])),
            With(json!([{"gasUsed": "0x5208"}, {"calls": [{"status": "0x1", "gasUsed": "0x5208", "maxUsedGas": "0x5208", "logs": []}]}])),
        ),
        simulated(
            "storage goes on over the blocks, and is overridden in them",
            blocks_of(json!([
                {"calls": [{"to": facts.counter}]},
                {"calls": [{"to": facts.counter}]},
                {"stateOverrides": {facts.counter.to_string(): {"stateDiff": {B256::ZERO.to_string(): word(0x40)}}}, "calls": [{"to": facts.counter}]},
                {"stateOverrides": {facts.counter.to_string(): {"state": {}}}, "calls": [{"to": facts.counter}]},
            ])),
            With(json!([{"calls": [{"returnData": word(2)}]}, {"calls": [{"returnData": word(3)}]}, {"calls": [{"returnData": word(0x41)}]}, {"calls": [{"returnData": word(1)}]}])),
        ),
        simulated(
            "the last nonce there is does not stop a call",
            one(json!({"stateOverrides": {SENDER.to_string(): {"nonce": "0xffffffffffffffff"}}, "calls": [send("0x0"), send("0x0")]})),
            With(json!([{"calls": [{"status": "0x1"}, {"status": "0x1"}]}])),
        ),
        simulated(
            "no blobs is no blob transaction",
            one(json!({"calls": [{"from": SENDER, "to": OTHER, "blobVersionedHashes": [], "maxFeePerBlobGas": "0x0"}]})),
            With(json!([{"calls": [{"status": "0x1"}]}])),
        ),
        simulated("a call without fields", one(json!({"calls": [{}]})), With(json!([{"calls": [{"status": "0x1", "returnData": "0x"}]}]))),
        simulated("a creation", one(json!({"calls": [{"from": SENDER, "input": "0x600160005360016000f3"}]})), With(json!([{"calls": [{"status": "0x1", "returnData": "0x01"}]}]))),
    ]
}

/// Validation with a base fee of zero, so that nobody needs funds.
pub(super) fn validated_free(params: Value) -> Value {
    let mut params = validated(params);
    for block in params[0]["blockStateCalls"].as_array_mut().unwrap() {
        block["blockOverrides"] = json!({"baseFeePerGas": "0x0"});
    }
    params
}

/// `value.pipe(function)` reads in the order in which things happen.
trait Pipe: Sized {
    fn pipe(self, function: impl FnOnce(Self) -> Self) -> Self {
        function(self)
    }
}

impl Pipe for Value {}
