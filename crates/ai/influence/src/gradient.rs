use std::collections::BTreeMap;

use openledger_backbone::{LinearDelta, Llama, Projection};
use openledger_lora::{AdapterConfig, LoraAdapter, LoraWeights, Weights};
use tch::{Kind, Reduction, TchError, Tensor};

use crate::{Error, GradientLayout, MatrixSpec, Result};

/// A prompt and its completion as tokens, cut to a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    tokens: Vec<u32>,
    prompt: usize,
}

impl Example {
    /// Joins the two. What is beyond `limit` tokens is cut from the completion's end; at least one of its tokens must
    /// remain, and the prompt must not be empty, since the first token is predicted from nothing.
    pub fn new(prompt: &[u32], completion: &[u32], limit: usize) -> Result<Self> {
        if prompt.is_empty() || completion.is_empty() || prompt.len() >= limit {
            return Err(Error::EmptyCompletion { prompt: prompt.len(), completion: completion.len(), limit });
        }
        let mut tokens = [prompt, completion].concat();
        tokens.truncate(limit);
        Ok(Self { tokens, prompt: prompt.len() })
    }

    /// All tokens, the prompt's first.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens of the completion: those the loss is taken on.
    pub fn completion(&self) -> usize {
        self.tokens.len() - self.prompt
    }
}

/// Loss of each example, `[n]`: the mean cross-entropy over its completion's tokens. The batch is padded on the right
/// to its longest example; neither padding nor prompt is counted. Logits are made only where they are needed.
pub fn completion_losses(model: &Llama, delta: &dyn LinearDelta, batch: &[Example]) -> Result<Tensor> {
    let longest = batch.iter().map(|example| example.tokens.len()).max().unwrap_or(0);
    let mut padded = Vec::with_capacity(batch.len() * longest);
    let (mut rows, mut targets, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for (i, example) in batch.iter().enumerate() {
        // The token at position p is predicted from the hidden state at p − 1.
        for (position, token) in example.tokens.iter().enumerate().skip(example.prompt) {
            rows.push((i * longest + position - 1) as i64);
            targets.push(i64::from(*token));
        }
        lengths.push(example.completion() as i64);
        padded.extend(example.tokens.iter().map(|token| i64::from(*token)));
        padded.resize((i + 1) * longest, 0);
    }
    let on_device = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(model.device());
    let tokens = on_device(&padded)?.f_view([batch.len() as i64, longest as i64])?;
    let hidden = model.hidden(&tokens, delta)?.f_flatten(0, 1)?;
    let logits = model.logits(&hidden.f_index_select(0, &on_device(&rows)?)?)?;
    let losses = logits.f_cross_entropy_loss(&on_device(&targets)?, None::<&Tensor>, Reduction::None, -100, 0.0)?;
    let means: Result<Vec<_>, TchError> =
        losses.f_split_with_sizes(lengths, 0)?.iter().map(|part| part.f_mean(Kind::Float)).collect();
    Ok(Tensor::f_stack(&means?, 0)?)
}

/// An adapter's matrices as leaves of autograd: what training moves and what influence differentiates by.
/// As a [`LinearDelta`] it applies the adapter in the plainest way, with gradients: `y ← y + scaling · (x Aᵀ) Bᵀ`.
#[derive(Debug)]
pub struct LoraParameters {
    config: AdapterConfig,
    weights: Weights,
    layout: GradientLayout,
}

impl LoraParameters {
    /// Copies the matrices (in `f32`) and makes them require gradients.
    pub fn new(config: AdapterConfig, weights: &Weights) -> Result<Self> {
        let leaf = |tensor: &Tensor| tensor.f_detach_copy()?.f_to_kind(Kind::Float)?.f_set_requires_grad(true);
        let mut leaves = Weights::new();
        let mut matrices = Vec::with_capacity(weights.len() * 2);
        for ((layer, projection), LoraWeights { a, b }) in weights {
            for (side, tensor) in [("A", a), ("B", b)] {
                let (rows, columns) = tensor.size2()?;
                let name = format!("base_model.model.model.layers.{layer}.{}.lora_{side}.weight", projection.path());
                matrices.push(MatrixSpec { name, shape: [rows as usize, columns as usize] });
            }
            leaves.insert((*layer, *projection), LoraWeights { a: leaf(a)?, b: leaf(b)? });
        }
        Ok(Self { config, weights: leaves, layout: GradientLayout::new(matrices)? })
    }

    /// A copy of an adapter's matrices.
    pub fn of(adapter: &LoraAdapter) -> Result<Self> {
        Self::new(adapter.config().clone(), adapter.weights())
    }

    /// A second handle on the same matrices, for another thread: nothing is copied, and gradients reach the same leaves.
    pub fn share(&self) -> Self {
        let shared = |pair: &LoraWeights| LoraWeights { a: pair.a.shallow_clone(), b: pair.b.shallow_clone() };
        let weights = self.weights.iter().map(|(key, pair)| (*key, shared(pair))).collect();
        Self { config: self.config.clone(), weights, layout: self.layout.clone() }
    }

    /// Rank, scaling and target modules.
    pub const fn config(&self) -> &AdapterConfig {
        &self.config
    }

    /// The matrices by layer and projection.
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// All matrices in the order of the layout: by layer, then projection, A before B.
    pub fn tensors(&self) -> Vec<&Tensor> {
        self.weights.values().flat_map(|pair| [&pair.a, &pair.b]).collect()
    }

    /// The order of the values in a gradient.
    pub const fn layout(&self) -> &GradientLayout {
        &self.layout
    }
}

impl LinearDelta for LoraParameters {
    fn apply(&self, layer: usize, projection: Projection, x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        let Some(LoraWeights { a, b }) = self.weights.get(&(layer, projection)) else { return Ok(y) };
        let shrunk = x.f_linear(a, None::<&Tensor>)?.f_mul_scalar(self.config.scaling())?;
        y.f_add(&shrunk.f_linear(b, None::<&Tensor>)?)
    }
}

/// A copy of the matrices for each example of a batch, so that one backward pass gives each example's own gradient:
/// the sum of the losses differentiated by copy `i` is the loss of example `i` differentiated by the matrix.
struct Copies {
    batch: i64,
    scaling: f64,
    /// A `[batch, r, in]` and B `[batch, out, r]` for each pair.
    leaves: BTreeMap<(usize, Projection), [Tensor; 2]>,
}

impl Copies {
    fn new(parameters: &LoraParameters, batch: i64) -> Result<Self> {
        let copies =
            |tensor: &Tensor| tensor.f_detach()?.f_unsqueeze(0)?.f_repeat([batch, 1, 1])?.f_set_requires_grad(true);
        let leaves = parameters.weights.iter().map(|(key, pair)| Ok((*key, [copies(&pair.a)?, copies(&pair.b)?])));
        Ok(Self { batch, scaling: parameters.config.scaling(), leaves: leaves.collect::<Result<_, TchError>>()? })
    }
}

impl LinearDelta for Copies {
    fn apply(&self, layer: usize, projection: Projection, x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        let Some([a, b]) = self.leaves.get(&(layer, projection)) else { return Ok(y) };
        let x = x.f_view([self.batch, -1, x.size()[1]])?;
        let shrunk = x.f_bmm(&a.f_transpose(1, 2)?)?.f_mul_scalar(self.scaling)?;
        y.f_add(&shrunk.f_bmm(&b.f_transpose(1, 2)?)?.f_view_as(&y)?)
    }
}

/// Gradient of one loss by all LoRA matrices, flat in the order of a layout.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryGradient {
    values: Vec<f32>,
    loss: f64,
}

