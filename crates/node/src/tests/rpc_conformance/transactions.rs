//! Rules about transactions, the pool, logs and filters.

use alloy_consensus::{TxEip1559, TxLegacy};
use alloy_primitives::{B256, Bytes, TxKind, U256};
use serde_json::{Value, json};

use super::{
    super::actors::RECIPIENT,
    facts::{Facts, TOPIC, dynamic, signed},
    rule::{Expect::*, Rule, rule},
};

pub(super) fn rules(facts: &Facts) -> Vec<Rule> {
    [found(facts), filled(facts), refused(facts), pool(facts), logs(facts), filters()].into_iter().flatten().collect()
}

fn found(facts: &Facts) -> Vec<Rule> {
    let (hash, unknown) = (&facts.kinds["hash"], B256::repeat_byte(7));
    let mut rules = vec![
        rule("an unknown transaction", "eth_getTransactionByHash", json!([unknown]), Null),
        rule("a hash that is too short", "eth_getTransactionByHash", json!(["0x07"]), Error(-32602, "")),
        rule(
            "a transaction that waits is in no block",
            "eth_getTransactionByHash",
            json!([facts.waiting]),
            With(json!({"blockHash": null, "blockNumber": null, "transactionIndex": null, "nonce": "0x7"})),
        ),
        rule("an unknown receipt", "eth_getTransactionReceipt", json!([unknown]), Null),
        rule("no receipt while a transaction waits", "eth_getTransactionReceipt", json!([facts.waiting]), Null),
        rule(
            "a creation names its contract",
            "eth_getTransactionReceipt",
            json!([facts.kind(3)]),
            With(json!({"contractAddress": facts.counter, "to": null, "status": "0x1"})),
        ),
        rule(
            "a call has logs",
            "eth_getTransactionReceipt",
            json!([facts.kind(4)]),
            With(json!({"contractAddress": null, "logs": [{"topics": [TOPIC], "logIndex": "0x0", "removed": false}]})),
        ),
        rule("an index beyond the block", "eth_getTransactionByBlockHashAndIndex", json!([hash, "0x6"]), Null),
        rule("an index in no block", "eth_getTransactionByBlockNumberAndIndex", json!(["0xffff", "0x0"]), Null),
        rule("an index in an unknown block", "eth_getTransactionByBlockHashAndIndex", json!([unknown, "0x0"]), Null),
    ];
    for index in 0..6 {
        let transaction = facts.kinds["transactions"][index].clone();
        let place = format!("{index:#x}");
        rules.extend([
            rule(
                "a transaction by hash",
                "eth_getTransactionByHash",
                json!([facts.kind(index)]),
                Is(transaction.clone()),
            ),
            rule(
                "by block hash and index",
                "eth_getTransactionByBlockHashAndIndex",
                json!([hash, place]),
                Is(transaction.clone()),
            ),
            rule(
                "by number and index",
                "eth_getTransactionByBlockNumberAndIndex",
                json!(["0x9", place]),
                Is(transaction),
            ),
            rule(
                "its receipt",
                "eth_getTransactionReceipt",
                json!([facts.kind(index)]),
                With(json!({"transactionIndex": place, "status": "0x1"})),
            ),
            rule("its bytes", "eth_getRawTransactionByHash", json!([facts.kind(index)]), Data),
        ]);
    }
    rules
}

