use alloy_primitives::{Address, B256, Bytes, U256};
use openledger_attribution::{SignedAuthorization, contracts::IInferenceLedger, eip712};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A receipt with everything that is needed to settle it and to check it: what is kept on disk and given out over HTTP.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) request_id: B256,
    pub(crate) chain_id: u64,
    pub(crate) verifying_contract: Address,
    /// The model's name on this server.
    pub(crate) model: String,
    pub(crate) authorization: SignedAuthorization,
    pub(crate) receipt: Receipt,
    /// EIP-712 digest of the receipt: what the operator signed and the chain keeps.
    pub(crate) receipt_hash: B256,
    pub(crate) operator_signature: Bytes,
    /// The price as signed for.
    pub(crate) schedule: Value,
    /// Parts of the fee in wei: fee, model, stakers, contributors, platform, dust.
    pub(crate) split: Parts,
    /// Those whose data helped, by address.
    pub(crate) contributors: Vec<Contributor>,
    /// All data of the dataset in order of their ids.
    pub(crate) scores: Vec<Score>,
    /// When it was signed, in Unix seconds.
    pub(crate) created: u64,
    pub(crate) settlement: Settlement,
}

/// `Receipt` of the specification as JSON; numbers above 2^53 are decimal strings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Receipt {
    pub(crate) request_id: B256,
    pub(crate) model_id: B256,
    pub(crate) schedule_id: B256,
    pub(crate) dataset_root: B256,
    pub(crate) payer: Address,
    #[serde(with = "decimal")]
    pub(crate) nonce: U256,
    pub(crate) tokens_in: u32,
    pub(crate) tokens_out: u32,
    pub(crate) prompt_hash: B256,
    pub(crate) output_hash: B256,
    pub(crate) influences_hash: B256,
    pub(crate) scores_root: B256,
}

/// Parts of a fee in wei.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parts {
    #[serde(with = "decimal")]
    pub(crate) fee: U256,
    #[serde(with = "decimal")]
    pub(crate) model: U256,
    #[serde(with = "decimal")]
    pub(crate) stakers: U256,
    #[serde(with = "decimal")]
    pub(crate) contributors: U256,
    #[serde(with = "decimal")]
    pub(crate) platform: U256,
    #[serde(with = "decimal")]
    pub(crate) dust: U256,
}

/// A contributor who is paid.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contributor {
    pub(crate) account: Address,
    pub(crate) name: String,
    /// Sum of its data's positive influences.
    pub(crate) influence: i64,
    #[serde(with = "decimal")]
    pub(crate) reward: U256,
}

/// The influence of one datum.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Score {
    pub(crate) datum_id: u32,
    pub(crate) contributor: Address,
    pub(crate) content_hash: B256,
    pub(crate) influence: i64,
}

/// How far a receipt is on its way to the chain.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settlement {
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transaction_hash: Option<B256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) block_number: Option<u64>,
    /// Fee per gas of the transaction: one that replaces it must offer more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_fee_per_gas: Option<u128>,
    /// When it was sent, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) submitted: Option<u64>,
    /// Why the last attempt failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Status {
    /// Waits for the next settlement.
    Pending,
    /// In a transaction that is not included yet.
    Submitted,
    /// On chain.
    Settled,
    /// It can never be settled; `reason` says why.
    Failed,
}

impl Settlement {
    pub(crate) const fn pending() -> Self {
        Self {
            status: Status::Pending,
            transaction_hash: None,
            block_number: None,
            max_fee_per_gas: None,
            submitted: None,
            reason: None,
        }
    }
}

impl Record {
    /// As the contract takes it.
    pub(crate) fn to_contract(&self) -> IInferenceLedger::Settlement {
        IInferenceLedger::Settlement {
            authorization: self.authorization.message().into(),
            payerSignature: self.authorization.signature.clone(),
            receipt: eip712::Receipt::from(&self.receipt).into(),
            operatorSignature: self.operator_signature.clone(),
            contributors: self.contributors.iter().map(|contributor| contributor.account).collect(),
            influences: self.contributors.iter().map(|contributor| contributor.influence).collect(),
        }
    }
}

impl From<&Receipt> for eip712::Receipt {
    fn from(receipt: &Receipt) -> Self {
        Self {
            requestId: receipt.request_id,
            modelId: receipt.model_id,
            scheduleId: receipt.schedule_id,
            datasetRoot: receipt.dataset_root,
            payer: receipt.payer,
            nonce: receipt.nonce,
            tokensIn: receipt.tokens_in,
            tokensOut: receipt.tokens_out,
            promptHash: receipt.prompt_hash,
            outputHash: receipt.output_hash,
            influencesHash: receipt.influences_hash,
            scoresRoot: receipt.scores_root,
        }
    }
}

impl From<openledger_attribution::Parts> for Parts {
    fn from(parts: openledger_attribution::Parts) -> Self {
        let [fee, model, stakers, contributors, platform, dust] = parts.words();
        Self { fee, model, stakers, contributors, platform, dust }
    }
}

mod decimal {
    use alloy_primitives::U256;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
        let text = String::deserialize(deserializer)?;
        U256::from_str_radix(&text, 10).map_err(|_| D::Error::custom("expected a decimal number as a string"))
    }
}
