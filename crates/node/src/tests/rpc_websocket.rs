//! WebSockets: what is particular to them, beside what `rpc_conformance` asks over both transports.

use std::{collections::BTreeSet, time::Duration};

use openledger_rpc::Limits;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{rpc::Served, socket::Socket};

fn call(id: u64, method: &str, params: Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()
}

/// A handshake, with the header of the key as given.
fn handshake(key: &str) -> String {
    format!(
        "GET / HTTP/1.1\r\nhost: node\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n{key}\r\n"
    )
}

const KEY: &str = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_answered_however_many_come_at_once() {
    let node = Served::start().await;
    let mut socket = Socket::open(&node.ws_url()).await;
    for id in 0..200 {
        socket.send(&call(id, "eth_getBlockByNumber", json!(["latest", true]))).await;
    }
    let mut answered = BTreeSet::new();
    for _ in 0..200 {
        let answer = socket.next().await.unwrap();
        assert_eq!(answer["result"]["number"], "0x8", "{answer}");
        answered.insert(answer["id"].as_u64().unwrap());
    }
    assert_eq!(answered, (0..200).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_call_keeps_no_other_waiting() {
    let node = Served::start().await;
    let mut socket = Socket::open(&node.ws_url()).await;
    let raw = node.actor.signed_transfer(2);
    socket.send(&call(1, "eth_sendRawTransactionSync", json!([raw, "0x2710"]))).await;
    let answer = socket.ask(&call(2, "eth_chainId", json!([]))).await;
    assert_eq!((&answer["id"], &answer["result"]), (&json!(2), &json!("0x4f4c")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_made_alone_and_ends_when_it_is_told() {
    let node = Served::start().await;
    let mut socket = Socket::open(&node.ws_url()).await;
    let subscribe = call(1, "eth_subscribe", json!(["newHeads"]));
    let answers = socket.ask(&format!("[{subscribe},{}]", call(2, "eth_chainId", json!([])))).await;
    assert_eq!(answers[0]["error"]["code"], -32600, "{answers}");
    assert_eq!(answers[1]["result"], "0x4f4c", "{answers}");
    let id = socket.ask(&subscribe).await["result"].clone();
    assert!(id.as_str().unwrap().starts_with("0x"), "{id}");

    let block = node.actor.produce().await;
    let head = socket.next().await.unwrap();
    assert_eq!((&head["method"], &head["params"]["subscription"]), (&json!("eth_subscription"), &id));
    assert_eq!(head["params"]["result"]["hash"], block.hash.to_string());

    // Another connection has no say in it.
    let unsubscribe = call(3, "eth_unsubscribe", json!([id]));
    let other = Socket::open(&node.ws_url()).await.ask(&unsubscribe).await;
    assert_eq!(other["result"], false, "{other}");
    assert_eq!(socket.ask(&unsubscribe).await["result"], true);
    node.actor.produce().await;
    assert_eq!(socket.ask(&call(4, "eth_blockNumber", json!([]))).await["result"], "0xa", "a head came still");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_is_said_to_be_and_ends_the_socket() {
    let node = Served::start_with(Limits { max_message_bytes: 1000, ..Limits::default() }).await;
    let mut socket = Socket::open(&node.ws_url()).await;
    assert_eq!(socket.ask(&format!("{:>1000}", call(1, "eth_chainId", json!([])))).await["result"], "0x4f4c");
    // The second is more than fits between the two ends.
    for size in [1001, 20 << 20] {
        let answer = socket.ask(&" ".repeat(size)).await;
        assert_eq!(answer["error"]["code"], -32007, "{answer}");
        assert_eq!(socket.next().await, Err(Some(CloseCode::Size)));
        socket = Socket::open(&node.ws_url()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_share_the_memory_that_there_is() {
    let node = Served::start_with(Limits { max_body_memory: 0, ..Limits::default() }).await;
    let mut socket = Socket::open(&node.ws_url()).await;
    let large_request = " ".repeat(70_000) + &call(1, "eth_chainId", json!([]));
    for message in [&large_request, &call(1, "rpc.discover", json!([]))] {
        let answer = socket.ask(message).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32005)), "{answer}");
    }
    assert_eq!(socket.ask(&call(2, "eth_chainId", json!([]))).await["result"], "0x4f4c");

    // A message is not kept to its end where there is no memory for what came of it.
    for size in [200_000, 1 << 20] {
        let answer = socket.ask(&" ".repeat(size)).await;
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32005)), "{answer}");
        assert_eq!(socket.next().await, Err(Some(CloseCode::Again)));
        socket = Socket::open(&node.ws_url()).await;
    }
    // Small ones are taken, however many come at once.
    let small = format!("{:>60000}", call(3, "eth_chainId", json!([])));
    for _ in 0..20 {
        socket.send(&small).await;
    }
    for _ in 0..20 {
        assert_eq!(socket.next().await.unwrap()["result"], "0x4f4c");
    }
}

/// A client that has sent half of a message of 1 MiB, and does not go on.
async fn half_a_message(node: &Served) -> TcpStream {
    let mut socket = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).await.unwrap();
    socket.write_all(handshake(KEY).as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        heard.push(socket.read_u8().await.unwrap());
    }
    // A text in one frame, eight bytes of length, a mask of zeros (RFC 6455, section 5.2).
    socket.write_all(&[0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]).await.unwrap();
    socket.write_all(&vec![b' '; 1 << 19]).await.unwrap();
    socket
}

/// Asks with a message of 0.75 MiB, each time on a new socket, until it is answered with this.
async fn ask_until(node: &Served, expected: fn(&Value) -> bool) {
    let message = " ".repeat(3 << 18) + &call(1, "eth_chainId", json!([]));
    let ask = async { while !expected(&Socket::open(&node.ws_url()).await.ask(&message).await) {} };
    tokio::time::timeout(Duration::from_secs(30), ask).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_not_whole_hold_memory_too() {
    let node = Served::start_with(Limits { max_body_memory: 3 << 19, ..Limits::default() }).await;
    let halves = [half_a_message(&node).await, half_a_message(&node).await];
    ask_until(&node, |answer| answer["error"]["code"] == -32005).await;
    drop(halves);
    ask_until(&node, |answer| answer["result"] == "0x4f4c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_comes_in_frames_that_make_one_message() {
    let node = Served::start().await;
    let mut socket = Socket::open(&node.ws_url()).await;
    let request = call(1, "rpc.discover", json!([]));
    let answer = socket.ask(&request).await;
    assert!(answer.to_string().len() > 64 << 10, "it fits one frame");
    assert_eq!(answer, node.post(&request).await);
    assert_eq!(socket.ask(&call(2, "eth_chainId", json!([]))).await["result"], "0x4f4c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_answers_what_it_was_asked_and_takes_its_leave() {
    let node = Served::start().await;
    let mut socket = Socket::open(&node.ws_url()).await;
    let raw = node.actor.signed_transfer(2);
    // Waits for a block that does not come.
    socket.send(&call(1, "eth_sendRawTransactionSync", json!([raw, "0x3e8"]))).await;
    assert_eq!(socket.ask(&call(2, "eth_chainId", json!([]))).await["id"], 2);
    let (answer, ()) = tokio::join!(socket.next(), node.stop());
    let answer = answer.unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(4)), "{answer}");
    assert_eq!(socket.next().await, Err(Some(CloseCode::Away)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_answer_pings_is_gone() {
    let max_silence = Duration::from_millis(600);
    let node = Served::start_with(Limits { max_silence, ..Limits::default() }).await;
    let mut silent = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).await.unwrap();
    silent.write_all(handshake(KEY).as_bytes()).await.unwrap();
    let mut living = Socket::open(&node.ws_url()).await;
    // Whoever waits for a message answers pings.
    let waits = tokio::time::timeout(4 * max_silence, living.next());
    let mut heard = Vec::new();
    let (waited, read) = tokio::join!(waits, silent.read_to_end(&mut heard));
    assert!(waited.is_err(), "a client that answers pings is disconnected");
    read.unwrap();
    assert!(heard.starts_with(b"HTTP/1.1 101") && heard.ends_with(&[0x89, 0]), "{}", heard.escape_ascii());
    assert_eq!(living.ask(&call(1, "eth_chainId", json!([]))).await["result"], "0x4f4c");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_is_refused_and_gives_its_place_back() {
    let node = Served::start_with(Limits { max_websockets: 1, ..Limits::default() }).await;
    let ask = async || {
        let mut socket = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).await.unwrap();
        socket.write_all(handshake("").as_bytes()).await.unwrap();
        let mut heard = String::new();
        socket.read_to_string(&mut heard).await.unwrap();
        heard
    };
    let refused = |heard: &str| heard.starts_with("HTTP/1.1 400") && heard.contains("Sec-WebSocket-Key");
    let heard = ask().await;
    assert!(refused(&heard), "{heard}");
    // The client may see the end of the connection before the node is done with it.
    let again = async { while !refused(&ask().await) {} };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("the place is not given back");
}