fn filled(facts: &Facts) -> Vec<Rule> {
    let fill = |says, call: Value, expect| rule(says, "eth_fillTransaction", json!([call]), expect);
    let creation = json!({"from": facts.user, "nonce": "0x1", "gas": "0xffff", "gasPrice": "0x1", "accessList": [], "data": "0x00"});
    let mut rules = vec![
        fill(
            "what is left out is filled in",
            json!({"from": facts.user, "to": RECIPIENT}),
            With(json!({"tx": {
                "type": "0x2", "chainId": "0x4f4c", "nonce": "0x8", "gas": "0x5208", "value": "0x0", "input": "0x", "to": RECIPIENT,
                "maxPriorityFeePerGas": "0xf4240", "accessList": [],
            }})),
        ),
        fill(
            "what is there stays",
            json!({"from": facts.user, "to": RECIPIENT, "nonce": "0x1", "gas": "0xffff", "maxFeePerGas": "0xf4241", "value": "0x2"}),
            With(
                json!({"tx": {"type": "0x2", "nonce": "0x1", "gas": "0xffff", "maxFeePerGas": "0xf4241", "gasPrice": "0xf4241", "value": "0x2"}}),
            ),
        ),
        fill(
            "a price makes a legacy transaction",
            json!({"from": facts.user, "to": RECIPIENT, "gasPrice": "0x3b9aca00"}),
            With(json!({"tx": {"type": "0x0", "gasPrice": "0x3b9aca00", "gas": "0x5208"}})),
        ),
        fill(
            "a creation with an access list",
            creation,
            With(json!({"tx": {"type": "0x1", "to": null, "input": "0x00"}})),
        ),
        fill("a creation of nothing", json!({}), Error(-32602, "contract creation without any data provided")),
        fill(
            "another chain",
            json!({"to": RECIPIENT, "chainId": "0x1"}),
            Error(-32602, "chainId does not match node's"),
        ),
        fill(
            "a creation that reverts",
            json!({"from": facts.user, "data": "0x60006000fd"}),
            Reverts("execution reverted", "0x"),
        ),
        fill(
            "what cannot succeed has no gas",
            json!({"from": RECIPIENT, "to": facts.user, "value": U256::MAX}),
            Error(-32000, "insufficient funds for"),
        ),
    ];
    for (fees, why) in [
        (
            json!({"gasPrice": "0x1", "maxFeePerGas": "0x1"}),
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ),
        (json!({"gasPrice": "0x0"}), "gasPrice must be non-zero"),
        (json!({"maxFeePerGas": "0x0"}), "maxFeePerGas must be non-zero"),
        (json!({"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x2"}), "maxFeePerGas (1) < maxPriorityFeePerGas (2)"),
        (json!({"gasPrice": "0x1", "authorizationList": []}), "both gasPrice and authorizationList specified"),
    ] {
        let mut call = fees;
        call["to"] = json!(RECIPIENT);
        rules.push(fill("fees that do not fit", call, Error(-32602, why)));
    }
    rules
}

fn refused(facts: &Facts) -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut refuse = |says, raw: Bytes, message| {
        for method in ["eth_sendRawTransaction", "eth_sendRawTransactionSync"] {
            rules.push(rule(says, method, json!([raw]), Error(-32000, message)));
        }
    };
    refuse("no bytes", Bytes::new(), "invalid transaction encoding");
    refuse("bytes that are no transaction", Bytes::from_static(&[2, 1, 2, 3]), "invalid transaction encoding");
    refuse(
        "a transaction with bytes behind it",
        [&facts.waiting_raw[..], &[0]].concat().into(),
        "invalid transaction encoding",
    );
    refuse("a transaction that is known", facts.waiting_raw.clone(), "already known");
    refuse("a nonce that was used", signed(dynamic(0)), "nonce too low");
    let other = TxEip1559 { value: U256::from(2), ..dynamic(7) };
    refuse("a replacement that does not pay more", signed(other), "replacement transaction underpriced");
    let cheap = TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 1, ..dynamic(8) };
    refuse("a fee below the least", signed(cheap), "transaction underpriced");
    let greedy = TxEip1559 { max_priority_fee_per_gas: 2_000_000_000, ..dynamic(8) };
    refuse("a tip above the fee", signed(greedy), "max priority fee per gas higher than max fee per gas");
    refuse("too little gas", signed(TxEip1559 { gas_limit: 20_999, ..dynamic(8) }), "intrinsic gas too low");
    refuse(
        "more gas than a block has",
        signed(TxEip1559 { gas_limit: 1 << 40, ..dynamic(8) }),
        "exceeds block gas limit",
    );
    refuse(
        "more than the balance",
        signed(TxEip1559 { value: U256::MAX >> 1, ..dynamic(8) }),
        "insufficient funds for gas * price + value",
    );
    refuse(
        "another chain",
        signed(TxEip1559 { chain_id: 1, ..dynamic(8) }),
        "invalid sender: invalid chain id for signer",
    );
    let unprotected = TxLegacy {
        nonce: 8,
        gas_price: 1_000_000_000,
        gas_limit: 21_000,
        to: TxKind::Call(RECIPIENT),
        ..Default::default()
    };
    refuse(
        "a transaction for any chain",
        signed(unprotected),
        "only replay-protected (EIP-155) transactions allowed over RPC",
    );
    refuse("a signature with a high s (EIP-2)", high_s(&signed(dynamic(8))), "invalid sender");
    refuse("a blob transaction", Bytes::from_static(&[3, 0xc0]), "transaction type not supported");
    refuse("a deposit", Bytes::from_static(&[0x7e, 0xc0]), "transaction type not supported");
    rules.push(rule("no hex", "eth_sendRawTransaction", json!(["0x0g"]), Error(-32602, "")));
    rules
}

