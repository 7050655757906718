use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use alloy_primitives::{B256, U256};
use axum::http::{HeaderMap, StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use openledger_attribution::{SignedAuthorization, eip712};
use serde_json::{Value, json};

use super::{Chain, Hold, InFlight, RpcError, Terms};
use crate::{api::ApiError, settlement::ReceiptStore};

/// The request header with the payer's authorisation.
pub(crate) const AUTHORIZATION: &str = "x-openledger-authorization";
const MAX_HEADER: usize = 8 << 10;

/// Decides whether a request is paid for.
#[derive(Debug)]
pub(crate) struct PaymentGate {
    pub(crate) chain: Arc<Chain>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) receipts: Arc<ReceiptStore>,
    pub(crate) min_validity: u64,
}

/// How much a request can cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestCost {
    pub(crate) tokens_in: u32,
    pub(crate) max_tokens: u32,
}

/// A request that is paid for.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) authorization: SignedAuthorization,
    pub(crate) terms: Terms,
    pub(crate) hold: Hold,
}

impl PaymentGate {
    /// What the model costs; nothing for a model that is not registered or free.
    pub(crate) async fn terms(&self, backbone: B256, adapter: B256) -> Result<Option<Terms>, ApiError> {
        let terms = self.chain.terms(backbone, adapter).await.map_err(unavailable)?;
        Ok(terms.filter(|terms| !terms.is_free()))
    }

    /// Checks the authorisation in the headers and holds its ceiling. Everything is checked before anything is
    /// generated, in the order in which it gets more expensive.
    pub(crate) async fn admit(
        &self,
        headers: &HeaderMap,
        terms: Terms,
        cost: RequestCost,
    ) -> Result<Admission, ApiError> {
        let RequestCost { tokens_in, max_tokens } = cost;
        let largest = terms.max_fee(tokens_in, max_tokens).map_err(|error| {
            ApiError::invalid(format!("the fee of this request is beyond what can be settled: {error}"), "max_tokens")
        })?;
        let chain_id = self.chain.chain_id().await.map_err(unavailable)?;
        let ask = Ask { gate: self, terms: &terms, cost, largest, chain_id };
        let authorization = match headers.get(AUTHORIZATION) {
            None => {
                let message = format!("this model is paid: sign a PaymentAuthorization and send it in {AUTHORIZATION}");
                return Err(ask.refuse("payment_required", message, None));
            }
            Some(value) => parse(value.as_bytes()).map_err(|m| ask.refuse("invalid_authorization", m, None))?,
        };
        let payer = authorization.payer;
        let refuse = |code, message: String| ask.refuse(code, message, None);
        let operator = self.chain.operator();
        if authorization.operator != operator {
            let message = format!("the authorisation is for operator {}, this is {operator}", authorization.operator);
            return Err(refuse("wrong_operator", message));
        }
        if authorization.model_id != terms.model_id {
            let message = format!("the authorisation is for model {}, not {}", authorization.model_id, terms.model_id);
            return Err(refuse("wrong_model", message));
        }
        if authorization.schedule_id != terms.schedule_id {
            let message = format!("the authorisation is for another price; the current one is {}", terms.schedule_id);
            return Err(refuse("schedule_changed", message));
        }
        let earliest = now() + self.min_validity;
        if authorization.deadline < earliest {
            let message = format!("the deadline {} is too near: at least {earliest} is needed", authorization.deadline);
            return Err(refuse("deadline_too_near", message));
        }
        if authorization.max_fee < largest {
            let fits = match terms.affordable(tokens_in, authorization.max_fee, max_tokens) {
                Some(tokens) => format!("max_tokens = {tokens} would fit"),
                None => "not even one token fits".into(),
            };
            let message =
                format!("maxFee {} is below {largest}, the most this request can cost; {fits}", authorization.max_fee);
            return Err(refuse("max_fee_too_low", message));
        }
        let request = eip712::request_id(payer, authorization.nonce);
        let used =
            || refuse("nonce_used", format!("nonce {} is used or in flight; choose another", authorization.nonce));
        if self.receipts.contains(&request).await {
            return Err(used());
        }
        // Held before the chain is asked: what others hold now is counted, whatever is settled in between.
        let hold = self.in_flight.hold(request, payer, authorization.max_fee).ok_or_else(used)?;
        let hash = authorization.signing_hash(&self.chain.domain().await.map_err(unavailable)?);
        let (signed, nonce_used, spendable, registered) = tokio::try_join!(
            self.chain.is_signed_by(payer, hash, &authorization.signature),
            self.chain.is_nonce_used(payer, authorization.nonce),
            self.chain.spendable(payer),
            self.chain.is_operator(),
        )
        .map_err(unavailable)?;
        if !signed {
            let message = format!("the signature is not {payer}'s for this authorisation on chain {chain_id}");
            return Err(refuse("invalid_signature", message));
        }
        if nonce_used {
            return Err(used());
        }
        if !registered {
            let message =
                format!("this server's operator {operator} is not registered with the ledger, so it cannot settle");
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "server_error",
                "operator_not_registered",
                message,
            ));
        }
        let free = spendable.saturating_sub(hold.before);
        if free < authorization.max_fee {
            let message = format!(
                "the payer's escrow has {spendable} wei to spend, {} of them promised to answers in flight: less than maxFee {}; deposit more",
                hold.before, authorization.max_fee
            );
            return Err(ask.refuse("insufficient_escrow", message, Some(free)));
        }
        Ok(Admission { authorization, terms, hold })
    }
}

/// What a refusal tells the client so that it can sign.
struct Ask<'a> {
    gate: &'a PaymentGate,
    terms: &'a Terms,
    cost: RequestCost,
    largest: U256,
    chain_id: u64,
}

impl Ask<'_> {
    fn refuse(&self, code: &'static str, message: String, spendable: Option<U256>) -> ApiError {
        let mut error = ApiError::new(StatusCode::PAYMENT_REQUIRED, "payment_required", code, message);
        error.openledger = Some(self.details(spendable));
        error
    }

    fn details(&self, spendable: Option<U256>) -> Value {
        let Terms { model_id, backbone, adapter, dataset_root, schedule_id, .. } = self.terms;
        json!({
            "chainId": self.chain_id,
            "verifyingContract": self.gate.chain.ledger,
            "operator": self.gate.chain.operator(),
            "modelId": model_id,
            "backbone": backbone,
            "adapter": adapter,
            "datasetRoot": dataset_root,
            "scheduleId": schedule_id,
            "schedule": self.terms.schedule_json(),
            "spendable": spendable.map(|amount| amount.to_string()),
            "tokensIn": self.cost.tokens_in,
            "maxTokens": self.cost.max_tokens,
            "maxFee": self.largest.to_string(),
            "minValidity": self.gate.min_validity,
        })
    }
}

fn parse(header: &[u8]) -> Result<SignedAuthorization, String> {
    if header.len() > MAX_HEADER {
        return Err(format!("the authorisation has {} bytes, at most {MAX_HEADER} are read", header.len()));
    }
    let json = STANDARD.decode(header).map_err(|error| format!("the authorisation is not base64: {error}"))?;
    serde_json::from_slice(&json).map_err(|error| format!("the authorisation is not the JSON expected: {error}"))
}

fn unavailable(error: RpcError) -> ApiError {
    tracing::warn!(%error, "a request could not be checked against the chain");
    let message = format!("payments cannot be checked now ({error}); try again later");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "chain_unavailable", message).retry_after(2)
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
