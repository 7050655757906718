//! Rules about the node, its blocks and their receipts.

use alloy_primitives::{B256, keccak256};
use serde_json::json;

use super::{
    super::actors::RECIPIENT,
    facts::Facts,
    rule::{Expect::*, Rule, rule},
};

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [node(), blocks(facts), receipts(facts), raw(facts)].into_iter().flatten().collect()
}

fn node() -> Vec<Rule> {
    vec![
        rule("the chain id is a quantity", "eth_chainId", json!([]), Is(json!("0x4f4c"))),
        rule("the network id is the chain id in decimal", "net_version", json!([]), Is(json!("20300"))),
        rule("a node listens", "net_listening", json!([]), Is(json!(true))),
        rule("there are no peers", "net_peerCount", json!([]), Is(json!("0x0"))),
        rule("a node that has all blocks does not sync", "eth_syncing", json!([]), Is(json!(false))),
        rule("a node has no accounts", "eth_accounts", json!([]), Is(json!([]))),
        rule("keccak256 of nothing", "web3_sha3", json!(["0x"]), Is(json!(keccak256([])))),
        rule("odd hex is refused", "web3_sha3", json!(["0x1"]), Error(-32602, "")),
        rule("parameters may be left out", "eth_blockNumber", json!([]), Quantity),
        rule("a method that does not exist", "eth_nothing", json!([]), Error(-32601, "")),
        rule("a node signs nothing", "eth_sign", json!([RECIPIENT, "0x00"]), Error(-32601, "")),
        rule("a node sends nothing by itself", "eth_sendTransaction", json!([{}]), Error(-32601, "")),
        rule("too few parameters", "eth_getBalance", json!([]), Error(-32602, "")),
        rule("parameters of another type", "eth_getBalance", json!([{}]), Error(-32602, "")),
        rule(
            "everything since genesis is there",
            "eth_capabilities",
            json!([]),
            With(
                json!({"state": {"disabled": false, "oldestBlock": "0x0"}, "receipts": {"disabled": false, "oldestBlock": "0x0"}}),
            ),
        ),
        rule(
            "the rules of this chain hold from genesis on (EIP-7910)",
            "eth_config",
            json!([]),
            With(json!({
                "current": {
                    "activationTime": 0,
                    "blobSchedule": {"target": 0, "max": 0, "baseFeeUpdateFraction": 5_007_716},
                    "chainId": "0x4f4c",
                    "precompiles": {"ECREC": at(1), "BLS12_G1ADD": at(0x0b), "P256VERIFY": at(0x100), "SETTLE": at(0xa001)},
                    "systemContracts": {"BEACON_ROOTS_ADDRESS": "0x000f3df6d732807ef1319fb7b8bb8522d0beac02"},
                },
                "next": null,
                "last": null,
            })),
        ),
        rule("who gets the tips", "eth_coinbase", json!([]), Is(json!("0x4200000000000000000000000000000000000011"))),
        rule("no bad blocks are kept", "debug_getBadBlocks", json!([]), Is(json!([]))),
    ]
}

/// The address with this number.
fn at(number: u64) -> String {
    format!("{number:#042x}")
}

