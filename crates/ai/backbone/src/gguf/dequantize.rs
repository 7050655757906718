use half::f16;

/// The tensor formats that are read here, each a sequence of blocks along the fastest dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgmlType {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Blocks of 32: scale `d` (f16), 32 nibbles; `x = d·(q − 8)`.
    Q4_0,
    /// Blocks of 32: scale `d` and minimum `m` (f16), 32 nibbles; `x = d·q + m`.
    Q4_1,
    /// Blocks of 32: scale `d` (f16), 32 signed bytes; `x = d·q`.
    Q8_0,
}

impl GgmlType {
    /// From the number used in files.
    pub const fn from_u32(value: u32) -> Option<Self> {
        Some(match value {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            8 => Self::Q8_0,
            _ => return None,
        })
    }

    /// (elements, bytes) of a block.
    pub const fn block(self) -> (u64, u64) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q8_0 => (32, 34),
        }
    }

    /// All values of `bytes`, which hold whole blocks (a rest that is not a block is left out).
    pub fn dequantize(self, bytes: &[u8]) -> Vec<f32> {
        let (elements, size) = self.block();
        let mut out = Vec::with_capacity(bytes.len() / size as usize * elements as usize);
        for block in bytes.chunks_exact(size as usize) {
            match self {
                Self::F32 => out.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]])),
                Self::F16 => out.push(half_at(block, 0)),
                Self::Q4_0 => {
                    let d = half_at(block, 0);
                    nibbles(&block[2..], &mut out, |q| (f32::from(q) - 8.0) * d);
                }
                Self::Q4_1 => {
                    let (d, m) = (half_at(block, 0), half_at(block, 2));
                    nibbles(&block[4..], &mut out, |q| f32::from(q) * d + m);
                }
                Self::Q8_0 => {
                    let d = half_at(block, 0);
                    out.extend(block[2..].iter().map(|&q| f32::from(q as i8) * d));
                }
            }
        }
        out
    }
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32()
}

/// The low nibbles of 16 bytes are the block's first half, the high nibbles its second.
fn nibbles(bytes: &[u8], out: &mut Vec<f32>, value: impl Fn(u8) -> f32) {
    out.extend(bytes.iter().map(|byte| value(byte & 0x0f)));
    out.extend(bytes.iter().map(|byte| value(byte >> 4)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(value: f32) -> [u8; 2] {
        f16::from_f32(value).to_le_bytes()
    }

    #[test]
    fn q4_blocks_hold_low_nibbles_then_high_nibbles() {
        let quants: Vec<u8> = (0..16).map(|i| (15 - i) << 4 | i).collect();
        let q4_0 = GgmlType::Q4_0.dequantize(&[&half(0.5)[..], &quants].concat());
        let q4_1 = GgmlType::Q4_1.dequantize(&[&half(2.0)[..], &half(-1.0), &quants].concat());
        for i in 0..16 {
            assert_eq!(q4_0[i], (i as f32 - 8.0) * 0.5);
            assert_eq!(q4_0[16 + i], (7.0 - i as f32) * 0.5);
            assert_eq!(q4_1[i], i as f32 * 2.0 - 1.0);
            assert_eq!(q4_1[16 + i], (15.0 - i as f32) * 2.0 - 1.0);
        }
    }

    #[test]
    fn q8_0_is_signed() {
        let quants: Vec<u8> = (0..32).map(|i| (i as i8 - 16) as u8).collect();
        let values = GgmlType::Q8_0.dequantize(&[&half(0.25)[..], &quants].concat());
        assert_eq!(values, (0..32).map(|i| (i as f32 - 16.0) * 0.25).collect::<Vec<_>>());
    }

    #[test]
    fn floats_pass_unchanged() {
        assert_eq!(GgmlType::F32.dequantize(&(-1.5f32).to_le_bytes()), [-1.5]);
        assert_eq!(GgmlType::F16.dequantize(&half(-1.5)), [-1.5]);
    }
}
