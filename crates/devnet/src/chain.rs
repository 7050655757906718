//! A client of one chain's JSON-RPC, patient while the node behind it is being started again.

use crate::{Account, DevnetError};
use alloy::{
    eips::BlockNumberOrTag,
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Log, TransactionReceipt, TransactionRequest},
    sol_types::SolCall,
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    borrow::Cow,
    future::Future,
    time::{Duration, Instant},
};

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(250);
/// How long a transaction may take to be included, restarts of nodes included.
const INCLUSION: Duration = Duration::from_secs(120);

/// One chain, through one node.
#[derive(Clone, Debug)]
pub struct Chain {
    name: &'static str,
    provider: DynProvider,
}

/// What identifies a block and its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockId {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// The state after it.
    pub state_root: B256,
    /// Its time, in seconds.
    pub timestamp: u64,
}

impl Chain {
    /// A client of the node called `name` on a port of this machine. Nothing is asked yet.
    pub fn local(name: &'static str, port: u16) -> Self {
        Self::connect(name, &crate::nodes::url(port)).expect("a port makes a URL")
    }

    /// A client of the node called `name` at an HTTP URL. Nothing is asked yet.
    pub fn connect(name: &'static str, url: &str) -> Result<Self, DevnetError> {
        let parsed = url.parse().map_err(|error| DevnetError::Rpc { node: name, reason: format!("{url}: {error}") })?;
        Ok(Self { name, provider: ProviderBuilder::new().disable_recommended_fillers().connect_http(parsed).erased() })
    }

    /// Calls any method; `null` is an answer like others.
    pub async fn request<T: DeserializeOwned>(&self, method: &'static str, params: Value) -> Result<T, DevnetError> {
        let answer: Value =
            self.provider.raw_request(Cow::Borrowed(method), params).await.map_err(|e| self.error(method, e))?;
        serde_json::from_value(answer).map_err(|e| self.error(method, e))
    }

    /// Waits until the node answers and its chain has this id.
    pub async fn ready(&self, chain_id: u64, log: &str) -> Result<(), DevnetError> {
        let found = until(&format!("the RPC of the {}", self.name), 120, &format!("see {log}"), async || {
            self.request::<U256>("eth_chainId", Value::Array(vec![])).await.ok()
        })
        .await?;
        if found != U256::from(chain_id) {
            let reason = format!("chain id {found} instead of {chain_id}: another node answers on its port");
            return Err(DevnetError::Rpc { node: self.name, reason });
        }
        Ok(())
    }

    /// A block by number or tag; `None` where the node has none.
    pub async fn block(&self, block: BlockNumberOrTag) -> Result<Option<BlockId>, DevnetError> {
        let block: Option<Value> = self.request("eth_getBlockByNumber", serde_json::json!([block, false])).await?;
        let Some(block) = block else { return Ok(None) };
        let field = |name: &'static str| block.get(name).cloned().unwrap_or_default();
        let number = |name| serde_json::from_value::<U256>(field(name)).map(|value| value.saturating_to());
        let read = || {
            Ok::<_, serde_json::Error>(BlockId {
                number: number("number")?,
                hash: serde_json::from_value(field("hash"))?,
                state_root: serde_json::from_value(field("stateRoot"))?,
                timestamp: number("timestamp")?,
            })
        };
        read().map(Some).map_err(|error| self.error("eth_getBlockByNumber", error))
    }

    /// The balance of an account after block `number`, or now.
    pub async fn balance(&self, account: Address, number: Option<u64>) -> Result<U256, DevnetError> {
        let block = number.map_or(BlockNumberOrTag::Latest, BlockNumberOrTag::Number);
        self.request("eth_getBalance", serde_json::json!([account, block])).await
    }

    /// Whether there is a contract.
    pub async fn has_code(&self, address: Address) -> Result<bool, DevnetError> {
        let code: Bytes = self.request("eth_getCode", serde_json::json!([address, "latest"])).await?;
        Ok(!code.is_empty())
    }

