use tch::{TchError, Tensor};

/// The linear layers of a transformer block, each of which an adapter may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Projection {
    /// Queries.
    Q,
    /// Keys.
    K,
    /// Values.
    V,
    /// Output of the attention.
    O,
    /// Gate of the feed-forward layer.
    Gate,
    /// Input of the feed-forward layer.
    Up,
    /// Output of the feed-forward layer.
    Down,
}

impl Projection {
    /// All of them, in the order in which a block applies them.
    pub const ALL: [Self; 7] = [Self::Q, Self::K, Self::V, Self::O, Self::Gate, Self::Up, Self::Down];

    /// The module's name in Hugging Face transformers, which PEFT's `target_modules` uses.
    pub const fn module(self) -> &'static str {
        match self {
            Self::Q => "q_proj",
            Self::K => "k_proj",
            Self::V => "v_proj",
            Self::O => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
        }
    }

    /// The module's path inside a block in Hugging Face transformers: `self_attn.q_proj`, `mlp.up_proj`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Q => "self_attn.q_proj",
            Self::K => "self_attn.k_proj",
            Self::V => "self_attn.v_proj",
            Self::O => "self_attn.o_proj",
            Self::Gate => "mlp.gate_proj",
            Self::Up => "mlp.up_proj",
            Self::Down => "mlp.down_proj",
        }
    }

    /// From the module's name (`q_proj`).
    pub fn from_module(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|projection| projection.module() == name)
    }

    pub(crate) const fn tensor(self) -> &'static str {
        match self {
            Self::Q => "attn_q",
            Self::K => "attn_k",
            Self::V => "attn_v",
            Self::O => "attn_output",
            Self::Gate => "ffn_gate",
            Self::Up => "ffn_up",
            Self::Down => "ffn_down",
        }
    }
}

/// What an adapter adds to the linear layers. The forward pass calls it once for each layer and projection.
pub trait LinearDelta {
    /// `x` is the layer's input `[rows, in]`, `y` what the frozen weights make of it, `[rows, out]`; the answer takes
    /// `y`'s place and has its shape. Rows are tokens: all of the batch, one sequence after another.
    fn apply(&self, layer: usize, projection: Projection, x: &Tensor, y: Tensor) -> Result<Tensor, TchError>;
}

/// The backbone as it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDelta;

impl LinearDelta for NoDelta {
    fn apply(&self, _layer: usize, _projection: Projection, _x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        Ok(y)
    }
}
