//! DataInf (Kwon, Wu, Wu, Zou, ICLR 2024, arXiv 2310.00902) in two streaming passes.
//!
//! For datum `k`, query gradient `v`, per-datum gradients `g_i` and LoRA matrices `l`:
//!
//! `I(k) = Σ_l 1/λ_l · [ 1/n Σ_i ( v_l·g_li / (λ_l + ‖g_li‖²) ) · g_li·g_lk − v_l·g_lk ]`, with
//! `λ_l = 0.1 · mean_i ‖g_li‖² / d_l`.
//!
//! Regrouped, `u_l = 1/n Σ_i a_li·g_li` with `a_li = v_l·g_li / (λ_l + ‖g_li‖²)` and `I(k) = Σ_l g_lk·(u_l − v_l)/λ_l`:
//! no pair of data is ever formed. Sums are taken in `f64`, each in one fixed order, so that the result does not
//! depend on the number of threads.

use rayon::prelude::*;

use crate::{Error, GradientLayout, Result, bf16};

/// The paper's damping: λ is this share of the mean squared gradient.
pub const DAMPING: f64 = 0.1;

/// Bytes of gradients held in memory at a time.
const CHUNK_BYTES: usize = 32 << 20;

/// Per-datum gradients, one bfloat16 row for each datum, in the order of datum ids.
pub trait GradientRows {
    /// Number of data `n`.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out`, a whole number of rows, with the little-endian values of the rows from `first` on.
    fn read(&self, first: usize, out: &mut [u8]) -> Result<()>;
}

/// What depends on the data alone and is computed once: `‖g_li‖²` and `λ_l`.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    norms: Vec<f64>,
    lambda: Vec<f64>,
}

impl Statistics {
    /// From the squared norms, `n` rows of one value for each matrix.
    pub fn new(layout: &GradientLayout, norms: Vec<f64>) -> Result<Self> {
        let count = layout.count();
        if count == 0 || !norms.len().is_multiple_of(count) {
            return Err(Error::Shape { expected: count, found: norms.len() });
        }
        if norms.iter().any(|norm| !norm.is_finite() || *norm < 0.0) {
            return Err(Error::NotFinite { what: "a gradient's norm".into() });
        }
        let n = norms.len() / count;
        let lambda = (0..count)
            .map(|l| {
                let sum: f64 = (0..n).map(|i| norms[i * count + l]).sum();
                if n == 0 { 0.0 } else { DAMPING * (sum / n as f64) / layout.range(l).len() as f64 }
            })
            .collect();
        Ok(Self { norms, lambda })
    }

    /// Reads every row once. An index has the norms on disk; this is for rows in memory.
    pub fn of(layout: &GradientLayout, rows: &impl GradientRows) -> Result<Self> {
        let mut norms = Vec::with_capacity(rows.len() * layout.count());
        for_chunks(layout, rows, |_, chunk| {
            for row in chunk.chunks_exact(layout.values() * 2) {
                norms.extend(squared_norms(layout, row));
            }
        })?;
        Self::new(layout, norms)
    }

    /// `λ_l` for each matrix. Zero where every gradient is zero; such a matrix adds nothing to any influence.
    pub fn lambda(&self) -> &[f64] {
        &self.lambda
    }

    /// `‖g_li‖²`, `n` rows of one value for each matrix.
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }
}

/// `‖g_l‖²` of one row for each matrix.
pub(crate) fn squared_norms(layout: &GradientLayout, row: &[u8]) -> Vec<f64> {
    (0..layout.count()).map(|l| norm_squared(part(layout, row, l))).collect()
}

/// The influence of every datum on the query, in the order of datum ids. **Negative means that the datum lowered the
/// query's loss.** `query` is the flat gradient of the query's loss in the same layout.
pub fn influences(
    layout: &GradientLayout,
    rows: &impl GradientRows,
    statistics: &Statistics,
    query: &[f32],
) -> Result<Vec<f64>> {
    check_query(layout, query)?;
    let (n, count) = (rows.len(), layout.count());
    if statistics.norms.len() != n * count {
        return Err(Error::Count { expected: statistics.norms.len() / count, found: n });
    }

    // Pass 1: u. Each matrix belongs to one thread, which meets the data in order.
    let mut direction: Vec<Vec<f64>> = (0..count).map(|l| vec![0.0; layout.range(l).len()]).collect();
    for_chunks(layout, rows, |first, chunk| {
        direction.par_iter_mut().enumerate().for_each(|(l, u)| {
            let (lambda, v) = (statistics.lambda[l], &query[layout.range(l)]);
            if lambda == 0.0 {
                return;
            }
            for (i, row) in chunk.chunks_exact(layout.values() * 2).enumerate() {
                let gradient = part(layout, row, l);
                let norm = statistics.norms[(first + i) * count + l];
                add_scaled(u, dot_f32(gradient, v) / (lambda + norm) / n as f64, gradient);
            }
        });
    })?;
    direction.par_iter_mut().enumerate().for_each(|(l, u)| {
        let lambda = statistics.lambda[l];
        for (u, v) in u.iter_mut().zip(&query[layout.range(l)]) {
            *u = if lambda == 0.0 { 0.0 } else { (*u - f64::from(*v)) / lambda };
        }
    });

    // Pass 2: I. Each datum belongs to one thread, which meets the matrices in order.
    let scores = project(layout, rows, &direction)?;
    match scores.iter().all(|score| score.is_finite()) {
        true => Ok(scores),
        false => Err(Error::NotFinite { what: "an influence".into() }),
    }
}

