use std::time::Duration;

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::SolCall;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::ServeError;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Why an RPC call has no result.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum RpcError {
    /// The node does not answer: try again later.
    #[error("the L2 node does not answer: {0}")]
    Unreachable(String),
    /// The node refused the call. `data` is what a contract reverted with.
    #[error("the L2 node refused {method}: {message} ({code})")]
    Refused { method: &'static str, code: i64, message: String, data: Option<Bytes> },
    /// The answer is not what was asked for. A call to an address without code answers with nothing.
    #[error("the L2 node's answer to {method} cannot be read: {reason}")]
    Unexpected { method: &'static str, reason: String },
}

/// JSON-RPC over HTTP, as little of it as is needed here.
#[derive(Debug)]
pub(crate) struct Rpc {
    http: reqwest::Client,
    url: String,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    result: Value,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: i64,
    message: String,
    #[serde(default)]
    data: Value,
}

impl Rpc {
    pub(crate) fn new(url: String) -> Result<Self, ServeError> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(ServeError::Client)?;
        Ok(Self { http, url })
    }

    pub(crate) async fn request<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<T, RpcError> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let unreachable = |error: reqwest::Error| RpcError::Unreachable(error.to_string());
        let answer = self.http.post(&self.url).json(&body).send().await.map_err(unreachable)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(unreachable)?;
        let unexpected = |reason: String| RpcError::Unexpected { method, reason };
        let response: Response =
            serde_json::from_slice(&bytes).map_err(|error| unexpected(format!("{error} (status {status})")))?;
        if let Some(Failure { code, message, data }) = response.error {
            let data = data.as_str().and_then(|text| text.parse().ok());
            return Err(RpcError::Refused { method, code, message, data });
        }
        serde_json::from_value(response.result).map_err(|error| unexpected(error.to_string()))
    }

    /// Calls a contract's view at the newest block.
    pub(crate) async fn view<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, RpcError> {
        const METHOD: &str = "eth_call";
        let params = json!([{"to": to, "data": Bytes::from(call.abi_encode())}, "latest"]);
        let output: Bytes = self.request(METHOD, params).await?;
        C::abi_decode_returns(&output).map_err(|error| RpcError::Unexpected {
            method: METHOD,
            reason: format!("{} at {to}: {error}; is the contract deployed?", C::SIGNATURE),
        })
    }
}
