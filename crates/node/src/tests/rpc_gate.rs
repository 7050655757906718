//! What stands before the RPC's methods: limits by source, and an end for whoever keeps the node waiting.

use std::{net::Ipv4Addr, time::Duration};

use openledger_rpc::Limits;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::rpc::Served;

/// Status and answer of a request that a proxy passes on for `source`.
async fn passed_on(node: &Served, source: Option<&str>, body: &Value) -> (u16, Value) {
    let mut request = node.http.post(&node.url).header("content-type", "application/json").body(body.to_string());
    if let Some(source) = source {
        request = request.header("x-forwarded-for", source);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

fn call(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_may_send_so_many_transactions() {
    let trusted_proxies = vec![Ipv4Addr::LOCALHOST.into()];
    let limits = Limits { max_transactions_per_source: 1, trusted_proxies, ..Limits::default() };
    let node = Served::start_with(limits).await;
    let transaction = call("eth_sendRawTransaction", json!(["0x02c0"]));
    let code = |answer: &Value| answer["error"]["code"].as_i64();
    // Ten at once, each refused for what it is.
    for _ in 0..10 {
        let (status, answer) = passed_on(&node, Some("1.2.3.4"), &transaction).await;
        assert_eq!((status, code(&answer)), (200, Some(-32000)), "{answer}");
    }
    let (status, answer) = passed_on(&node, Some("1.2.3.4"), &transaction).await;
    assert_eq!((status, code(&answer)), (429, Some(-32005)), "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().starts_with("limit exceeded"), "{answer}");
    let sync = call("eth_sendRawTransactionSync", json!(["0x02c0"]));
    assert_eq!(passed_on(&node, Some("1.2.3.4"), &sync).await.0, 429);
    // Reading goes on, and others are not concerned: nor are programs on this machine.
    assert_eq!(passed_on(&node, Some("1.2.3.4"), &call("eth_chainId", json!([]))).await.1["result"], "0x4f4c");
    for source in [Some("1.2.3.5"), Some("127.0.0.1"), None] {
        assert_eq!(code(&passed_on(&node, source, &transaction).await.1), Some(-32000), "{source:?}");
    }

    // Within a batch each transaction counts.
    let mut batch = vec![transaction; 12];
    batch.push(call("eth_chainId", json!([])));
    let (status, answers) = passed_on(&node, Some("1.2.3.6"), &Value::Array(batch)).await;
    let codes: Vec<Option<i64>> = answers.as_array().unwrap().iter().map(code).collect();
    assert_eq!(codes[..10], [Some(-32000); 10]);
    assert_eq!(codes[10..12], [Some(-32005); 2]);
    assert_eq!((status, &answers[12]["result"]), (429, &json!("0x4f4c")));
}

/// What the node says, until it closes the connection, to a client that sends `bytes` and then nothing.
async fn heard_by(node: &Served, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut heard = String::new();
    socket.read_to_string(&mut heard).await.unwrap();
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_keeps_the_node_waiting_is_let_go() {
    let short = Duration::from_millis(300);
    let node = Served::start_with(Limits { max_body_time: short, max_silence: 3 * short, ..Limits::default() }).await;
    let head = "POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n";
    assert_eq!(heard_by(&node, b"").await, "");
    assert_eq!(heard_by(&node, head.as_bytes()).await, "");
    let slow_body = format!("{head}content-length: 60\r\n\r\n{{");
    let heard = heard_by(&node, slow_body.as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 408"), "{heard}");
    // A client between two requests is one that keeps waiting, too.
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let heard = heard_by(&node, format!("{head}content-length: {}\r\n\r\n{call}", call.len()).as_bytes()).await;
    assert!(heard.starts_with("HTTP/1.1 200") && heard.contains("0x4f4c"), "{heard}");
}
