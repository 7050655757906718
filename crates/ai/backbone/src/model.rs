use std::io::{Read, Seek};

use tch::{Device, Kind, TchError, Tensor};

use crate::{
    BackboneError, KvCache, LinearDelta, LlamaConfig, Projection,
    attention::{Rotary, attend, rotate},
    gguf::Gguf,
};

/// A Llama model with frozen `f32` weights.
#[derive(Debug)]
pub struct Llama {
    config: LlamaConfig,
    device: Device,
    embedding: Tensor,
    blocks: Vec<Block>,
    norm: Tensor,
    /// `None` when the embedding serves as output layer too.
    output: Option<Tensor>,
    rotary: Rotary,
}

#[derive(Debug)]
struct Block {
    attention_norm: Tensor,
    feed_forward_norm: Tensor,
    /// `[out, in]`, in the order of [`Projection::ALL`].
    projections: [Tensor; 7],
}

/// The new tokens of one sequence in a serving step, and what is cached of those before.
#[derive(Debug)]
pub struct Sequence<'a> {
    /// At least one token.
    pub tokens: &'a [u32],
    /// The sequence's cache; the tokens are added to it.
    pub cache: &'a mut KvCache,
}

impl Llama {
    /// Reads the weights. Every tensor's shape is checked against the configuration before it is dequantised.
    pub fn load<R: Read + Seek>(
        gguf: &mut Gguf<R>,
        config: LlamaConfig,
        device: Device,
    ) -> Result<Self, BackboneError> {
        if gguf.tensors.contains_key("rope_freqs.weight") {
            return Err(BackboneError::UnsupportedModel("rescaled rotary frequencies (rope_freqs)".into()));
        }
        let mut read = |name: String, shape: &[i64]| read_tensor(gguf, &name, shape, device);
        let (hidden, vocabulary) = (config.hidden, config.vocabulary);
        let embedding = read("token_embd.weight".into(), &[vocabulary, hidden])?;
        let norm = read("output_norm.weight".into(), &[hidden])?;
        let mut blocks = Vec::new();
        for layer in 0..config.layers {
            let mut projections = Vec::with_capacity(7);
            for projection in Projection::ALL {
                let (out, width) = config.projection_shape(projection);
                let weight = read(format!("blk.{layer}.{}.weight", projection.tensor()), &[out, width])?;
                projections.push(match projection {
                    Projection::Q => half_split(&weight, config.heads)?,
                    Projection::K => half_split(&weight, config.kv_heads)?,
                    _ => weight,
                });
            }
            blocks.push(Block {
                attention_norm: read(format!("blk.{layer}.attn_norm.weight"), &[hidden])?,
                feed_forward_norm: read(format!("blk.{layer}.ffn_norm.weight"), &[hidden])?,
                projections: projections.try_into().expect("one weight for each projection"),
            });
        }
        let output = match gguf.tensors.contains_key("output.weight") {
            true => Some(read_tensor(gguf, "output.weight", &[vocabulary, hidden], device)?),
            false => None,
        };
        let rotary = Rotary::new(&config, device)?;
        Ok(Self { config, device, embedding, blocks, norm, output, rotary })
    }

    /// A second handle on the same weights, for another thread: nothing is copied. libtorch's tensors may move between
    /// threads, but no two threads may use one handle.
    pub fn share(&self) -> Self {
        let shared = |block: &Block| Block {
            attention_norm: block.attention_norm.shallow_clone(),
            feed_forward_norm: block.feed_forward_norm.shallow_clone(),
            projections: block.projections.each_ref().map(Tensor::shallow_clone),
        };
        Self {
            config: self.config.clone(),
            device: self.device,
            embedding: self.embedding.shallow_clone(),
            blocks: self.blocks.iter().map(shared).collect(),
            norm: self.norm.shallow_clone(),
            output: self.output.as_ref().map(Tensor::shallow_clone),
            rotary: self.rotary.share(),
        }
    }

