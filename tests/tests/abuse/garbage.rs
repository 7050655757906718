//! Bytes that are no request, or one that nobody would make.

use crate::Target;
use openledger_e2e::{Failure, ensure};
use rand::{Rng as _, RngCore as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Bodies and raw connections that are tried.
const TRIES: usize = 300;
/// Requests that are mutilated.
const REQUESTS: [&str; 6] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x00000000000000000000000000000000000000aa","latest"]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f86b824f4c80018477359401825208940000"]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{"to":"0x00000000000000000000000000000000000000aa","data":"0x1234"},"latest"]}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"fromBlock":"0x0","topics":[null,["0x1"]]}]}"#,
    r#"[{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"},{"jsonrpc":"2.0","id":2,"method":"eth_feeHistory","params":["0x4","latest",[1.5]]}]"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[{"to":null,"input":"0x60006000fd"},"latest",{"tracer":"callTracer"}]}"#,
];

/// Random bytes, as the body of a request and straight into the socket.
pub(crate) async fn bytes(target: &mut Target, seed: u64) -> Result<(), Failure> {
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..TRIES {
        let mut body = vec![0; rng.random_range(0..2000)];
        rng.fill_bytes(&mut body);
        let status = target.node.rpc.post_bytes(body.clone()).await?.0;
        ensure(status < 500, format!("status {status} for the body {body:?}"))?;
        let mut socket = TcpStream::connect(("127.0.0.1", target.node.port)).await?;
        // The node may hang up before all is sent.
        let _ = socket.write_all(&body).await;
    }
    target.is_well().await
}

/// Requests with some of their bytes replaced, removed or repeated.
pub(crate) async fn mutilated(target: &mut Target, seed: u64) -> Result<(), Failure> {
    let mut rng = StdRng::seed_from_u64(seed);
    for _ in 0..TRIES {
        let mut body = REQUESTS[rng.random_range(0..REQUESTS.len())].as_bytes().to_vec();
        for _ in 0..rng.random_range(1..6) {
            let at = rng.random_range(0..body.len());
            match rng.random_range(0..4) {
                0 => body[at] = rng.random(),
                1 => body[at] = b"{}[]\",:0x-"[rng.random_range(0..10)],
                2 => drop(body.remove(at)),
                _ => {
                    let end = rng.random_range(at..=body.len());
                    let again = body[at..end].to_vec();
                    body.splice(at..at, again);
                }
            }
        }
        let (status, answer) = target.node.rpc.post_bytes(body.clone()).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        ensure(status < 500, format!("status {status} for {text}"))?;
        if answer.is_empty() {
            // A notification has no answer.
            continue;
        }
        let answer: Value = serde_json::from_str(&answer).map_err(|_| format!("{answer:?} is the answer to {text}"))?;
        let code = answer["error"]["code"].as_i64();
        ensure(code != Some(-32603), format!("{text} made an internal error: {answer}"))?;
    }
    target.is_well().await
}

/// Brackets within brackets, which a parser must not follow down its stack.
pub(crate) async fn deep(target: &mut Target) -> Result<(), Failure> {
    let depth = 100_000;
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let nested = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let as_params = |method: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[{nested}]}}"#);
        let bodies = ["eth_call", "eth_getLogs", "eth_sendRawTransaction", "debug_traceCall"].map(as_params);
        for body in bodies.into_iter().chain([nested.clone(), open.repeat(depth)]) {
            let (status, answer) = target.node.rpc.post_bytes(body.into_bytes()).await?;
            ensure(status < 500 && answer.contains("error"), format!("status {status}, {answer:.200}"))?;
        }
    }
    target.is_well().await
}

/// More calls than a batch may have, and more bytes than a body may have, announced or not.
pub(crate) async fn huge(target: &mut Target) -> Result<(), Failure> {
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let (_, answer) =
        target.node.rpc.post_bytes(format!("[{}{call}]", format!("{call},").repeat(50_000)).into_bytes()).await?;
    ensure(answer.contains("-32010") || answer.contains("too large"), format!("a batch of 50,001: {answer:.200}"))?;
    let (_, answer) = target.node.rpc.post_bytes(format!("[{}1]", "1,".repeat(2_000_000)).into_bytes()).await?;
    ensure(answer.contains("error"), format!("a batch of numbers: {answer:.200}"))?;

    let head = "POST / HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\n";
    for (headers, chunk) in
        [("content-length: 6000000\r\n\r\n", ""), ("transfer-encoding: chunked\r\n\r\n", "10000\r\n")]
    {
        let mut socket = TcpStream::connect(("127.0.0.1", target.node.port)).await?;
        socket.write_all(format!("{head}{headers}").as_bytes()).await?;
        let data = vec![b' '; 0x10000];
        for _ in 0..100 {
            let part = [chunk.as_bytes(), &data, if chunk.is_empty() { b"" } else { b"\r\n" }].concat();
            if socket.write_all(&part).await.is_err() {
                break;
            }
        }
        let mut answer = Vec::new();
        // It hangs up on whoever goes on sending.
        let _ = socket.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        ensure(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), format!("a huge body got {answer:.200}"))?;
    }
    target.is_well().await
}
