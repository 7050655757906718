//! A client of the inference server: the price first, then the signed authorisation with the request.

use crate::{Account, DevnetError, devnet_json::DevnetJson};
use alloy::{
    primitives::{Address, B256, U256},
    signers::SignerSync,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use openledger_attribution::{SignedAuthorization, eip712};
use openledger_primitives::addresses::INFERENCE_LEDGER;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an authorisation can be settled, in seconds.
const VALID_FOR: u64 = 900;
/// The header that carries it.
const AUTHORIZATION: &str = "x-openledger-authorization";
/// The header that names the request.
const REQUEST_ID: &str = "x-openledger-request-id";

/// What the server wants signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terms {
    /// Who answers and settles.
    pub operator: Address,
    /// The model.
    pub model_id: B256,
    /// The price.
    pub schedule_id: B256,
    /// The most that this request can cost, in wei.
    pub max_fee: U256,
}

/// A question to a model.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The model, as the server names it.
    pub model: &'a str,
    /// The user's message.
    pub text: &'a str,
    /// The longest answer, in tokens.
    pub max_tokens: u32,
}

/// An inference server.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    chain_id: u64,
}

impl Client {
    /// The server of a devnet.
    pub fn new(devnet: &DevnetJson) -> Self {
        Self { http: reqwest::Client::new(), url: devnet.inference.url.clone(), chain_id: devnet.l2.chain_id }
    }

    /// The answer to a GET request, when the server answers.
    pub async fn get(&self, path: &str) -> Result<Value, DevnetError> {
        let response = self
            .http
            .get(format!("{}{path}", self.url))
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .map_err(fault)?;
        accepted(response).await?.json().await.map_err(fault)
    }

    /// What the question costs at most: the server says so when it is asked without an authorisation.
    pub async fn terms(&self, question: &Question<'_>) -> Result<Terms, DevnetError> {
        let response = self.send(question, None).await?;
        let status = response.status();
        let body: Value = response.json().await.map_err(fault)?;
        if status != StatusCode::PAYMENT_REQUIRED {
            return Err(DevnetError::Inference(format!(
                "status {status} instead of 402 to a request without payment: {body}"
            )));
        }
        serde_json::from_value(body["error"]["openledger"].clone())
            .map_err(|error| DevnetError::Inference(format!("its 402 does not say what to sign ({error}): {body}")))
    }

    /// Signs a ceiling of `max_fee` over the terms.
    pub fn authorize(&self, payer: &Account, terms: &Terms, max_fee: U256) -> Result<SignedAuthorization, DevnetError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let mut authorization = SignedAuthorization {
            payer: payer.address,
            operator: terms.operator,
            model_id: terms.model_id,
            schedule_id: terms.schedule_id,
            max_fee,
            nonce: U256::from_be_bytes(rand::random::<[u8; 32]>()),
            deadline: now + VALID_FOR,
            signature: Default::default(),
        };
        let hash = authorization.signing_hash(&eip712::domain(self.chain_id, INFERENCE_LEDGER));
        let signature =
            payer.signer().sign_hash_sync(&hash).map_err(|error| DevnetError::Inference(error.to_string()))?;
        authorization.signature = signature.as_bytes().into();
        Ok(authorization)
    }

    /// Asks, passes the answer on as it streams, and returns the id of the request.
    pub async fn ask(
        &self,
        question: &Question<'_>,
        authorization: &SignedAuthorization,
        mut on_text: impl FnMut(&str),
    ) -> Result<B256, DevnetError> {
        let mut response = accepted(self.send(question, Some(authorization)).await?).await?;
        let id = response.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()?.parse().ok());
        let id = id.ok_or_else(|| DevnetError::Inference(format!("its answer has no {REQUEST_ID}")))?;
        let mut events = Events::default();
        while let Some(chunk) = response.chunk().await.map_err(fault)? {
            for event in events.push(&chunk) {
                if event == "[DONE]" {
                    return Ok(id);
                }
                let event: Value =
                    serde_json::from_str(&event).map_err(|e| DevnetError::Inference(format!("{e} in {event}")))?;
                if let Some(error) = event.get("error") {
                    return Err(DevnetError::Inference(error.to_string()));
                }
                if let Some(text) = event["choices"][0]["delta"]["content"].as_str() {
                    on_text(text);
                }
            }
        }
        Err(DevnetError::Inference("the stream ended before it was done".into()))
    }

    /// Sends a question as it is, and returns whatever the server answers.
    pub async fn send(
        &self,
        question: &Question<'_>,
        authorization: Option<&SignedAuthorization>,
    ) -> Result<Response, DevnetError> {
        let body = json!({
            "model": question.model,
            "messages": [{ "role": "user", "content": question.text }],
            "max_tokens": question.max_tokens,
            "temperature": 0,
            "stream": true,
        });
        let mut request = self.http.post(format!("{}/v1/chat/completions", self.url)).json(&body);
        if let Some(authorization) = authorization {
            let json = serde_json::to_vec(authorization).expect("plain data");
            request = request.header(AUTHORIZATION, STANDARD.encode(json));
        }
        request.send().await.map_err(fault)
    }
}

async fn accepted(response: Response) -> Result<Response, DevnetError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = response.text().await.unwrap_or_default();
    Err(DevnetError::Inference(format!("status {status}: {body}")))
}

fn fault(error: reqwest::Error) -> DevnetError {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    DevnetError::Inference(reason)
}

/// Puts server-sent events together from the pieces in which they arrive.
#[derive(Debug, Default)]
struct Events {
    buffer: Vec<u8>,
}

impl Events {
    /// The data of the events that are complete with this piece.
    fn push(&mut self, piece: &[u8]) -> Vec<String> {
        self.buffer.extend_from_slice(piece);
        let mut complete = Vec::new();
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.strip_prefix("data:") {
                complete.push(data.trim().to_owned());
            }
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_put_together_whatever_the_pieces() {
        let stream = "data: {\"a\":\"ö\"}\n\n: comment\n\ndata: [DONE]\n\n".as_bytes();
        for size in 1..stream.len() {
            let mut events = Events::default();
            let got: Vec<String> = stream.chunks(size).flat_map(|piece| events.push(piece)).collect();
            assert_eq!(got, ["{\"a\":\"ö\"}", "[DONE]"], "pieces of {size}");
        }
    }
}