/// The other signature of the same key for the same transaction: n − s instead of s, and the other parity.
fn high_s(raw: &[u8]) -> Bytes {
    use alloy_eips::{Decodable2718 as _, Encodable2718 as _};
    use op_alloy_consensus::OpTxEnvelope;
    const ORDER: U256 =
        alloy_primitives::uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
    let OpTxEnvelope::Eip1559(tx) = OpTxEnvelope::decode_2718_exact(raw).unwrap() else { unreachable!() };
    let (tx, signature, _) = tx.into_parts();
    let high = alloy_primitives::Signature::new(signature.r(), ORDER - signature.s(), !signature.v());
    OpTxEnvelope::from(alloy_consensus::SignableTransaction::into_signed(tx, high)).encoded_2718().into()
}

fn pool(facts: &Facts) -> Vec<Rule> {
    let (sender, user) = (facts.user.to_checksum(None), facts.user);
    vec![
        rule("how many wait", "txpool_status", json!([]), Is(json!({"pending": "0x1", "queued": "0x1"}))),
        rule(
            "what waits, by sender and nonce",
            "txpool_content",
            json!([]),
            With(
                json!({"pending": {&sender: {"7": {"hash": facts.waiting}}}, "queued": {&sender: {"9": {"hash": facts.queued}}}}),
            ),
        ),
        rule(
            "what waits of one sender",
            "txpool_contentFrom",
            json!([user]),
            With(json!({"pending": {"7": {"hash": facts.waiting}}})),
        ),
        rule(
            "nothing waits of another",
            "txpool_contentFrom",
            json!([RECIPIENT]),
            Is(json!({"pending": {}, "queued": {}})),
        ),
        rule(
            "what waits, in words",
            "txpool_inspect",
            json!([]),
            With(
                json!({"pending": {&sender: {"7": format!("{}: 1 wei + 21000 gas × 1000000000 wei", RECIPIENT.to_checksum(None))}}}),
            ),
        ),
    ]
}

