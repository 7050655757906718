//! The adapter's way from its first values to its files.

use std::path::Path;

use alloy_primitives::B256;
use openledger_backbone::{Llama, LlamaConfig, Projection};
use openledger_influence::LoraParameters;
use openledger_lora::{AdapterConfig, LoraAdapter, LoraWeights, WEIGHTS_FILE, Weights};
use tch::{Kind, Tensor};

use crate::{Error, Hyperparameters, Result, SplitMix64, files};

/// Largest adapter file read.
const MAX_BYTES: u64 = 4 << 30;

/// First values as PEFT has them: A uniform within ±1/√in (Kaiming with a = √5), B zero, so that training begins at the
/// backbone itself.
pub(crate) fn initialize(model: &Llama, hyperparameters: &Hyperparameters) -> Result<LoraParameters> {
    let mut target_modules = Vec::new();
    for name in &hyperparameters.targets {
        target_modules.push(Projection::from_module(name).ok_or_else(|| Error::Parameter {
            name: "--targets",
            value: name.clone(),
            rule: "must be of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
        })?);
    }
    let config = AdapterConfig {
        r: hyperparameters.rank,
        lora_alpha: hyperparameters.alpha,
        use_rslora: false,
        target_modules,
        lora_dropout: 0.0,
        base_model: None,
    }
    .checked()?;
    let mut random = SplitMix64::new(hyperparameters.seed, 1);
    let mut weights = Weights::new();
    for layer in 0..model.config().layers {
        for projection in &config.target_modules {
            let (out, width) = model.config().projection_shape(*projection);
            let bound = 1.0 / (width as f64).sqrt();
            let rank = hyperparameters.rank as i64;
            let values: Vec<f32> = (0..rank * width).map(|_| (random.symmetric() * bound) as f32).collect();
            let a = Tensor::f_from_slice(&values)?.f_view([rank, width])?.f_to_device(model.device())?;
            let b = Tensor::f_zeros([out, rank], (Kind::Float, model.device()))?;
            weights.insert((layer, *projection), LoraWeights { a, b });
        }
    }
    Ok(LoraParameters::new(config, &weights)?)
}

/// Writes the adapter's files and answers the content hash.
pub(crate) fn save(folder: &Path, parameters: &LoraParameters, backbone: &LlamaConfig, name: &str) -> Result<B256> {
    let config = AdapterConfig { base_model: Some(name.into()), ..parameters.config().clone() };
    let adapter = LoraAdapter::new(config, parameters.weights(), backbone)?;
    adapter.save(folder)?;
    Ok(adapter.content_hash().into())
}

/// SHA-256 of the adapter's weights file: its content hash.
pub(crate) fn content_hash(folder: &Path) -> Result<B256> {
    let path = folder.join(WEIGHTS_FILE);
    let bytes = files::read_bounded(&path, MAX_BYTES)?;
    bytes
        .map(|bytes| files::sha256(&bytes))
        .ok_or_else(|| Error::damaged(path, "not there; make it with `openlora train`"))
}

/// Reads the adapter as leaves of autograd.
pub(crate) fn load(folder: &Path, model: &Llama) -> Result<LoraParameters> {
    Ok(LoraParameters::of(&LoraAdapter::load(folder, model.config(), model.device())?)?)
}