impl QueryGradient {
    /// From values computed elsewhere. Fails on a wrong length and on what is not finite.
    pub fn new(layout: &GradientLayout, values: Vec<f32>, loss: f64) -> Result<Self> {
        if values.len() != layout.values() {
            return Err(Error::Shape { expected: layout.values(), found: values.len() });
        }
        if !loss.is_finite() || values.iter().any(|value| !value.is_finite()) {
            return Err(Error::NotFinite { what: "a loss or its gradient".into() });
        }
        Ok(Self { values, loss })
    }

    /// The values; [`GradientLayout::range`] finds a matrix's.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The loss itself, in nats per completion token.
    pub const fn loss(&self) -> f64 {
        self.loss
    }
}

/// Gradient of each example's loss. One forward and one backward pass over the whole batch.
pub fn gradients(model: &Llama, parameters: &LoraParameters, batch: &[Example]) -> Result<Vec<QueryGradient>> {
    tch::with_grad(|| {
        let copies = Copies::new(parameters, batch.len() as i64)?;
        let losses = completion_losses(model, &copies, batch)?;
        let leaves: Vec<&Tensor> = copies.leaves.values().flatten().collect();
        let total = losses.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[&total], &leaves, false, false)?;
        let losses = Vec::<f64>::try_from(losses.f_detach()?.f_to_kind(Kind::Double)?)?;
        let layout = parameters.layout();
        let mut values: Vec<Vec<f32>> = batch.iter().map(|_| Vec::with_capacity(layout.values())).collect();
        for gradient in gradients {
            let flat = Vec::<f32>::try_from(gradient.f_reshape([-1])?)?;
            let size = flat.len() / batch.len();
            values.iter_mut().zip(flat.chunks_exact(size)).for_each(|(row, part)| row.extend_from_slice(part));
        }
        values.into_iter().zip(losses).map(|(values, loss)| QueryGradient::new(layout, values, loss)).collect()
    })
}

/// Gradient of the loss of a completion that the model itself has just given: the query of DataInf. `limit` is the most
/// tokens differentiated through; a longer completion is cut.
pub fn query_gradient(
    model: &Llama,
    parameters: &LoraParameters,
    prompt: &[u32],
    completion: &[u32],
    limit: usize,
) -> Result<QueryGradient> {
    let example = Example::new(prompt, completion, limit)?;
    Ok(gradients(model, parameters, &[example])?.remove(0))
}
