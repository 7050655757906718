//! Rules about accounts, storage, proofs and fees.

use alloy_primitives::{Address, B256, keccak256};
use serde_json::{Value, json};

use super::{
    super::actors::RECIPIENT,
    facts::Facts,
    rule::{Expect::*, Rule, rule},
};

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [state(facts), proofs(facts), fees(facts)].into_iter().flatten().collect()
}

fn state(facts: &Facts) -> Vec<Rule> {
    let (block, unknown) = (&facts.block["hash"], B256::repeat_byte(7));
    let counted = format!("0x{:064x}", 1);
    let zero = format!("0x{:064x}", 0);
    let mut rules = vec![
        rule("a balance", "eth_getBalance", json!([RECIPIENT, "latest"]), Is(json!("0x4"))),
        rule("a balance at the default block", "eth_getBalance", json!([RECIPIENT]), Is(json!("0x4"))),
        rule("a balance of the past", "eth_getBalance", json!([RECIPIENT, "0x1"]), Is(json!("0x2"))),
        rule("a balance by hash", "eth_getBalance", json!([RECIPIENT, block]), Is(json!("0x2"))),
        rule("no account has no balance", "eth_getBalance", json!([RECIPIENT, "earliest"]), Is(json!("0x0"))),
        rule("an address that is too short", "eth_getBalance", json!(["0x0b0b", "latest"]), Error(-32602, "")),
        rule("the next nonce", "eth_getTransactionCount", json!([facts.user, "latest"]), Is(json!("0x7"))),
        rule("the next nonce at the default block", "eth_getTransactionCount", json!([facts.user]), Is(json!("0x7"))),
        rule(
            "the next nonce after what waits",
            "eth_getTransactionCount",
            json!([facts.user, "pending"]),
            Is(json!("0x8")),
        ),
        rule("a nonce of the past", "eth_getTransactionCount", json!([facts.user, "0x1"]), Is(json!("0x2"))),
        rule("code", "eth_getCode", json!([facts.counter, "latest"]), Bytes(56)),
        rule("code before it was there", "eth_getCode", json!([facts.counter, "0x8"]), Is(json!("0x"))),
        rule("code of an account", "eth_getCode", json!([facts.user, "pending"]), Is(json!("0x"))),
        rule("a slot", "eth_getStorageAt", json!([facts.counter, "0x0", "latest"]), Is(json!(counted))),
        rule("a slot at the default block", "eth_getStorageAt", json!([facts.counter, "0x0"]), Is(json!(counted))),
        rule(
            "a slot by a key of 32 bytes",
            "eth_getStorageAt",
            json!([facts.counter, B256::ZERO, "latest"]),
            Is(json!(counted)),
        ),
        rule("a slot of no account", "eth_getStorageAt", json!([Address::ZERO, "0x7", "latest"]), Is(json!(zero))),
        rule("a key that is no hex", "eth_getStorageAt", json!([facts.counter, "0xasdf", "latest"]), Error(-32602, "")),
        rule(
            "a key that is too long",
            "eth_getStorageAt",
            json!([facts.counter, format!("0x{:065}", 0), "latest"]),
            Error(-32602, ""),
        ),
        rule(
            "slots of several accounts",
            "eth_getStorageValues",
            json!([{facts.counter.to_string(): ["0x0", "0x1"], RECIPIENT.to_string(): ["0x0"]}, "latest"]),
            Is(json!({format!("{:#x}", facts.counter): [counted, zero], format!("{RECIPIENT:#x}"): [zero]})),
        ),
        rule(
            "slots in a block to come",
            "eth_getStorageValues",
            json!([{RECIPIENT.to_string(): ["0x0"]}, "0xffff"]),
            Error(-32001, "header not found"),
        ),
        rule("no slots", "eth_getStorageValues", json!([{}, "latest"]), Error(-32602, "empty request")),
    ];
    let methods: [(&'static str, Vec<Value>); 5] = [
        ("eth_getBalance", vec![json!(RECIPIENT)]),
        ("eth_getTransactionCount", vec![json!(RECIPIENT)]),
        ("eth_getCode", vec![json!(RECIPIENT)]),
        ("eth_getStorageAt", vec![json!(RECIPIENT), json!("0x0")]),
        ("eth_getProof", vec![json!(RECIPIENT), json!([])]),
    ];
    for (method, params) in methods {
        let at = |block: Value| Value::Array(params.iter().cloned().chain([block]).collect());
        rules.extend([
            rule("EIP-1898: a block to come", method, at(json!("0xffff")), Error(-32001, "header not found")),
            rule("EIP-1898: an unknown hash", method, at(json!(unknown)), Error(-32001, "header not found")),
            rule(
                "EIP-1898: an unknown hash in an object",
                method,
                at(json!({"blockHash": unknown})),
                Error(-32001, ""),
            ),
            rule(
                "EIP-1898: an unknown canonical hash",
                method,
                at(json!({"blockHash": unknown, "requireCanonical": true})),
                Error(-32001, ""),
            ),
            rule(
                "EIP-1898: number and hash",
                method,
                at(json!({"blockHash": block, "blockNumber": "0x1"})),
                Error(-32602, ""),
            ),
            rule("EIP-1898: neither of them", method, at(json!({})), Error(-32602, "")),
            rule("an unknown tag", method, at(json!("newest")), Error(-32602, "")),
            rule("a number that is a number", method, at(json!(1)), Error(-32602, "")),
            rule("a number without prefix", method, at(json!("1")), Error(-32602, "")),
        ]);
    }
    for block in [
        json!({"blockNumber": "0x1"}),
        json!({"blockHash": block}),
        json!({"blockHash": block, "requireCanonical": true}),
    ] {
        rules.push(rule(
            "EIP-1898: a block by an object",
            "eth_getBalance",
            json!([RECIPIENT, block]),
            Is(json!("0x2")),
        ));
    }
    rules
}

fn proofs(facts: &Facts) -> Vec<Rule> {
    let counter = facts.counter;
    vec![
        rule(
            "a proof",
            "eth_getProof",
            json!([counter, [], "latest"]),
            With(json!({"nonce": "0x1", "balance": "0x0", "storageProof": []})),
        ),
        rule("a proof at the default block", "eth_getProof", json!([counter, []]), With(json!({"nonce": "0x1"}))),
        rule(
            "a proof by hash",
            "eth_getProof",
            json!([counter, [], facts.kinds["hash"]]),
            With(json!({"nonce": "0x1"})),
        ),
        rule(
            "a proof of a slot",
            "eth_getProof",
            json!([counter, ["0x0"], "latest"]),
            With(json!({"storageProof": [{"key": "0x0", "value": "0x1"}]})),
        ),
        rule(
            "a key comes back as it was asked",
            "eth_getProof",
            json!([counter, [B256::ZERO], "latest"]),
            With(json!({"storageProof": [{"key": B256::ZERO}]})),
        ),
        rule(
            "a proof of a slot that is not there",
            "eth_getProof",
            json!([counter, ["0x9"], "latest"]),
            With(json!({"storageProof": [{"value": "0x0"}]})),
        ),
        rule(
            "a proof of no account",
            "eth_getProof",
            json!([RECIPIENT, ["0x0"], "earliest"]),
            With(json!({"nonce": "0x0", "codeHash": keccak256([])})),
        ),
        rule(
            "more slots than are proven",
            "eth_getProof",
            json!([counter, vec!["0x0"; 1025], "latest"]),
            Error(-32005, ""),
        ),
    ]
}

fn fees(facts: &Facts) -> Vec<Rule> {
    let history = |count: &str, newest: &str, percentiles: Value| json!([count, newest, percentiles]);
    let unknown = B256::repeat_byte(7).to_string();
    let head = format!("{:#x}", facts.head);
    let beyond = format!("{:#x}", facts.head + 1);
    vec![
        rule("a price", "eth_gasPrice", json!([]), Quantity),
        rule("a tip", "eth_maxPriorityFeePerGas", json!([]), Quantity),
        rule("the next base fee", "eth_baseFee", json!([]), Is(json!("0xf4240"))),
        rule("blobs cost the least", "eth_blobBaseFee", json!([]), Is(json!("0x1"))),
        rule(
            "the fees of one block and the next",
            "eth_feeHistory",
            history("0x1", "0x9", json!([])),
            With(
                json!({"oldestBlock": "0x9", "baseFeePerGas": ["0xf4240", "0xf4240"], "blobGasUsedRatio": [0.0], "baseFeePerBlobGas": ["0x1", "0x1"]}),
            ),
        ),
        rule(
            "rewards for each percentile",
            "eth_feeHistory",
            history("0x1", "0x9", json!([0, 50, 99.9])),
            With(json!({"reward": [["0xf4240", "0xf4240", "0x3b8b87c0"]]})),
        ),
        rule(
            "rewards of a block without transactions",
            "eth_feeHistory",
            history("0x1", "0x3", json!([50])),
            With(json!({"reward": [["0x0"]]})),
        ),
        rule(
            "the newest block by tag",
            "eth_feeHistory",
            history("0x1", "latest", json!([])),
            With(json!({"oldestBlock": head})),
        ),
        rule(
            "more than there are",
            "eth_feeHistory",
            history("0x400", "0x2", json!([])),
            With(json!({"oldestBlock": "0x0"})),
        ),
        rule(
            "more than are served are shortened",
            "eth_feeHistory",
            history("0xffffffff", "latest", json!([])),
            With(json!({"oldestBlock": "0x0"})),
        ),
        rule(
            "no blocks",
            "eth_feeHistory",
            history("0x0", "latest", json!([])),
            With(json!({"oldestBlock": "0x0", "gasUsedRatio": [], "baseFeePerGas": ["0xf4240"]})),
        ),
        rule(
            "beyond the head",
            "eth_feeHistory",
            history("0x1", &beyond, json!([])),
            Error(-32000, "request beyond head block"),
        ),
        rule(
            "nothing beyond the head",
            "eth_feeHistory",
            history("0x0", &beyond, json!([])),
            Error(-32000, "request beyond head block"),
        ),
        rule(
            "percentiles descend",
            "eth_feeHistory",
            history("0x1", "latest", json!([50, 10])),
            Error(-32602, "invalid reward percentile"),
        ),
        rule(
            "a percentile below zero",
            "eth_feeHistory",
            history("0x1", "latest", json!([-1])),
            Error(-32602, "invalid reward percentile"),
        ),
        rule(
            "a percentile above a hundred",
            "eth_feeHistory",
            history("0x1", "latest", json!([100.5])),
            Error(-32602, "invalid reward percentile"),
        ),
        rule(
            "too many percentiles",
            "eth_feeHistory",
            history("0x1", "latest", json!(vec![1; 101])),
            Error(-32602, ""),
        ),
        rule("a hash is no newest block", "eth_feeHistory", history("0x1", &unknown, json!([])), Error(-32602, "")),
    ]
}
