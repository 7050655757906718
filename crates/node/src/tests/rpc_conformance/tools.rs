//! Rules about what explorers, debuggers and other nodes ask for.

use alloy_primitives::{B256, U256};
use serde_json::{Value, json};

use super::{
    super::actors::RECIPIENT,
    facts::Facts,
    rule::{Expect::*, Rule, rule},
};

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [traces(facts), simulated(facts), debugging(facts), otterscan(facts), rollup(facts)].into_iter().flatten().collect()
}

fn traces(facts: &Facts) -> Vec<Rule> {
    let call = json!({
        "action": {"callType": "call", "from": facts.user, "to": facts.counter, "value": "0x0"}, "type": "call", "traceAddress": [],
        "subtraces": 0, "blockNumber": 9, "transactionPosition": 4, "transactionHash": facts.kind(4),
    });
    let creation = json!({"type": "create", "result": {"address": facts.counter}});
    vec![
        rule("the calls of a transaction", "trace_transaction", json!([facts.kind(4)]), With(json!([call]))),
        rule("a creation", "trace_transaction", json!([facts.kind(3)]), With(json!([creation]))),
        rule("no calls of a transaction that waits", "trace_transaction", json!([facts.waiting]), Null),
        rule(
            "the calls of a block",
            "trace_block",
            json!(["0x1"]),
            With(json!([{"transactionPosition": 0}, {}, {"transactionPosition": 2, "subtraces": 0}])),
        ),
        rule("no calls of a block to come", "trace_block", json!(["0xffff"]), Null),
        rule("genesis called nothing", "trace_block", json!(["0x0"]), Error(-32000, "genesis is not traceable")),
    ]
}

/// What calls have in common: the state after a block that exists, and precompiles where they can be.
fn simulated(facts: &Facts) -> Vec<Rule> {
    let call = json!({"from": facts.user, "to": RECIPIENT});
    let moved = |from: u8, to: &str| json!({format!("{from:#042x}"): {"movePrecompileToAddress": to}});
    let (itself, free) = (moved(4, "0x0000000000000000000000000000000000000004"), RECIPIENT.to_string());
    let mut both = moved(2, &free);
    both.as_object_mut().unwrap().extend(moved(4, &free).as_object().unwrap().clone());
    let mut rules = Vec::new();
    for (overrides, code) in [(itself, -38022), (both, -38023)] {
        for method in ["eth_estimateGas", "eth_createAccessList"] {
            let params = json!([call, "latest", overrides]);
            rules.push(rule("a precompile cannot be there", method, params, Error(code, "")));
        }
        let params = json!([call, "latest", {"stateOverrides": overrides}]);
        rules.push(rule("a precompile cannot be there", "debug_traceCall", params, Error(code, "")));
    }
    for method in ["eth_createAccessList", "debug_traceCall"] {
        let params = json!([call, "0xffff"]);
        rules.push(rule("a call in a block to come", method, params, Error(-32001, "header not found")));
    }
    rules
}

fn debugging(facts: &Facts) -> Vec<Rule> {
    let (hash, number) = (&facts.kinds["hash"], "0x9");
    let call = json!({"from": facts.user, "to": facts.counter});
    let mut rules = vec![
        rule(
            "a trace of every step",
            "debug_traceTransaction",
            json!([facts.kind(4), {"enableMemory": true, "enableReturnData": true}]),
            With(json!({"failed": false})),
        ),
        rule(
            "a trace of an unknown transaction",
            "debug_traceTransaction",
            json!([B256::repeat_byte(7)]),
            Error(-32000, "transaction not found"),
        ),
        rule(
            "a trace of genesis",
            "debug_traceBlockByNumber",
            json!(["0x0"]),
            Error(-32000, "genesis is not traceable"),
        ),
        rule(
            "a trace of a block to come",
            "debug_traceBlockByNumber",
            json!(["0xffff"]),
            Error(-32001, "header not found"),
        ),
        rule(
            "a trace of an unknown block",
            "debug_traceBlockByHash",
            json!([B256::repeat_byte(7)]),
            Error(-32001, "header not found"),
        ),
        rule(
            "a tracer that is not served",
            "debug_traceCall",
            json!([call, "latest", {"tracer": "muxTracer"}]),
            Error(-32602, "this tracer is not served"),
        ),
        rule("a witness by number", "debug_executionWitness", json!([number]), With(json!({}))),
        rule("a witness by hash", "debug_executionWitnessByBlockHash", json!([hash]), With(json!({}))),
        rule(
            "a witness of a block to come",
            "debug_executionWitness",
            json!(["0xffff"]),
            Error(-32001, "header not found"),
        ),
        rule(
            "a witness of an unknown block",
            "debug_executionWitnessByBlockHash",
            json!([B256::repeat_byte(7)]),
            Error(-32001, "header not found"),
        ),
    ];
    for tracer in [
        json!({}),
        json!({"tracer": "callTracer", "tracerConfig": {"withLog": true}}),
        json!({"tracer": "flatCallTracer"}),
        json!({"tracer": "prestateTracer"}),
        json!({"tracer": "prestateTracer", "tracerConfig": {"diffMode": true}}),
        json!({"tracer": "4byteTracer"}),
        json!({"tracer": "noopTracer"}),
    ] {
        let of_transaction = |index| rule("a trace", "debug_traceTransaction", json!([facts.kind(index), tracer]), Any);
        rules.extend((0..6).map(of_transaction));
        rules.extend([
            rule("traces by number", "debug_traceBlockByNumber", json!([number, tracer]), Items(6)),
            rule("traces by hash", "debug_traceBlockByHash", json!([hash, tracer]), Items(6)),
            rule("a trace of a call", "debug_traceCall", json!([call, "latest", tracer]), Any),
        ]);
    }
    rules
}