/// `−Σ_l v_l·g_lk`: influence with the identity in place of the inverse Hessian, a baseline to compare with.
pub fn gradient_dot(layout: &GradientLayout, rows: &impl GradientRows, query: &[f32]) -> Result<Vec<f64>> {
    check_query(layout, query)?;
    let direction: Vec<Vec<f64>> =
        (0..layout.count()).map(|l| query[layout.range(l)].iter().map(|v| -f64::from(*v)).collect()).collect();
    project(layout, rows, &direction)
}

fn check_query(layout: &GradientLayout, query: &[f32]) -> Result<()> {
    if query.len() != layout.values() {
        return Err(Error::Shape { expected: layout.values(), found: query.len() });
    }
    if query.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite { what: "the query's gradient".into() });
    }
    Ok(())
}

fn project(layout: &GradientLayout, rows: &impl GradientRows, direction: &[Vec<f64>]) -> Result<Vec<f64>> {
    let mut scores = vec![0.0; rows.len()];
    for_chunks(layout, rows, |first, chunk| {
        scores[first..].par_iter_mut().zip(chunk.par_chunks_exact(layout.values() * 2)).for_each(|(score, row)| {
            *score = direction.iter().enumerate().map(|(l, w)| dot_f64(part(layout, row, l), w)).sum();
        });
    })?;
    Ok(scores)
}

/// Calls `visit` with the first row's number and the bytes of each chunk of rows, in order.
fn for_chunks(layout: &GradientLayout, rows: &impl GradientRows, mut visit: impl FnMut(usize, &[u8])) -> Result<()> {
    let row_bytes = layout.values() * 2;
    let per_chunk = (CHUNK_BYTES / row_bytes.max(1)).max(1);
    let mut buffer = vec![0u8; per_chunk.min(rows.len()) * row_bytes];
    for first in (0..rows.len()).step_by(per_chunk) {
        let chunk = &mut buffer[..per_chunk.min(rows.len() - first) * row_bytes];
        rows.read(first, chunk)?;
        visit(first, chunk);
    }
    Ok(())
}

fn part<'a>(layout: &GradientLayout, row: &'a [u8], l: usize) -> &'a [[u8; 2]] {
    let range = layout.range(l);
    row[range.start * 2..range.end * 2].as_chunks().0
}

/// Eight running sums hide the latency of an addition and let the compiler use vector registers.
macro_rules! sum_of {
    ($a:expr, $b:expr, $term:expr) => {{
        let (a, b) = ($a, $b);
        let mut sums = [0.0f64; 8];
        let (a_body, a_tail) = a.as_chunks::<8>();
        let (b_body, b_tail) = b.as_chunks::<8>();
        for (x, y) in a_body.iter().zip(b_body) {
            for lane in 0..8 {
                sums[lane] += $term(x[lane], y[lane]);
            }
        }
        let tail: f64 = a_tail.iter().zip(b_tail).map(|(x, y)| $term(*x, *y)).sum();
        ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])) + tail
    }};
}

fn norm_squared(g: &[[u8; 2]]) -> f64 {
    sum_of!(g, g, |x, _| f64::from(bf16::to_f32(x)) * f64::from(bf16::to_f32(x)))
}

fn dot_f32(g: &[[u8; 2]], v: &[f32]) -> f64 {
    sum_of!(g, v, |x, y| f64::from(bf16::to_f32(x)) * f64::from(y))
}

fn dot_f64(g: &[[u8; 2]], w: &[f64]) -> f64 {
    sum_of!(g, w, |x, y| f64::from(bf16::to_f32(x)) * y)
}

fn add_scaled(u: &mut [f64], scale: f64, g: &[[u8; 2]]) {
    for (u, g) in u.iter_mut().zip(g) {
        *u += scale * f64::from(bf16::to_f32(*g));
    }
}

#[cfg(test)]
mod tests;
