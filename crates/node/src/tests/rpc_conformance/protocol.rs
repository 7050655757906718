//! JSON-RPC itself: what is a request, and what is answered to anything else.

use serde_json::{Value, json};

use super::{super::socket::Socket, facts::Facts};

const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}"#;

const NOTIFICATION: &str = r#"{"jsonrpc":"2.0","method":"eth_chainId","params":[]}"#;

/// Texts with the code of the one error that is answered to them.
const SINGLE: [(&str, i64); 18] = [
    ("{", -32700),
    ("[", -32700),
    ("[1,", -32700),
    (r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":["#, -32700),
    ("{'jsonrpc':'2.0'}", -32700),
    ("nothing", -32700),
    ("", -32700),
    ("[]", -32600),
    (r#"{"id":1}"#, -32600),
    (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
    (r#"{"jsonrpc":"2.0","id":1,"method":1}"#, -32600),
    (r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#, -32600),
    // There is no id, or it is no id.
    ("{}", -32600),
    (r#"{"jsonrpc":"2.0"}"#, -32600),
    (r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#, -32600),
    ("1", -32600),
    ("null", -32600),
    (r#""eth_chainId""#, -32600),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_said_to_be_none() {
    let facts = Facts::new().await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    for (text, code) in SINGLE {
        for answer in [facts.node.post(text).await, socket.ask(text).await] {
            assert_eq!(
                (&answer["error"]["code"], &answer["jsonrpc"]),
                (&json!(code), &json!("2.0")),
                "{text}: {answer}"
            );
        }
    }
    assert_eq!(facts.node.post_text(NOTIFICATION).await, "");
    assert_eq!(facts.node.post_text(&format!("[{NOTIFICATION}]")).await, "");
    // A batch with one element, which is deeper than a parser should follow.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    for answer in [facts.node.post(&deep).await, socket.ask(&deep).await] {
        assert_eq!(answer[0]["error"]["code"], -32600, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_each_of_its_requests() {
    let facts = Facts::new().await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    let unknown = CALL.replace("eth_chainId", "eth_nothing");
    let batch = format!(r#"[{CALL},{{}},1,{unknown},{NOTIFICATION},{{"id":"a"}}]"#);
    for answer in [facts.node.post(&batch).await, socket.ask(&batch).await] {
        let answers = answer.as_array().unwrap();
        let parts = answers.iter().map(|answer| (answer["id"].clone(), answer["error"]["code"].clone()));
        let expected = [
            (json!(7), Value::Null),
            (Value::Null, json!(-32600)),
            (Value::Null, json!(-32600)),
            (json!(7), json!(-32601)),
            (json!("a"), json!(-32600)),
        ];
        assert!(parts.eq(expected), "{answer}");
        assert_eq!(answers[0]["result"], "0x4f4c");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hex_without_its_prefix_is_refused_wherever_it_is() {
    let facts = Facts::new().await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    let address = "00".repeat(20);
    for (method, params) in [
        ("eth_getBalance", json!([address, "latest"])),
        ("eth_getTransactionByHash", json!(["07".repeat(32)])),
        ("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0"])),
        ("eth_call", json!([{"to": format!("0x{address}"), "value": "10"}])),
        ("eth_call", json!([{"to": format!("0x{address}"), "data": "c0de"}])),
        ("eth_call", json!([{}, "latest", {&address: {"balance": "0x1"}}])),
        ("eth_getLogs", json!([{"topics": [["07".repeat(32)]]}])),
        ("eth_sendRawTransaction", json!(["02c0"])),
    ] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let batch = format!("[{request},{CALL}]");
        for answer in [facts.node.post(&request).await, socket.ask(&request).await] {
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(answer["error"]["code"] == -32602 && message.contains("0x"), "{request}: {answer}");
        }
        for answer in [facts.node.post(&batch).await, socket.ask(&batch).await] {
            assert_eq!((&answer[0]["error"]["code"], &answer[1]["result"]), (&json!(-32602), &json!("0x4f4c")));
        }
    }
    // Geth takes this one.
    let history =
        json!({"jsonrpc": "2.0", "id": 1, "method": "eth_feeHistory", "params": ["2", "latest", []]}).to_string();
    assert_eq!(facts.node.post(&history).await["result"]["gasUsedRatio"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_need_a_socket() {
    let facts = Facts::new().await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    for (method, params) in [("eth_subscribe", json!(["newHeads"])), ("eth_unsubscribe", json!(["0x1"]))] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let batch = facts.node.post(&format!("[{request}]")).await;
        for answer in [&facts.node.post(&request).await, &batch[0]] {
            let message = answer["error"]["message"].as_str().unwrap_or_default();
            assert!(
                answer["error"]["code"] == -32601 && message.starts_with("notifications not supported"),
                "{request}: {answer}"
            );
        }
        assert!(socket.ask(&request).await.get("result").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_come_back_as_they_were_sent() {
    let facts = Facts::new().await;
    let mut socket = Socket::open(&facts.node.ws_url()).await;
    for id in [json!(0), json!(18_446_744_073_709_551_615_u64), json!("7"), json!(""), Value::Null] {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "eth_chainId"}).to_string();
        for answer in [facts.node.post(&request).await, socket.ask(&request).await] {
            assert_eq!(answer, json!({"jsonrpc": "2.0", "id": id, "result": "0x4f4c"}), "{request}");
        }
    }
}
