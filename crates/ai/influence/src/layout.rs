use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One LoRA matrix, the unit `l` over which DataInf sums.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixSpec {
    /// The tensor's name in the adapter file, e.g. `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`.
    pub name: String,
    /// Rows and columns, as stored in the adapter file.
    pub shape: [usize; 2],
}

/// Where each matrix's gradient lies within the flat gradient of one datum: matrices one after the other, each in
/// row-major order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GradientLayout {
    matrices: Vec<MatrixSpec>,
    offsets: Vec<usize>,
}

impl GradientLayout {
    /// More than this many values for one datum are refused (8 GiB of them): no adapter comes near.
    pub const MAX_VALUES: usize = 1 << 32;

    /// Lays out the matrices in the given order. None may be empty.
    pub fn new(matrices: Vec<MatrixSpec>) -> Result<Self> {
        let too_large = || Error::Shape { expected: Self::MAX_VALUES, found: usize::MAX };
        let mut offsets = Vec::with_capacity(matrices.len() + 1);
        let mut end = 0usize;
        offsets.push(0);
        for matrix in &matrices {
            let len = matrix.shape[0].checked_mul(matrix.shape[1]).ok_or_else(too_large)?;
            if len == 0 {
                return Err(Error::Shape { expected: 1, found: 0 });
            }
            end = end.checked_add(len).filter(|end| *end <= Self::MAX_VALUES).ok_or_else(too_large)?;
            offsets.push(end);
        }
        Ok(Self { matrices, offsets })
    }

    /// The matrices in order.
    pub fn matrices(&self) -> &[MatrixSpec] {
        &self.matrices
    }

    /// Number of matrices.
    pub fn count(&self) -> usize {
        self.matrices.len()
    }

    /// Values in the gradient of one datum, over all matrices.
    pub fn values(&self) -> usize {
        self.offsets[self.matrices.len()]
    }

    /// Where matrix `l` lies in the flat gradient; its length is the paper's `d_l`.
    pub fn range(&self, l: usize) -> Range<usize> {
        self.offsets[l]..self.offsets[l + 1]
    }
}