    /// The model's shape.
    pub const fn config(&self) -> &LlamaConfig {
        &self.config
    }

    /// Where the weights are.
    pub const fn device(&self) -> Device {
        self.device
    }

    /// The frozen weight of a linear layer, `[out, in]`.
    pub fn weight(&self, layer: usize, projection: Projection) -> &Tensor {
        &self.blocks[layer].projections[projection as usize]
    }

    /// Logits `[b, t, vocabulary]` of `tokens`, `[b, t]` int64. Causal; pad on the right. Gradients flow to `delta`.
    pub fn forward(&self, tokens: &Tensor, delta: &dyn LinearDelta) -> Result<Tensor, BackboneError> {
        self.logits(&self.hidden(tokens, delta)?)
    }

    /// The hidden state after the last norm, `[b, t, hidden]`, of `tokens`, `[b, t]` int64.
    pub fn hidden(&self, tokens: &Tensor, delta: &dyn LinearDelta) -> Result<Tensor, BackboneError> {
        let [b, t] = tokens.size()[..] else {
            return Err(BackboneError::InvalidInput(format!("tokens have shape {:?}, not [b, t]", tokens.size())));
        };
        self.fits(t as usize)?;
        let positions = Tensor::f_arange(t, (Kind::Int64, self.device))?.f_repeat([b])?;
        let tokens = tokens.f_to_device(self.device)?.f_reshape([-1])?;
        let hidden = self.blocks(&tokens, &positions, delta, |_, q, k, v| {
            let rows = |x: &Tensor, heads| x.f_view([b, t, heads, self.config.head_dim])?.f_transpose(1, 2);
            let (heads, kv_heads) = (self.config.heads, self.config.kv_heads);
            attend(&rows(q, heads)?, &rows(k, kv_heads)?, &rows(v, kv_heads)?)?.f_view([b * t, -1])
        })?;
        Ok(hidden.f_view([b, t, self.config.hidden])?)
    }

