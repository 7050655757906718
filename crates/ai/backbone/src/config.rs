use crate::{BackboneError, Projection, gguf::Gguf};

/// Rotary tables and caches grow with the context: a file may not ask for more than this.
const MAX_CONTEXT: u32 = 1 << 20;
const MAX_BLOCKS: u32 = 1024;
const MAX_WIDTH: u32 = 1 << 18;

/// The shape of a Llama model.
#[derive(Debug, Clone, PartialEq)]
pub struct LlamaConfig {
    /// Transformer blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: i64,
    /// Width of the feed-forward layer.
    pub feed_forward: i64,
    /// Query heads.
    pub heads: i64,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: i64,
    /// Width of one head.
    pub head_dim: i64,
    /// Tokens in the vocabulary.
    pub vocabulary: i64,
    /// Longest sequence, in tokens.
    pub context: usize,
    /// Base of the rotary frequencies.
    pub rope_base: f64,
    /// Added to the mean square before its root.
    pub norm_epsilon: f64,
}

impl LlamaConfig {
    /// Reads and checks the metadata. `vocabulary` is the number of tokens in the file's tokenizer.
    pub fn from_gguf<R>(gguf: &Gguf<R>, vocabulary: usize) -> Result<Self, BackboneError> {
        let architecture = gguf.string("general.architecture")?;
        if architecture != "llama" {
            return Err(unsupported(format!("architecture {architecture:?} (only \"llama\" is)")));
        }
        for key in ["llama.rope.scaling.type", "llama.rope.scale_linear", "llama.expert_count"] {
            if gguf.metadata.contains_key(key) && !matches!(gguf.string(key), Ok("none")) {
                return Err(unsupported(format!("metadata entry {key:?} is set")));
            }
        }
        let bounded = |key: &str, limit: u32| -> Result<i64, BackboneError> {
            let value = gguf.u32(key)?;
            if value == 0 || value > limit {
                return Err(unsupported(format!("{key} = {value}, expected 1 to {limit}")));
            }
            Ok(i64::from(value))
        };
        let hidden = bounded("llama.embedding_length", MAX_WIDTH)?;
        let heads = bounded("llama.attention.head_count", MAX_WIDTH)?;
        let kv_heads = if gguf.metadata.contains_key("llama.attention.head_count_kv") {
            bounded("llama.attention.head_count_kv", MAX_WIDTH)?
        } else {
            heads
        };
        let head_dim = if gguf.metadata.contains_key("llama.attention.key_length") {
            bounded("llama.attention.key_length", MAX_WIDTH)?
        } else {
            hidden / heads
        };
        if heads % kv_heads != 0 || head_dim == 0 || head_dim % 2 != 0 {
            return Err(unsupported(format!("{heads} heads, {kv_heads} key heads, head width {head_dim}")));
        }
        let rotated = gguf.u32("llama.rope.dimension_count").map_or(head_dim, i64::from);
        if rotated != head_dim {
            return Err(unsupported(format!("only {rotated} of {head_dim} dimensions of a head are rotated")));
        }
        let rope_base = gguf.f64("llama.rope.freq_base").unwrap_or(10_000.0);
        let norm_epsilon = gguf.f64("llama.attention.layer_norm_rms_epsilon")?;
        if !(rope_base.is_finite() && rope_base > 0.0 && norm_epsilon.is_finite() && norm_epsilon > 0.0) {
            return Err(unsupported(format!("rope base {rope_base}, norm epsilon {norm_epsilon}")));
        }
        Ok(Self {
            layers: bounded("llama.block_count", MAX_BLOCKS)? as usize,
            hidden,
            feed_forward: bounded("llama.feed_forward_length", MAX_WIDTH)?,
            heads,
            kv_heads,
            head_dim,
            vocabulary: vocabulary as i64,
            context: bounded("llama.context_length", MAX_CONTEXT)? as usize,
            rope_base,
            norm_epsilon,
        })
    }

    /// (out, in) of a linear layer of a block.
    pub const fn projection_shape(&self, projection: Projection) -> (i64, i64) {
        match projection {
            Projection::Q => (self.heads * self.head_dim, self.hidden),
            Projection::K | Projection::V => (self.kv_heads * self.head_dim, self.hidden),
            Projection::O => (self.hidden, self.heads * self.head_dim),
            Projection::Gate | Projection::Up => (self.feed_forward, self.hidden),
            Projection::Down => (self.hidden, self.feed_forward),
        }
    }
}

fn unsupported(detail: String) -> BackboneError {
    BackboneError::UnsupportedModel(detail)
}