fn logs(facts: &Facts) -> Vec<Rule> {
    let (hash, counter, other) = (&facts.kinds["hash"], facts.counter, B256::repeat_byte(9));
    let ask = |says, filter: Value, expect| rule(says, "eth_getLogs", json!([filter]), expect);
    let one = || {
        With(
            json!([{"blockNumber": "0x9", "blockHash": hash, "topics": [TOPIC], "transactionIndex": "0x4", "logIndex": "0x0"}]),
        )
    };
    let range = |filter: Value| {
        let mut filter = filter;
        filter["fromBlock"] = json!("0x1");
        filter["toBlock"] = json!("latest");
        filter
    };
    let head = format!("{:#x}", facts.head);
    let beyond = format!("{:#x}", facts.head + 1);
    vec![
        ask("logs of a range", range(json!({})), one()),
        ask("logs of a block by hash", json!({"blockHash": hash}), one()),
        ask("logs of an address", range(json!({"address": counter})), one()),
        ask("logs of one of several addresses", range(json!({"address": [RECIPIENT, counter]})), one()),
        ask("logs of another address", range(json!({"address": RECIPIENT})), Items(0)),
        ask("logs of any address", range(json!({"address": null})), one()),
        ask("logs with a topic", range(json!({"topics": [TOPIC]})), one()),
        ask("logs with one of several topics", range(json!({"topics": [[other, TOPIC]]})), one()),
        ask("logs with any topic", range(json!({"topics": [null]})), one()),
        ask("an empty list is any topic", range(json!({"topics": [[]]})), one()),
        ask("logs with another topic", range(json!({"topics": [other]})), Items(0)),
        ask("logs with more topics than they have", range(json!({"topics": [TOPIC, TOPIC]})), Items(0)),
        ask("logs of the newest block", json!({}), Items(0)),
        ask("logs up to the newest block", json!({"fromBlock": "0x9", "toBlock": head}), Items(1)),
        ask("a hash and a range", json!({"blockHash": hash, "fromBlock": "0x1"}), Error(-32602, "")),
        ask("a hash and an end", json!({"blockHash": hash, "toBlock": "latest"}), Error(-32602, "")),
        ask(
            "a range that ends before it begins",
            json!({"fromBlock": "0x3", "toBlock": "0x1"}),
            Error(-32602, "invalid block range"),
        ),
        ask(
            "a range that ends beyond the head",
            json!({"fromBlock": "0x1", "toBlock": beyond}),
            Error(-32602, "block range extends beyond current head block"),
        ),
        ask("a range that begins beyond the head", json!({"fromBlock": beyond}), Error(-32602, "")),
        ask("logs of an unknown block", json!({"blockHash": other}), Error(-32001, "header not found")),
        ask("five topics", range(json!({"topics": [null, null, null, null, null]})), Error(-32602, "")),
        ask("too many topics", range(json!({"topics": [many()]})), Error(-32602, "exceed max addresses or topics")),
        ask("a topic that is too short", range(json!({"topics": ["0x07"]})), Error(-32602, "")),
        ask("an address that is too short", range(json!({"address": "0x07"})), Error(-32602, "")),
    ]
}

/// More topics than may be compared.
fn many() -> Vec<B256> {
    (0..1001).map(|number| U256::from(number).into()).collect()
}

fn filters() -> Vec<Rule> {
    let id = "0x123456789abcdef";
    vec![
        rule("a log filter", "eth_newFilter", json!([{"fromBlock": "0x1"}]), Quantity),
        rule(
            "a log filter into the future",
            "eth_newFilter",
            json!([{"fromBlock": "latest", "toBlock": "0xffff"}]),
            Quantity,
        ),
        rule(
            "a log filter that ends before it begins",
            "eth_newFilter",
            json!([{"fromBlock": "0x3", "toBlock": "0x1"}]),
            Error(-32602, "invalid block range"),
        ),
        rule("a block filter", "eth_newBlockFilter", json!([]), Quantity),
        rule("a filter of what waits", "eth_newPendingTransactionFilter", json!([]), Quantity),
        rule("changes of no filter", "eth_getFilterChanges", json!([id]), Error(-32000, "filter not found")),
        rule("logs of no filter", "eth_getFilterLogs", json!([id]), Error(-32000, "filter not found")),
        rule("the end of no filter", "eth_uninstallFilter", json!([id]), Is(json!(false))),
    ]
}
