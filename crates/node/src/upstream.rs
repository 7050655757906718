//! Another node's JSON-RPC: a source of unsafe blocks, and where transactions are forwarded to.

use std::time::Duration;

use alloy_primitives::{B256, Bytes, U64};
use openledger_primitives::Block;
use openledger_rpc::RpcError;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{NodeError, driver::follower::UnsafeSource};

/// After this, a request counts as failed.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes: what `openledger-rpc` answers at most.
const MAX_ANSWER: usize = 50 << 20;

/// Another node.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    http: reqwest::Client,
    url: reqwest::Url,
}

/// One answer of a batch.
#[derive(Debug, Deserialize)]
struct Answer {
    id: Option<usize>,
    #[serde(default)]
    result: Value,
    error: Option<Refusal>,
}

/// A JSON-RPC error.
#[derive(Debug, Clone, Deserialize)]
struct Refusal {
    message: String,
}

impl Upstream {
    /// The node at `url`. Nothing is requested yet.
    pub(crate) fn new(url: &str) -> Result<Self, NodeError> {
        let bad = |reason: String| NodeError::Upstream { node: "the URL given".to_owned(), reason };
        let url: reqwest::Url = url.parse().map_err(|error| bad(format!("{error}")))?;
        let http = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(|error| bad(error.to_string()))?;
        Ok(Self { http, url })
    }

    /// The same method with each of these parameters, in one request; the answers in the same order.
    async fn batch(&self, method: &str, params: Vec<Value>) -> Result<Vec<Result<Value, Refusal>>, NodeError> {
        let count = params.len();
        let calls: Vec<Value> = params
            .into_iter()
            .enumerate()
            .map(|(id, params)| json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .collect();
        let body = Value::Array(calls).to_string();
        let request = self.http.post(self.url.clone()).header("content-type", "application/json").body(body);
        let away = |error: reqwest::Error| self.failed(&error.without_url());
        let mut response = request.send().await.map_err(away)?.error_for_status().map_err(away)?;
        let mut text = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(away)? {
            if text.len() + chunk.len() > MAX_ANSWER {
                return Err(self.failed(&format!("its answer to {method} is longer than {MAX_ANSWER} bytes")));
            }
            text.extend_from_slice(&chunk);
        }
        let answers: Vec<Answer> = self.read(method, serde_json::from_slice(&text))?;
        let mut ordered: Vec<_> = vec![None; count];
        for answer in answers {
            let result = answer.error.map_or(Ok(answer.result), Err);
            if let Some(place) = answer.id.and_then(|id| ordered.get_mut(id)) {
                *place = Some(result);
            }
        }
        let complete: Option<Vec<_>> = ordered.into_iter().collect();
        complete.ok_or_else(|| self.failed(&format!("it did not answer every {method}")))
    }

    fn read<T>(&self, method: &str, read: Result<T, impl std::fmt::Display>) -> Result<T, NodeError> {
        read.map_err(|error| self.failed(&format!("its answer to {method} cannot be read: {error}")))
    }

    /// Names the node by host and port: the rest of a URL may be secret.
    fn failed(&self, reason: &dyn std::fmt::Display) -> NodeError {
        let mut reason = reason.to_string();
        reason.truncate(reason.floor_char_boundary(500));
        NodeError::Upstream { node: self.url.origin().ascii_serialization(), reason }
    }

    /// Hands transactions on; each is answered as the other node answers it.
    pub(crate) async fn forward(&self, raw: &[Bytes]) -> Vec<Result<B256, RpcError>> {
        let params = raw.iter().map(|raw| json!([raw])).collect();
        let method = "eth_sendRawTransaction";
        match self.batch(method, params).await {
            Ok(answers) => answers
                .into_iter()
                .map(|answer| {
                    let hash = answer.map_err(|refusal| RpcError::Rejected(refusal.message))?;
                    self.value(method, hash).map_err(|error| RpcError::Unavailable(error.to_string()))
                })
                .collect(),
            Err(error) => vec![Err(RpcError::Unavailable(error.to_string())); raw.len()],
        }
    }

    fn value<T: DeserializeOwned>(&self, method: &str, value: Value) -> Result<T, NodeError> {
        self.read(method, serde_json::from_value(value))
    }
}

impl UnsafeSource for Upstream {
    async fn head(&self) -> Result<u64, NodeError> {
        let method = "eth_blockNumber";
        let answer = self.batch(method, vec![json!([])]).await?.pop();
        let Some(number) = answer else { return Err(self.failed(&"it did not answer")) };
        let number = number.map_err(|refusal| self.failed(&refusal.message))?;
        Ok(self.value::<U64>(method, number)?.to())
    }

    async fn blocks(&self, first: u64, count: u64) -> Result<Vec<Block>, NodeError> {
        let method = "debug_getRawBlock";
        let params = (first..first + count).map(|number| json!([format!("{number:#x}")])).collect();
        let mut blocks = Vec::new();
        for answer in self.batch(method, params).await? {
            // A block that it took back meanwhile, or an answer that was too long for it: those before it are good.
            let raw = match answer {
                Ok(raw) => self.value::<Bytes>(method, raw)?,
                Err(_) if !blocks.is_empty() => break,
                Err(refusal) => return Err(self.failed(&refusal.message)),
            };
            blocks.push(self.read(method, alloy_rlp::decode_exact(&raw))?);
        }
        Ok(blocks)
    }
}