    /// Logits `[.., vocabulary]` of hidden states `[.., hidden]` as [`Self::hidden`] gives them.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor, BackboneError> {
        Ok(hidden.f_linear(self.output.as_ref().unwrap_or(&self.embedding), None::<Tensor>)?)
    }

    /// One serving step: runs each sequence's new tokens, adds them to its cache and gives the logits after its last
    /// token, `[batch.len(), vocabulary]`. Sequences may differ in length; nothing is padded. No gradients.
    pub fn step(&self, batch: &mut [Sequence<'_>], delta: &dyn LinearDelta) -> Result<Tensor, BackboneError> {
        let _no_grad = tch::no_grad_guard();
        let (mut tokens, mut positions, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let mut segments = Vec::with_capacity(batch.len());
        for sequence in batch.iter() {
            let (new, cached) = (sequence.tokens.len(), sequence.cache.len());
            if new == 0 {
                return Err(BackboneError::InvalidInput("a sequence has no new token".into()));
            }
            self.fits(cached + new)?;
            segments.push((tokens.len() as i64, new as i64));
            for (i, &token) in sequence.tokens.iter().enumerate() {
                if i64::from(token) >= self.config.vocabulary {
                    return Err(BackboneError::InvalidInput(format!("token {token} is not in the vocabulary")));
                }
                tokens.push(i64::from(token));
                positions.push((cached + i) as i64);
            }
            last.push(tokens.len() as i64 - 1);
        }
        let on_device = |values: &[i64]| Tensor::f_from_slice(values)?.f_to_device(self.device);
        let hidden = self.blocks(&on_device(&tokens)?, &on_device(&positions)?, delta, |layer, q, k, v| {
            let mut outputs = Vec::with_capacity(segments.len());
            for (sequence, &(start, len)) in batch.iter_mut().zip(&segments) {
                let own = |x: &Tensor| x.f_narrow(0, start, len);
                let (keys, values) = sequence.cache.extend(layer, &own(k)?, &own(v)?)?;
                let queries = own(q)?.f_transpose(0, 1)?.f_unsqueeze(0)?;
                outputs.push(attend(&queries, &keys.f_unsqueeze(0)?, &values.f_unsqueeze(0)?)?.f_squeeze_dim(0)?);
            }
            Tensor::f_cat(&outputs, 0)
        })?;
        for (sequence, &(_, len)) in batch.iter_mut().zip(&segments) {
            sequence.cache.advance(len);
        }
        self.logits(&hidden.f_index_select(0, &on_device(&last)?)?)
    }

    /// All blocks and the last norm over rows of tokens. `attention` gets a layer's rotated queries and keys and its
    /// values, `[rows, heads or kv_heads, head_dim]`, and gives `[rows, heads · head_dim]`.
    fn blocks(
        &self,
        tokens: &Tensor,
        positions: &Tensor,
        delta: &dyn LinearDelta,
        mut attention: impl FnMut(usize, &Tensor, &Tensor, &Tensor) -> Result<Tensor, TchError>,
    ) -> Result<Tensor, TchError> {
        let config = &self.config;
        let rotation = self.rotary.at(positions)?;
        let mut h = self.embedding.f_index_select(0, tokens)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let linear = |projection: Projection, x: &Tensor| {
                let y = x.f_linear(&block.projections[projection as usize], None::<Tensor>)?;
                delta.apply(layer, projection, x, y)
            };
            let x = self.normalize(&h, &block.attention_norm)?;
            let heads = |projection, count| linear(projection, &x)?.f_view([-1, count, config.head_dim]);
            let q = rotate(&heads(Projection::Q, config.heads)?, &rotation)?;
            let k = rotate(&heads(Projection::K, config.kv_heads)?, &rotation)?;
            let v = heads(Projection::V, config.kv_heads)?;
            h = h.f_add(&linear(Projection::O, &attention(layer, &q, &k, &v)?)?)?;

            let x = self.normalize(&h, &block.feed_forward_norm)?;
            let gated = linear(Projection::Gate, &x)?.f_silu()?.f_mul(&linear(Projection::Up, &x)?)?;
            h = h.f_add(&linear(Projection::Down, &gated)?)?;
        }
        self.normalize(&h, &self.norm)
    }

    fn normalize(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor, TchError> {
        x.f_rms_norm([self.config.hidden], Some(weight), self.config.norm_epsilon)
    }

    fn fits(&self, tokens: usize) -> Result<(), BackboneError> {
        match tokens <= self.config.context {
            true => Ok(()),
            false => Err(BackboneError::ContextExceeded { tokens, context: self.config.context }),
        }
    }
}

fn read_tensor<R: Read + Seek>(
    gguf: &mut Gguf<R>,
    name: &str,
    shape: &[i64],
    device: Device,
) -> Result<Tensor, BackboneError> {
    let expected: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    let info = gguf.tensors.get(name).ok_or_else(|| BackboneError::MissingTensor(name.to_owned()))?;
    if info.shape != expected {
        let actual = info.shape.clone();
        return Err(BackboneError::TensorShape { name: name.to_owned(), expected, actual });
    }
    let (values, _) = gguf.read_f32(name)?;
    Ok(Tensor::f_from_slice(&values)?.f_reshape(shape)?.f_to_device(device)?)
}

/// Puts the rows of a query or key weight back from GGUF's interleaved rotary layout (pairs `2i, 2i + 1`) to the
/// half-split one (pairs `i, i + head_dim / 2`) in which adapters are trained everywhere else.
fn half_split(weight: &Tensor, heads: i64) -> Result<Tensor, TchError> {
    let (out, width) = weight.size2()?;
    let pairs = weight.f_reshape([heads, out / heads / 2, 2, width])?;
    pairs.f_transpose(1, 2)?.f_reshape([out, width])
}
