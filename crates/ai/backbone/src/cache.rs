use tch::{Device, Kind, TchError, Tensor};

use crate::LlamaConfig;

/// Caches grow by at least this many tokens.
const GRAIN: i64 = 64;

/// Keys and values of one sequence, for every layer. It grows with the sequence and is dropped with it.
#[derive(Debug)]
pub struct KvCache {
    /// For each layer keys and values, `[kv_heads, capacity, head_dim]`.
    layers: Vec<(Tensor, Tensor)>,
    shape: [i64; 2],
    device: Device,
    len: i64,
}

impl KvCache {
    /// An empty cache for a model.
    pub fn new(config: &LlamaConfig, device: Device) -> Self {
        Self { layers: Vec::with_capacity(config.layers), shape: [config.kv_heads, config.head_dim], device, len: 0 }
    }

    /// Tokens in the cache.
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no token is in the cache.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that a cache of `tokens` tokens takes, growth included.
    pub const fn bytes_for(config: &LlamaConfig, tokens: usize) -> usize {
        2 * 4 * config.layers * (config.kv_heads * config.head_dim) as usize * (tokens + GRAIN as usize)
    }

    /// Writes the keys and values of new tokens, `[t, kv_heads, head_dim]`, behind the cached ones and gives all of
    /// them, `[kv_heads, len + t, head_dim]`. The length changes only with [`Self::advance`], after the last layer.
    pub(crate) fn extend(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor), TchError> {
        let new = k.size()[0];
        let total = self.len + new;
        if self.layers.len() == layer {
            self.layers.push((self.allocate(total)?, self.allocate(total)?));
        }
        let capacity = self.layers[layer].0.size()[1];
        if capacity < total {
            let grown = [&self.layers[layer].0, &self.layers[layer].1].map(|old| -> Result<Tensor, TchError> {
                let bigger = self.allocate(total.max(capacity + capacity / 2))?;
                bigger.f_narrow(1, 0, self.len)?.f_copy_(&old.f_narrow(1, 0, self.len)?)?;
                Ok(bigger)
            });
            let [keys, values] = grown;
            self.layers[layer] = (keys?, values?);
        }
        let (keys, values) = &self.layers[layer];
        keys.f_narrow(1, self.len, new)?.f_copy_(&k.f_transpose(0, 1)?)?;
        values.f_narrow(1, self.len, new)?.f_copy_(&v.f_transpose(0, 1)?)?;
        Ok((keys.f_narrow(1, 0, total)?, values.f_narrow(1, 0, total)?))
    }

    pub(crate) const fn advance(&mut self, tokens: i64) {
        self.len += tokens;
    }

    fn allocate(&self, tokens: i64) -> Result<Tensor, TchError> {
        let capacity = (tokens + GRAIN - 1) / GRAIN * GRAIN;
        Tensor::f_empty([self.shape[0], capacity, self.shape[1]], (Kind::Float, self.device))
    }
}
