use tch::{Device, Kind, TchError, Tensor};

use crate::LlamaConfig;

/// Cosines and sines of the rotary embedding, `[context, head_dim / 2]`.
#[derive(Debug)]
pub(crate) struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    pub(crate) fn new(config: &LlamaConfig, device: Device) -> Result<Self, TchError> {
        let exponent = Tensor::f_arange_start_step(0, config.head_dim, 2, (Kind::Double, Device::Cpu))?;
        let frequency = (exponent * (-config.rope_base.ln() / config.head_dim as f64)).f_exp()?;
        let positions = Tensor::f_arange(config.context as i64, (Kind::Double, Device::Cpu))?;
        let angle = positions.f_outer(&frequency)?;
        let table = |values: Tensor| values.f_to_kind(Kind::Float)?.f_to_device(device);
        Ok(Self { cos: table(angle.f_cos()?)?, sin: table(angle.f_sin()?)? })
    }

    /// A second handle on the same tables.
    pub(crate) fn share(&self) -> Self {
        Self { cos: self.cos.shallow_clone(), sin: self.sin.shallow_clone() }
    }

    /// The rows for these positions, shaped `[rows, 1, head_dim / 2]` so that they spread over the heads.
    pub(crate) fn at(&self, positions: &Tensor) -> Result<(Tensor, Tensor), TchError> {
        let rows = |table: &Tensor| table.f_index_select(0, positions)?.f_unsqueeze(1);
        Ok((rows(&self.cos)?, rows(&self.sin)?))
    }
}

/// Rotates `x`, `[rows, heads, head_dim]`: dimension `i` turns with `i + head_dim / 2` (the half-split layout).
pub(crate) fn rotate(x: &Tensor, (cos, sin): &(Tensor, Tensor)) -> Result<Tensor, TchError> {
    let halves = x.f_chunk(2, -1)?;
    let (a, b) = (&halves[0], &halves[1]);
    let first = a.f_mul(cos)?.f_sub(&b.f_mul(sin)?)?;
    let second = b.f_mul(cos)?.f_add(&a.f_mul(sin)?)?;
    Tensor::f_cat(&[first, second], -1)
}

/// Causal attention of `t` new tokens over `s ≥ t` keys, of which the last `t` are their own.
/// `q`: `[b, heads, t, head_dim]`, `k` and `v`: `[b, kv_heads, s, head_dim]`; the answer is `[b, t, heads · head_dim]`.
pub(crate) fn attend(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor, TchError> {
    let (b, heads, t, dim) = q.size4()?;
    let (_, kv_heads, s, _) = k.size4()?;
    let group = heads / kv_heads;
    if t == 1 {
        // One new token sees everything, so the query heads of a group can stand where the tokens would: nothing is copied.
        let q = q.f_reshape([b, kv_heads, group, dim])?;
        let out = Tensor::f_scaled_dot_product_attention(&q, k, v, None::<Tensor>, 0.0, false, None, false)?;
        return out.f_reshape([b, 1, heads * dim]);
    }
    let spread = |x: &Tensor| -> Result<Tensor, TchError> {
        x.f_unsqueeze(2)?.f_expand([b, kv_heads, group, s, dim], false)?.f_reshape([b, heads, s, dim])
    };
    let (k, v) = (spread(k)?, spread(v)?);
    let mask = if s == t { None } else { Some(Tensor::f_ones([t, s], (Kind::Bool, q.device()))?.f_tril(s - t)?) };
    let causal = mask.is_none();
    let out = Tensor::f_scaled_dot_product_attention(q, &k, &v, mask, 0.0, causal, None, false)?;
    out.f_transpose(1, 2)?.f_reshape([b, t, heads * dim])
}
