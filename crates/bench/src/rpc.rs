//! The little of JSON-RPC that is needed, without decoding more than that.

use std::{collections::BTreeMap, time::Duration};

use alloy_primitives::{Address, B256, U64, bytes::Bytes};
use reqwest::{Client, Url, header::CONTENT_TYPE};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::BenchError;

/// An answer later than this is none.
const TIMEOUT: Duration = Duration::from_secs(120);

/// One node. Clones share their connections.
#[derive(Clone, Debug)]
pub(crate) struct Rpc {
    http: Client,
    url: Url,
}

/// What is read of a block.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    /// Hashes of its transactions.
    pub(crate) transactions: Vec<B256>,
    /// In wei per gas.
    pub(crate) base_fee_per_gas: Option<U64>,
    /// By all of its transactions.
    pub(crate) gas_used: U64,
}

/// What is read of a receipt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) transaction_hash: B256,
    pub(crate) status: U64,
}

/// An answer to one call of a batch, of which only the refusal matters.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    pub(crate) id: usize,
    pub(crate) error: Option<Refusal>,
}

/// Why a call was refused.
#[derive(Debug, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) message: String,
}

#[derive(Deserialize)]
struct Single<T> {
    result: Option<T>,
    error: Option<Refusal>,
}

impl<T> Single<T> {
    fn or_refusal(self) -> Result<Option<T>, String> {
        self.error.map_or(Ok(self.result), |refusal| Err(refusal.message))
    }
}

impl Rpc {
    /// A client of the node at `url`. Nothing is asked yet.
    pub(crate) fn new(url: &str) -> Result<Self, BenchError> {
        let bad = |reason: String| BenchError::Url { url: url.to_owned(), reason };
        let parsed: Url = url.parse().map_err(|error| bad(format!("{error}")))?;
        let http = Client::builder().timeout(TIMEOUT).build().map_err(|error| bad(error.to_string()))?;
        Ok(Self { http, url: parsed })
    }

    /// Its URL, for messages.
    pub(crate) fn url(&self) -> String {
        self.url.to_string()
    }

    /// Sends a body that is ready.
    pub(crate) async fn post(&self, method: &'static str, body: Bytes) -> Result<Bytes, BenchError> {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        let answer = async { request.send().await?.error_for_status()?.bytes().await };
        answer.await.map_err(|error| self.error(method, error))
    }

    /// Calls any method; `null` is `None`.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<Option<T>, BenchError> {
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": method, "params": params }).to_string();
        let answer = self.post(method, body.into()).await?;
        let answer: Single<T> = serde_json::from_slice(&answer).map_err(|error| self.error(method, error))?;
        answer.or_refusal().map_err(|refusal| self.error(method, refusal))
    }

    /// Calls a method that always has a result.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, BenchError> {
        self.ask(method, params).await?.ok_or_else(|| self.error(method, "the answer is null"))
    }

    /// The newest block's number.
    pub(crate) async fn block_number(&self) -> Result<u64, BenchError> {
        Ok(self.call::<U64>("eth_blockNumber", json!([])).await?.to())
    }

    /// A block, if it is there.
    pub(crate) async fn block(&self, number: u64) -> Result<Option<Block>, BenchError> {
        self.ask("eth_getBlockByNumber", json!([U64::from(number), false])).await
    }

    /// The receipts of these transactions that there are, in any order.
    pub(crate) async fn receipts(&self, hashes: &[B256]) -> Result<Vec<Receipt>, BenchError> {
        const METHOD: &str = "eth_getTransactionReceipt";
        let call = |(id, hash)| json!({ "jsonrpc": "2.0", "id": id, "method": METHOD, "params": [hash] });
        let body = Value::Array(hashes.iter().enumerate().map(call).collect()).to_string();
        let answer = self.post(METHOD, body.into()).await?;
        let answers: Vec<Single<Receipt>> =
            serde_json::from_slice(&answer).map_err(|error| self.error(METHOD, error))?;
        let receipts = answers.into_iter().filter_map(|answer| answer.or_refusal().transpose());
        receipts.collect::<Result<_, _>>().map_err(|refusal| self.error(METHOD, refusal))
    }

    /// The nonce of an account's next transaction.
    pub(crate) async fn nonce(&self, account: Address) -> Result<u64, BenchError> {
        Ok(self.call::<U64>("eth_getTransactionCount", json!([account, "pending"])).await?.to())
    }

    /// Seconds spent by phase so far, from the node's metrics; `None` where they are not exposed.
    pub(crate) async fn phases(&self) -> Option<BTreeMap<String, f64>> {
        let url = self.url.join("/metrics").ok()?;
        let text = self.http.get(url).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
        let phases = parse_phases(&text);
        (!phases.is_empty()).then_some(phases)
    }

    /// An error of this node.
    pub(crate) fn error(&self, method: &'static str, reason: impl std::fmt::Display) -> BenchError {
        BenchError::Rpc { url: self.url(), method, reason: reason.to_string() }
    }
}

/// `openledger_phase_seconds_total{phase="root"} 1.5` and the like.
fn parse_phases(text: &str) -> BTreeMap<String, f64> {
    let line = |line: &str| {
        let (phase, value) = line.strip_prefix("openledger_phase_seconds_total{phase=\"")?.split_once("\"}")?;
        Some((phase.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_phases_and_nothing_else() {
        let text = "# TYPE openledger_phase_seconds_total counter\nopenledger_phase_seconds_total{phase=\"root\"} 1.5\n\
                    openledger_phase_seconds_total{phase=\"rpc\"} 2\nopenledger_blocks_built_total 7\n";
        let expected = BTreeMap::from([("root".to_owned(), 1.5), ("rpc".to_owned(), 2.0)]);
        assert_eq!(parse_phases(text), expected);
        assert!(parse_phases("openledger_blocks_built_total 7\n").is_empty());
    }
}
