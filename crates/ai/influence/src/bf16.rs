//! bfloat16, the type gradients are stored in: the exponent of `f32`, so that no gradient underflows whatever the loss's
//! scale, at half the size. Its relative error (2⁻⁹) is random over some 10⁵ values and vanishes in their dot products.

use crate::{GradientRows, Result};

/// Rounds to the nearest bfloat16, ties to even. `None` for NaN, infinities and what would round to one.
pub(crate) fn from_f32(value: f32) -> Option<u16> {
    if !value.is_finite() {
        return None;
    }
    let bits = value.to_bits();
    let rounded = ((u64::from(bits) + 0x7fff + u64::from((bits >> 16) & 1)) >> 16) as u16;
    // All exponent bits set: the rounding carried into infinity.
    (rounded & 0x7f80 != 0x7f80).then_some(rounded)
}

/// The exact value of a little-endian bfloat16.
#[inline]
pub(crate) fn to_f32(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

/// Gradients in memory, rounded as the index rounds them. For small problems and tests.
#[derive(Clone, Debug, Default)]
pub struct Bf16Rows {
    bytes: Vec<u8>,
    width: usize,
}

impl Bf16Rows {
    /// `rows` of equal length, each the flat gradient of one datum.
    pub fn new(rows: &[Vec<f32>]) -> Result<Self> {
        let width = rows.first().map_or(0, Vec::len);
        let mut bytes = Vec::with_capacity(rows.len() * width * 2);
        for row in rows {
            if row.len() != width {
                return Err(crate::Error::Shape { expected: width, found: row.len() });
            }
            encode(row, &mut bytes)?;
        }
        Ok(Self { bytes, width })
    }

    /// Row `i` as the values stored.
    pub fn row(&self, i: usize) -> Vec<f32> {
        let row = &self.bytes[i * self.width * 2..(i + 1) * self.width * 2];
        row.as_chunks::<2>().0.iter().map(|bytes| to_f32(*bytes)).collect()
    }
}

impl GradientRows for Bf16Rows {
    fn len(&self) -> usize {
        if self.width == 0 { 0 } else { self.bytes.len() / (self.width * 2) }
    }

    fn read(&self, first: usize, out: &mut [u8]) -> Result<()> {
        let start = first * self.width * 2;
        out.copy_from_slice(&self.bytes[start..start + out.len()]);
        Ok(())
    }
}

/// Appends the row's bfloat16 bytes to `out`.
pub(crate) fn encode(row: &[f32], out: &mut Vec<u8>) -> Result<()> {
    out.reserve(row.len() * 2);
    for value in row {
        let rounded = from_f32(*value).ok_or_else(|| crate::Error::NotFinite { what: "a gradient".into() })?;
        out.extend_from_slice(&rounded.to_le_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounds_to_nearest_even() {
        // 1 + 2⁻⁸ lies halfway between 1 and 1 + 2⁻⁷: the even one is 1. One ulp above goes up.
        assert_eq!(from_f32(1.0 + 2f32.powi(-8)), Some(0x3f80));
        assert_eq!(from_f32(f32::from_bits((1.0f32 + 2f32.powi(-8)).to_bits() + 1)), Some(0x3f81));
        assert_eq!(from_f32(1.0 + 3.0 * 2f32.powi(-8)), Some(0x3f82));
        assert_eq!(from_f32(f32::MAX), None);
        assert_eq!(from_f32(f32::NAN), None);
        assert_eq!(from_f32(f32::NEG_INFINITY), None);
    }

    proptest! {
        #[test]
        fn error_is_within_half_an_ulp(value in -1e30f32..1e30) {
            let back = to_f32(from_f32(value).unwrap().to_le_bytes());
            prop_assert!((back - value).abs() <= value.abs() * 2f32.powi(-8));
            prop_assert_eq!(from_f32(back).map(u16::to_le_bytes).map(to_f32), Some(back));
        }
    }
}
