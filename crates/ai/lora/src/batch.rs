use openledger_backbone::{LinearDelta, Projection};
use tch::{TchError, Tensor};

use crate::LoraAdapter;

/// A run of rows that go through the same adapter.
#[derive(Debug)]
struct Segment<'a> {
    adapter: &'a LoraAdapter,
    start: i64,
    rows: i64,
}

/// Which rows of a batch go through which adapter: `y[s..e] += scaling_i · (x[s..e]·A_iᵀ)·B_iᵀ` for each run of rows. Ranks may differ;
/// nothing is padded. Rows of the same adapter that stand side by side are one run, so a batch sorted by adapter takes
/// one shrink and one expand for each adapter in it.
#[derive(Debug, Default)]
pub struct LoraBatch<'a> {
    segments: Vec<Segment<'a>>,
}

impl<'a> LoraBatch<'a> {
    /// From the sequences of the batch in order, each with its adapter (`None` for the backbone alone) and its number of rows.
    pub fn new(sequences: impl IntoIterator<Item = (Option<&'a LoraAdapter>, usize)>) -> Self {
        let mut segments: Vec<Segment<'a>> = Vec::new();
        let mut start = 0;
        for (adapter, rows) in sequences {
            let rows = rows as i64;
            if let Some(adapter) = adapter {
                match segments.last_mut() {
                    Some(last)
                        if last.start + last.rows == start && last.adapter.content_hash() == adapter.content_hash() =>
                    {
                        last.rows += rows;
                    }
                    _ => segments.push(Segment { adapter, start, rows }),
                }
            }
            start += rows;
        }
        Self { segments }
    }
}

impl LinearDelta for LoraBatch<'_> {
    fn apply(&self, layer: usize, projection: Projection, x: &Tensor, y: Tensor) -> Result<Tensor, TchError> {
        for segment in &self.segments {
            let rows = x.f_narrow(0, segment.start, segment.rows)?;
            if let Some(delta) = segment.adapter.delta(layer, projection, &rows)? {
                // `y` is this layer's own fresh answer: adding in place changes nothing else.
                let _ = y.f_narrow(0, segment.start, segment.rows)?.f_add_(&delta)?;
            }
        }
        Ok(y)
    }
}
