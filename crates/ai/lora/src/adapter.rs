use std::collections::BTreeMap;

use openledger_backbone::{LlamaConfig, Projection};
use tch::{Kind, TchError, Tensor};

use crate::{AdapterConfig, LoraError, files};

/// The update of one linear layer.
#[derive(Debug)]
pub struct LoraWeights {
    /// `[r, in]`
    pub a: Tensor,
    /// `[out, r]`
    pub b: Tensor,
}

/// The updates by layer and projection.
pub type Weights = BTreeMap<(usize, Projection), LoraWeights>;

/// An adapter whose shapes fit its backbone, with `f32` weights.
#[derive(Debug)]
pub struct LoraAdapter {
    config: AdapterConfig,
    content_hash: [u8; 32],
    weights: Weights,
}

impl LoraAdapter {
    /// An adapter from weights in memory (copied, without gradients). Its hash is that of the file which [`Self::save`] writes.
    pub fn new(config: AdapterConfig, weights: &Weights, backbone: &LlamaConfig) -> Result<Self, LoraError> {
        let _no_grad = tch::no_grad_guard();
        let frozen = |tensor: &Tensor| tensor.f_detach_copy()?.f_to_kind(Kind::Float);
        let copies =
            weights.iter().map(|(key, pair)| Ok((*key, LoraWeights { a: frozen(&pair.a)?, b: frozen(&pair.b)? })));
        let weights: Weights = copies.collect::<Result<_, TchError>>()?;
        let config = config.checked()?;
        check(&config, &weights, backbone)?;
        let content_hash = files::hash(&files::encode(&config, &weights)?);
        Ok(Self { config, content_hash, weights })
    }

    /// From parts that were read from a file with this hash.
    pub(crate) fn from_file(
        config: AdapterConfig,
        content_hash: [u8; 32],
        weights: Weights,
        backbone: &LlamaConfig,
    ) -> Result<Self, LoraError> {
        check(&config, &weights, backbone)?;
        Ok(Self { config, content_hash, weights })
    }

    /// The configuration.
    pub const fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// SHA-256 of the bytes of `adapter_model.safetensors`.
    pub const fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// The updates by layer and projection.
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Bytes that the weights take in memory.
    pub fn bytes(&self) -> usize {
        self.weights.values().map(|pair| 4 * (pair.a.numel() + pair.b.numel())).sum()
    }

    /// What a layer adds to its answer for rows `x`, `[rows, in]`: `scaling · (x·Aᵀ)·Bᵀ`, `[rows, out]`.
    pub fn delta(&self, layer: usize, projection: Projection, x: &Tensor) -> Result<Option<Tensor>, TchError> {
        let Some(LoraWeights { a, b }) = self.weights.get(&(layer, projection)) else { return Ok(None) };
        let shrunk = x.f_linear(a, None::<&Tensor>)?.f_mul_scalar(self.config.scaling())?;
        shrunk.f_linear(b, None::<&Tensor>).map(Some)
    }

    /// The weight that does what the backbone's weight and the adapter do together: `W + scaling · B·A`.
    pub fn merged(&self, layer: usize, projection: Projection, weight: &Tensor) -> Result<Tensor, TchError> {
        match self.weights.get(&(layer, projection)) {
            Some(LoraWeights { a, b }) => weight.f_add(&b.f_matmul(a)?.f_mul_scalar(self.config.scaling())?),
            None => Ok(weight.shallow_clone()),
        }
    }
}

fn check(config: &AdapterConfig, weights: &Weights, backbone: &LlamaConfig) -> Result<(), LoraError> {
    let rank = config.r as i64;
    for (&(layer, projection), LoraWeights { a, b }) in weights {
        let wrong = |detail: String| LoraError::Tensor { name: files::name(layer, projection, 'A'), detail };
        if layer >= backbone.layers {
            return Err(wrong(format!("the backbone has {} layers", backbone.layers)));
        }
        if !config.target_modules.contains(&projection) {
            return Err(wrong("the module is not in the configuration's target_modules".into()));
        }
        let (out, width) = backbone.projection_shape(projection);
        if a.size() != [rank, width] || b.size() != [out, rank] {
            let (a, b) = (a.size(), b.size());
            return Err(wrong(format!("A is {a:?} and B {b:?}, expected [{rank}, {width}] and [{out}, {rank}]")));
        }
        for tensor in [a, b] {
            if !bool::try_from(tensor.f_isfinite()?.f_all()?)? {
                return Err(wrong("it holds values that are not finite".into()));
            }
        }
    }
    for &projection in &config.target_modules {
        if !weights.keys().any(|key| key.1 == projection) {
            return Err(LoraError::Config(format!("target module {:?} has no weights", projection.module())));
        }
    }
    Ok(())
}
