use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes, TxKind, U256};
use alloy_signer::SignerSync;
use alloy_sol_types::{SolCall, SolEvent, SolInterface};
use openledger_attribution::contracts::IInferenceLedger::{IInferenceLedgerErrors, Settled, settleCall};
use serde::Deserialize;
use serde_json::{Value, json};

use super::record::Record;
use crate::payment::{Chain, RpcError};

/// A settlement transaction, signed and not yet sent.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) hash: B256,
    pub(super) max_fee_per_gas: u128,
    raw: Bytes,
}

/// A transaction's receipt, as far as it matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Inclusion {
    status: U256,
    block_number: U256,
    transaction_hash: B256,
}

impl Inclusion {
    pub(super) fn succeeded(&self) -> bool {
        self.status == U256::ONE
    }

    pub(super) const fn transaction(&self) -> B256 {
        self.transaction_hash
    }

    pub(super) fn block(&self) -> u64 {
        self.block_number.saturating_to()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    block_number: U256,
    transaction_hash: B256,
}

impl Chain {
    /// Gas that settling these receipts takes; a revert is an error with its data.
    pub(super) async fn estimate(&self, records: &[&Record]) -> Result<u64, RpcError> {
        let call = json!([{"from": self.operator(), "to": self.ledger, "data": settle_input(records)}]);
        let gas: U256 = self.rpc.request("eth_estimateGas", call).await?;
        Ok(gas.saturating_to())
    }

    /// Signs a settlement under the operator's next nonce. It replaces one that is not included, and offers more than it did.
    pub(super) async fn sign_settlement(
        &self,
        records: &[&Record],
        gas: u64,
        replaces: Option<u128>,
    ) -> Result<Signed, RpcError> {
        let chain_id = self.chain_id().await?;
        let nonce: U256 = self.rpc.request("eth_getTransactionCount", json!([self.operator(), "latest"])).await?;
        let price: U256 = self.rpc.request("eth_gasPrice", json!([])).await?;
        let tip: U256 = self.rpc.request("eth_maxPriorityFeePerGas", json!([])).await?;
        // Room for the base fee to double while the transaction waits.
        let suggested: u128 = (price * U256::from(2) + tip).saturating_to();
        let bumped = replaces.map_or(0, |fee| fee.saturating_add(fee / 4 + 1));
        let max_fee_per_gas = suggested.max(bumped);
        // A replacement must raise the tip too.
        let max_priority_fee_per_gas = if replaces.is_some() { max_fee_per_gas } else { tip.saturating_to() };
        let transaction = TxEip1559 {
            chain_id,
            nonce: nonce.saturating_to(),
            // Estimates are for the state now; another settlement may come before.
            gas_limit: gas + gas / 4,
            max_fee_per_gas,
            max_priority_fee_per_gas: max_priority_fee_per_gas.min(max_fee_per_gas),
            to: TxKind::Call(self.ledger),
            value: U256::ZERO,
            access_list: Default::default(),
            input: settle_input(records),
        };
        let signature = self
            .signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|error| RpcError::Unexpected { method: "signing", reason: error.to_string() })?;
        let envelope = TxEnvelope::from(transaction.into_signed(signature));
        Ok(Signed { hash: *envelope.tx_hash(), max_fee_per_gas, raw: envelope.encoded_2718().into() })
    }

    pub(super) async fn send(&self, transaction: &Signed) -> Result<(), RpcError> {
        let _: B256 = self.rpc.request("eth_sendRawTransaction", json!([transaction.raw])).await?;
        Ok(())
    }

    /// Whether the node has the transaction at all, included or waiting.
    pub(super) async fn knows(&self, transaction: B256) -> Result<bool, RpcError> {
        let found: Option<Value> = self.rpc.request("eth_getTransactionByHash", json!([transaction])).await?;
        Ok(found.is_some())
    }

    pub(super) async fn inclusion(&self, transaction: B256) -> Result<Option<Inclusion>, RpcError> {
        self.rpc.request("eth_getTransactionReceipt", json!([transaction])).await
    }

    /// The transaction and block that settled a request.
    pub(super) async fn find_settlement(&self, request: B256) -> Result<Option<(B256, u64)>, RpcError> {
        let filter = json!([{
            "address": self.ledger, "fromBlock": "0x0", "toBlock": "latest",
            "topics": [Settled::SIGNATURE_HASH, request],
        }]);
        let logs: Vec<Log> = self.rpc.request("eth_getLogs", filter).await?;
        Ok(logs.first().map(|log| (log.transaction_hash, log.block_number.saturating_to())))
    }
}

fn settle_input(records: &[&Record]) -> Bytes {
    let batch = records.iter().map(|record| record.to_contract()).collect();
    settleCall { batch }.abi_encode().into()
}

/// What a contract said when it refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    /// It will say the same every time.
    pub(super) is_final: bool,
}

/// The refusal in an RPC error, if the contract made it.
pub(super) fn refusal(error: &RpcError) -> Option<Refusal> {
    let RpcError::Refused { message, data, code, .. } = error else { return None };
    let Some(data) = data.as_ref().filter(|data| !data.is_empty()) else {
        // 3 is the code of a revert; one without data is still one.
        return (*code == 3).then(|| Refusal { reason: message.clone(), is_final: false });
    };
    let known = IInferenceLedgerErrors::abi_decode(data).ok();
    let is_final = matches!(
        known,
        Some(
            IInferenceLedgerErrors::AuthorizationExpired(_)
                | IInferenceLedgerErrors::NonceAlreadyUsed(_)
                | IInferenceLedgerErrors::FeeAboveCeiling(_)
                | IInferenceLedgerErrors::ReceiptMismatch(_)
        )
    );
    Some(Refusal { reason: known.map_or_else(|| format!("{message} {data}"), |known| format!("{known:?}")), is_final })
}
