use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::MatrixSpec;

/// What the gradients are the gradients of. An index counts only for exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// SHA-256 of the backbone's file.
    pub backbone: B256,
    /// Content hash of the adapter, as registered on chain.
    pub adapter: B256,
    /// Merkle root of the dataset (`docs/spec/settlement.md`).
    pub dataset_root: B256,
    /// Most tokens of one datum, prompt and completion together; longer completions were cut.
    pub max_tokens: u32,
}

/// `index.json`, written last: where it stands, the index is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// Format version, [`Header::VERSION`].
    pub version: u32,
    /// Type of the stored values, always `bf16`, little-endian.
    pub dtype: String,
    /// What the gradients belong to.
    pub plan: Plan,
    /// Merkle root over the data's gradients.
    pub commitment: B256,
    /// SHA-256 of `records.bin`.
    pub records_sha256: B256,
}

/// What is known before the first gradient; a build that was interrupted goes on only under an equal plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The model, adapter and dataset.
    pub identity: Identity,
    /// Number of data.
    pub data: u32,
    /// LoRA matrices in the order of each row.
    pub matrices: Vec<MatrixSpec>,
    /// SHA-256 of `data.jsonl`.
    pub table_sha256: B256,
}

impl Header {
    /// The format written and read by this version.
    pub const VERSION: u32 = 1;
    /// The only value of `dtype`.
    pub const DTYPE: &'static str = "bf16";
}