    /// Asks a contract.
    pub async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, DevnetError> {
        let request = serde_json::json!([{ "to": to, "data": Bytes::from(call.abi_encode()) }, "latest"]);
        let answer: Bytes = self.request("eth_call", request).await?;
        C::abi_decode_returns(&answer).map_err(|error| self.error(C::SIGNATURE, error))
    }

    /// The nonce that an account's next transaction has.
    pub async fn nonce(&self, account: Address) -> Result<u64, DevnetError> {
        self.provider
            .get_transaction_count(account)
            .pending()
            .await
            .map_err(|error| self.error("eth_getTransactionCount", error))
    }

    /// Signs and sends a transaction; says which, and does not wait for it.
    pub async fn submit(
        &self,
        from: &Account,
        nonce: u64,
        to: Address,
        value: U256,
        input: Bytes,
    ) -> Result<B256, DevnetError> {
        let mut request =
            TransactionRequest::default().with_from(from.address).with_to(to).with_value(value).with_input(input);
        let fees = self.provider.estimate_eip1559_fees().await.map_err(|error| self.error("eth_feeHistory", error))?;
        let gas =
            self.provider.estimate_gas(request.clone()).await.map_err(|error| self.error("eth_estimateGas", error))?;
        let chain_id = self.provider.get_chain_id().await.map_err(|error| self.error("eth_chainId", error))?;
        request = request.with_nonce(nonce).with_chain_id(chain_id).with_gas_limit(gas + gas / 4);
        request = request
            .with_max_fee_per_gas(fees.max_fee_per_gas * 2)
            .with_max_priority_fee_per_gas(fees.max_priority_fee_per_gas);
        let wallet = EthereumWallet::from(from.signer());
        let signed = request.build(&wallet).await.map_err(|error| self.error("signing", error))?;
        let pending = self
            .provider
            .send_tx_envelope(signed)
            .await
            .map_err(|error| self.error("eth_sendRawTransaction", error))?;
        Ok(*pending.tx_hash())
    }

    /// Sends one call and waits until it succeeded.
    pub async fn send<C: SolCall>(
        &self,
        what: &'static str,
        from: &Account,
        to: Address,
        value: U256,
        call: &C,
    ) -> Result<TransactionReceipt, DevnetError> {
        let nonce = self.nonce(from.address).await?;
        let hash = self.submit(from, nonce, to, value, call.abi_encode().into()).await?;
        self.included(what, hash).await
    }

    /// Waits until a transaction is in a block and succeeded.
    pub async fn included(&self, what: &'static str, hash: B256) -> Result<TransactionReceipt, DevnetError> {
        let receipt = until(
            &format!("transaction {hash} ({what})"),
            INCLUSION.as_secs(),
            &format!("see the log of the {}", self.name),
            async || self.provider.get_transaction_receipt(hash).await.ok().flatten(),
        )
        .await?;
        if receipt.status() { Ok(receipt) } else { Err(DevnetError::Reverted { what, hash }) }
    }

    /// The logs of a receipt that `address` emitted.
    pub fn logs_of(receipt: &TransactionReceipt, address: Address) -> impl Iterator<Item = &Log> {
        receipt.inner.logs().iter().filter(move |log| log.address() == address)
    }

    fn error(&self, doing: &str, error: impl std::fmt::Display) -> DevnetError {
        DevnetError::Rpc { node: self.name, reason: format!("{doing}: {error}") }
    }
}

/// Asks again and again until there is an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    seconds: u64,
    hint: &str,
    mut ask: impl FnMut() -> F,
) -> Result<T, DevnetError> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask().await {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            return Err(DevnetError::Timeout { what: what.to_owned(), seconds, hint: hint.to_owned() });
        }
        tokio::time::sleep(POLL).await;
    }
}
