#![doc = include_str!("../README.md")]

mod bf16;
mod datainf;
mod error;
mod gradient;
mod index;
mod layout;
mod quantise;

pub use bf16::Bf16Rows;
pub use datainf::{DAMPING, GradientRows, Statistics, gradient_dot, influences};
pub use error::{Error, Result};
pub use gradient::{Example, LoraParameters, QueryGradient, completion_losses, gradients, query_gradient};
pub use index::{DatumEntry, Header, Identity, Index, IndexBuilder, PREVIEW_CHARS};
pub use layout::{GradientLayout, MatrixSpec};
pub use quantise::{QUANTISED_MAX, quantise};
