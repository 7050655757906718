use std::path::Path;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::{Error, Hyperparameters, Result, files};

/// Name of the report in the adapter's folder. It is written last: where it stands, training is complete.
pub const REPORT_FILE: &str = "training_report.json";

/// What a training run did, enough to repeat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainingReport {
    /// Hash of everything that shapes the result: backbone, data and hyper-parameters.
    pub plan: B256,
    /// SHA-256 of the backbone's file.
    pub backbone: B256,
    /// Content hash of the adapter.
    pub adapter: B256,
    /// Merkle root of the data trained on.
    pub dataset_root: B256,
    /// Number of data trained on.
    pub data: usize,
    /// Number of data held out.
    pub evaluation_data: usize,
    /// Whose data it was.
    pub contributors: Vec<ContributorSummary>,
    /// The settings.
    pub hyperparameters: Hyperparameters,
    /// Every optimiser step.
    pub steps: Vec<StepRecord>,
    /// Loss on the held-out data, as training went on.
    pub evaluations: Vec<EvaluationRecord>,
    /// Steps left out because a loss or gradient was not finite.
    pub skipped_steps: usize,
    /// Time spent training, in seconds, over all runs.
    pub seconds: f32,
    /// Tokens that went through the model forward and backward, without padding.
    pub tokens: usize,
}

/// A contributor's part in a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContributorSummary {
    /// Name in the dataset.
    pub name: String,
    /// Whom its influence pays.
    pub address: Address,
    /// Number of data.
    pub data: usize,
}

/// One optimiser step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// From 1.
    pub step: usize,
    /// Mean loss over the step's data, nats per completion token.
    pub loss: f32,
    /// Learning rate.
    pub learning_rate: f32,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f32,
}

/// One measurement on held-out data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationRecord {
    /// Steps done before it.
    pub step: usize,
    /// Mean loss, nats per completion token.
    pub loss: f32,
}

impl TrainingReport {
    const MAX_BYTES: u64 = 256 << 20;

    /// Reads the report in an adapter's folder; `None` where there is none.
    pub fn open(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(REPORT_FILE);
        let Some(bytes) = files::read_bounded(&path, Self::MAX_BYTES)? else { return Ok(None) };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Error::damaged(path, format!("not a training report ({error}); train again with --fresh")))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(self).expect("a report is plain data");
        files::write_atomically(&folder.join(REPORT_FILE), &bytes)
    }
}
