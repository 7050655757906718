use serde_json::{Value, json};
use std::{
    fmt::{self, Display},
    time::Duration,
};

/// Once, in some hundreds of kills, the client went on waiting with no connection left: then the test goes on as if that had broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// JSON-RPC as it goes over the wire, without retries: what a node does while it is being killed must not be smoothed over.
#[derive(Clone, Debug)]
pub struct Rpc {
    http: reqwest::Client,
    url: String,
}

/// Why a call has no result.
#[derive(Debug)]
pub enum RpcFailure {
    /// The connection failed: whether the call was carried out is not known.
    Connection(reqwest::Error),
    /// The node answered with an error object.
    Refused(Value),
}

impl Display for RpcFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "no answer: {error:?}"),
            Self::Refused(error) => write!(f, "refused: {error}"),
        }
    }
}

impl Rpc {
    /// A client of a port of this machine.
    pub fn local(port: u16) -> Self {
        Self { http: client(), url: format!("http://127.0.0.1:{port}") }
    }

    /// One call.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, RpcFailure> {
        let mut answer = self.post(json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})).await?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(RpcFailure::Refused(answer["error"].take())),
        }
    }

    /// Many calls of one method in one request; results in the order of `params`, `null` where the call failed.
    pub async fn batch(&self, method: &str, params: &[Value]) -> Result<Vec<Value>, RpcFailure> {
        let call = |(id, params)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let calls: Vec<Value> = params.iter().enumerate().map(call).collect();
        let Value::Array(answers) = self.post(Value::Array(calls)).await? else {
            return Err(RpcFailure::Refused(json!("not a batch")));
        };
        let mut results = vec![Value::Null; params.len()];
        for mut answer in answers {
            let id = answer["id"].as_u64().unwrap_or(u64::MAX) as usize;
            if let Some(result) = results.get_mut(id) {
                *result = answer["result"].take();
            }
        }
        Ok(results)
    }

    /// One call on a connection of its own.
    pub async fn once(&self, method: &str, params: Value) -> Result<Value, RpcFailure> {
        Self { http: client(), url: self.url.clone() }.call(method, params).await
    }

    /// Posts any bytes as JSON; status and body of the answer.
    pub async fn post_bytes(&self, body: Vec<u8>) -> Result<(u16, String), RpcFailure> {
        let request = self.http.post(&self.url).header("content-type", "application/json").body(body);
        let answer = request.send().await.map_err(RpcFailure::Connection)?;
        Ok((answer.status().as_u16(), answer.text().await.map_err(RpcFailure::Connection)?))
    }

    async fn post(&self, body: Value) -> Result<Value, RpcFailure> {
        let request = self.http.post(&self.url).header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.map_err(RpcFailure::Connection)?;
        answer.json().await.map_err(RpcFailure::Connection)
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(PATIENCE).build().expect("a client without TLS files can be made")
}