fn otterscan(facts: &Facts) -> Vec<Rule> {
    let (hash, unknown) = (&facts.kinds["hash"], B256::repeat_byte(7));
    let ots = |method, params: Value, expect| rule("as Otterscan asks", method, params, expect);
    vec![
        ots("ots_getHeaderByNumber", json!([9]), With(json!({"hash": hash}))),
        ots("ots_getHeaderByNumber", json!([0xffff]), Null),
        ots("ots_hasCode", json!([facts.counter, "latest"]), Is(json!(true))),
        ots("ots_hasCode", json!([RECIPIENT]), Is(json!(false))),
        ots("ots_hasCode", json!([RECIPIENT, 0xffff]), Error(-32001, "header not found")),
        ots("ots_getBlockDetails", json!([9]), With(json!({"block": {"hash": hash, "transactionCount": 6}}))),
        ots("ots_getBlockDetails", json!(["0x0"]), With(json!({"totalFees": "0x0"}))),
        ots("ots_getBlockDetails", json!([0xffff]), Null),
        ots("ots_getBlockDetailsByHash", json!([hash]), With(json!({"block": {"hash": hash}}))),
        ots("ots_getBlockDetailsByHash", json!([unknown]), Null),
        ots(
            "ots_getBlockTransactions",
            json!([9, 0, 2]),
            With(
                json!({"fullblock": {"transactions": [{"hash": facts.kind(4)}, {"hash": facts.kind(5)}]}, "receipts": [{}, {}]}),
            ),
        ),
        ots("ots_getBlockTransactions", json!([0xffff, 0, 2]), Null),
        ots("ots_getBlockTransactions", json!([9, 0, 100_000]), Error(-32005, "")),
        ots("ots_getTransactionBySenderAndNonce", json!([facts.user, 4]), Is(facts.kind(3))),
        ots("ots_getTransactionBySenderAndNonce", json!([facts.user, 7]), Null),
        ots("ots_getInternalOperations", json!([facts.kind(4)]), Is(json!([]))),
        ots("ots_getInternalOperations", json!([facts.kind(3)]), Any),
        ots("ots_getInternalOperations", json!([unknown]), Error(-32000, "transaction not found")),
        ots("ots_getTransactionError", json!([facts.kind(4)]), Is(json!("0x"))),
        ots("ots_getTransactionError", json!([unknown]), Error(-32000, "transaction not found")),
        ots(
            "ots_traceTransaction",
            json!([facts.kind(4)]),
            With(json!([{"type": "CALL", "depth": 0, "to": facts.counter}])),
        ),
        ots("ots_traceTransaction", json!([unknown]), Error(-32000, "transaction not found")),
        ots(
            "ots_getContractCreator",
            json!([facts.counter]),
            Is(json!({"hash": facts.kind(3), "creator": facts.user})),
        ),
        ots("ots_getContractCreator", json!([RECIPIENT]), Null),
        ots("erigon_getHeaderByNumber", json!(["0xffff"]), Null),
    ]
}

fn rollup(facts: &Facts) -> Vec<Rule> {
    let number = json!(facts.head);
    vec![
        rule(
            "the heads on both layers",
            "optimism_syncStatus",
            json!([]),
            With(json!({"unsafe_l2": {"number": number}})),
        ),
        rule("the output of a block", "optimism_outputAtBlock", json!(["0x9"]), With(json!({"version": B256::ZERO}))),
        rule("the output of no block", "optimism_outputAtBlock", json!(["0xffff"]), Error(-32001, "header not found")),
        rule(
            "the rules of the rollup",
            "optimism_rollupConfig",
            json!([]),
            With(json!({"l2_chain_id": 20_300, "genesis": {"l2": {"number": 0}}})),
        ),
        rule("a node has a version", "optimism_version", json!([]), Any),
        rule("a client has a version", "web3_clientVersion", json!([]), Any),
        rule("no faults", "openledger_faults", json!([]), Is(json!([]))),
        rule("where L1 carries a block", "openledger_batchOf", json!(["0x1"]), Any),
        rule("no batch has genesis", "openledger_batchOf", json!(["0x0"]), Null),
        rule(
            "no batch has a block to come",
            "openledger_batchOf",
            json!(["0xffff"]),
            Error(-32001, "header not found"),
        ),
        rule("nothing is mined", "eth_mining", json!([]), Is(json!(false))),
        rule("nothing is hashed", "eth_hashrate", json!([]), Is(json!("0x0"))),
        rule("bytes by place", "eth_getRawTransactionByBlockNumberAndIndex", json!(["0x9", "0x1"]), Data),
        rule(
            "bytes by hash and place",
            "eth_getRawTransactionByBlockHashAndIndex",
            json!([facts.kinds["hash"], "0x1"]),
            Data,
        ),
        rule("no bytes beyond the block", "eth_getRawTransactionByBlockNumberAndIndex", json!(["0x9", "0x6"]), Null),
        rule(
            "no bytes in an unknown block",
            "eth_getRawTransactionByBlockHashAndIndex",
            json!([B256::from(U256::ONE), "0x0"]),
            Null,
        ),
    ]
}
