//! `devnet.json`: what users, wallets, scripts and tests need to find their way around a devnet.

use crate::{Account, DevnetError, Layout, layout::write_atomically};
use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fs};

/// The file's contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DevnetJson {
    /// The L1.
    pub l1: ChainEndpoint,
    /// The L2, through its sequencer.
    pub l2: ChainEndpoint,
    /// The L2, through the node that derives it from L1.
    pub verifier: Endpoint,
    /// The inference server.
    pub inference: InferenceEndpoint,
    /// Every contract of both layers, by name.
    pub contracts: BTreeMap<String, Address>,
    /// Development accounts, funded on both layers. Their keys are public knowledge.
    pub accounts: Vec<Account>,
    /// The accounts of the datanet's contributors, which hold what they have earned. Their keys are public knowledge too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contributors: Vec<Account>,
    /// The demo's model, once it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelEntry>,
}

/// Where a chain is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainEndpoint {
    /// JSON-RPC over HTTP.
    pub rpc: String,
    /// JSON-RPC over WebSocket.
    pub ws: String,
    /// Its chain id.
    pub chain_id: u64,
}

/// Where a node is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// JSON-RPC over HTTP.
    pub rpc: String,
    /// JSON-RPC over WebSocket.
    pub ws: String,
}

/// Where models answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceEndpoint {
    /// The server's URL; the OpenAI API is below `/v1`.
    pub url: String,
}

/// A model that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelEntry {
    /// What a request names it.
    pub name: String,
    /// Its id on chain.
    pub model_id: B256,
    /// SHA-256 of the backbone's file.
    pub backbone: B256,
    /// Content hash of the adapter.
    pub adapter: B256,
    /// Merkle root of the data that it was trained on.
    pub dataset_root: B256,
    /// Its datanet's id on chain.
    pub datanet_id: u64,
    /// A question that its data answers.
    pub question: String,
}

impl DevnetJson {
    /// Reads the file of a devnet.
    pub fn read(layout: &Layout) -> Result<Self, DevnetError> {
        let path = layout.devnet_json();
        let bytes = fs::read(&path).map_err(DevnetError::file(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| DevnetError::Malformed { path, reason: error.to_string() })
    }

    /// Writes the file so that readers see either the old or the new one.
    pub fn write(&self, layout: &Layout) -> Result<(), DevnetError> {
        let text = serde_json::to_string_pretty(self).expect("plain data");
        write_atomically(&layout.devnet_json(), format!("{text}\n").as_bytes())
    }

    /// A contract's address.
    pub fn contract(&self, name: &str) -> Result<Address, DevnetError> {
        self.contracts.get(name).copied().ok_or_else(|| DevnetError::Malformed {
            path: "devnet.json".into(),
            reason: format!("it names no contract {name}: run `make clean-devnet` and start again"),
        })
    }
}