fn blocks(facts: &Facts) -> Vec<Rule> {
    let hash = &facts.block["hash"];
    let with_hash = || With(json!({"hash": hash, "number": "0x1"}));
    let unknown = B256::repeat_byte(7);
    let mut hashes = facts.block.clone();
    hashes["transactions"] =
        facts.block["transactions"].as_array().unwrap().iter().map(|tx| tx["hash"].clone()).collect();
    let mut rules = vec![
        rule(
            "a block by number with transactions",
            "eth_getBlockByNumber",
            json!(["0x1", true]),
            Is(facts.block.clone()),
        ),
        rule("a block by number with hashes", "eth_getBlockByNumber", json!(["0x1", false]), Is(hashes)),
        rule("a block by hash", "eth_getBlockByHash", json!([hash, true]), Is(facts.block.clone())),
        rule(
            "genesis has parent zero",
            "eth_getBlockByNumber",
            json!(["0x0", false]),
            With(json!({"parentHash": B256::ZERO, "transactions": []})),
        ),
        rule("all kinds of transactions", "eth_getBlockByNumber", json!(["0x9", true]), Is(facts.kinds.clone())),
        rule("a block to come is null", "eth_getBlockByNumber", json!(["0xffff", false]), Null),
        rule("an unknown hash is null", "eth_getBlockByHash", json!([unknown, false]), Null),
        rule("a short hash is refused", "eth_getBlockByHash", json!(["0x07", false]), Error(-32602, "")),
        rule("a number without prefix is refused", "eth_getBlockByNumber", json!(["2", false]), Error(-32602, "")),
        rule("an unknown tag is refused", "eth_getBlockByNumber", json!(["newest", false]), Error(-32602, "")),
        rule("a count by number", "eth_getBlockTransactionCountByNumber", json!(["0x1"]), Is(json!("0x3"))),
        rule("a count by hash", "eth_getBlockTransactionCountByHash", json!([hash]), Is(json!("0x3"))),
        rule("a count of no block", "eth_getBlockTransactionCountByNumber", json!(["0xffff"]), Null),
        rule("a count of an unknown hash", "eth_getBlockTransactionCountByHash", json!([unknown]), Null),
        rule("no uncles by number", "eth_getUncleCountByBlockNumber", json!(["0x1"]), Is(json!("0x0"))),
        rule("no uncles by hash", "eth_getUncleCountByBlockHash", json!([hash]), Is(json!("0x0"))),
        rule("uncles of no block", "eth_getUncleCountByBlockHash", json!([unknown]), Null),
        rule("no uncle by number", "eth_getUncleByBlockNumberAndIndex", json!(["0x1", "0x0"]), Null),
        rule("no uncle by hash", "eth_getUncleByBlockHashAndIndex", json!([hash, "0x0"]), Null),
        rule("a header for Otterscan", "erigon_getHeaderByNumber", json!([1]), with_hash()),
        rule(
            "the newest transactions of an address",
            "ots_searchTransactionsBefore",
            json!([RECIPIENT, 0, 2]),
            With(
                json!({"txs": [{"hash": facts.kind(5)}, {"hash": facts.kind(2)}, {"hash": facts.kind(1)}], "firstPage": true, "lastPage": false}),
            ),
        ),
        rule(
            "its oldest ones",
            "ots_searchTransactionsBefore",
            json!([RECIPIENT, 9, 2]),
            With(
                json!({"txs": [{"nonce": "0x1"}, {"nonce": "0x0"}], "receipts": [{"status": "0x1"}, {}], "firstPage": false, "lastPage": true}),
            ),
        ),
        rule(
            "those after a block",
            "ots_searchTransactionsAfter",
            json!([facts.counter, 1, 25]),
            With(
                json!({"txs": [{"hash": facts.kind(4)}, {"hash": facts.kind(3)}], "firstPage": true, "lastPage": false}),
            ),
        ),
        rule(
            "those from the begin on",
            "ots_searchTransactionsAfter",
            json!([RECIPIENT, 0, 2]),
            With(json!({"txs": [{"nonce": "0x1"}, {"nonce": "0x0"}], "firstPage": false, "lastPage": true})),
        ),
        rule("too large a page", "ots_searchTransactionsBefore", json!([RECIPIENT, 0, 100_000]), Error(-32005, "")),
        rule("the level of Otterscan", "ots_getApiLevel", json!([]), Is(json!(8))),
    ];
    for tag in ["earliest", "finalized", "safe", "latest", "pending"] {
        rules.push(rule(
            "every tag names a block",
            "eth_getBlockByNumber",
            json!([tag, false]),
            With(json!({"difficulty": "0x0"})),
        ));
    }
    rules
}

fn receipts(facts: &Facts) -> Vec<Rule> {
    let hash = &facts.block["hash"];
    let three = || {
        With(
            json!([{"type": "0x7e"}, {"type": "0x2", "status": "0x1"}, {"transactionIndex": "0x2", "blockHash": hash}]),
        )
    };
    vec![
        rule("receipts by number", "eth_getBlockReceipts", json!(["0x1"]), three()),
        rule("receipts by hash", "eth_getBlockReceipts", json!([hash]), three()),
        rule("receipts by an object with a hash", "eth_getBlockReceipts", json!([{"blockHash": hash}]), three()),
        rule("receipts by an object with a number", "eth_getBlockReceipts", json!([{"blockNumber": "0x1"}]), three()),
        rule("receipts of every kind", "eth_getBlockReceipts", json!(["0x9"]), Items(6)),
        rule("receipts by tag", "eth_getBlockReceipts", json!(["latest"]), Items(1)),
        rule("receipts of genesis", "eth_getBlockReceipts", json!(["earliest"]), Is(json!([]))),
        rule("receipts of a block to come", "eth_getBlockReceipts", json!(["0xffff"]), Null),
        rule("receipts of an unknown hash", "eth_getBlockReceipts", json!([B256::repeat_byte(7)]), Null),
    ]
}

fn raw(facts: &Facts) -> Vec<Rule> {
    let mut rules = vec![
        rule("a raw transaction", "debug_getRawTransaction", json!([facts.kind(1)]), Data),
        rule(
            "a raw transaction that waits",
            "debug_getRawTransaction",
            json!([facts.waiting]),
            Is(json!(facts.waiting_raw)),
        ),
        rule("a raw transaction by a short hash", "debug_getRawTransaction", json!(["0x07"]), Error(-32602, "")),
        rule(
            "a raw transaction by a hash without prefix",
            "debug_getRawTransaction",
            json!(["07".repeat(32)]),
            Error(-32602, ""),
        ),
        rule("raw receipts", "debug_getRawReceipts", json!(["0x1"]), Items(3)),
        rule("raw receipts of genesis", "debug_getRawReceipts", json!(["0x0"]), Is(json!([]))),
        rule("a raw block by hash", "debug_getRawBlock", json!([facts.block["hash"]]), Data),
    ];
    for method in ["debug_getRawHeader", "debug_getRawBlock"] {
        for block in ["0x0", "0x3", "latest", "earliest", "safe", "finalized"] {
            rules.push(rule("a raw block or header", method, json!([block]), Data));
        }
    }
    for method in ["debug_getRawHeader", "debug_getRawBlock", "debug_getRawReceipts"] {
        rules.push(rule("a number without prefix is refused", method, json!(["2"]), Error(-32602, "")));
        rules.push(rule("a block to come is not found", method, json!(["0xffff"]), Error(-32001, "header not found")));
    }
    rules
}
