/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same numbers on every machine and in every version, so that a
/// seed names one run for ever. Not for secrets.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// A stream for a seed and a purpose; different purposes give unrelated streams.
    pub const fn new(seed: u64, purpose: u64) -> Self {
        let mut mixer = Self(seed);
        let state = mixer.next_u64();
        Self(state ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `bound`, which must not be zero. The bias is below 2⁻³² for any bound that fits in memory here.
    pub const fn below(&mut self, bound: usize) -> usize {
        ((self.next_u64() as u128 * bound as u128) >> 64) as usize
    }

    /// In `[-1, 1)`.
    pub const fn symmetric(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The numbers below `n` in random order (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_stream() {
        // First outputs of the reference implementation for the state 1234567.
        let mut random = SplitMix64(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn permutations_hold_each_number_once_and_differ_by_purpose() {
        let mut sorted = SplitMix64::new(7, 1).permutation(50);
        assert_ne!(sorted, SplitMix64::new(7, 2).permutation(50));
        assert_eq!(sorted, SplitMix64::new(7, 1).permutation(50));
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        let mut random = SplitMix64::new(0, 0);
        assert!((0..1000).all(|_| (-1.0..1.0).contains(&random.symmetric())));
    }
}
