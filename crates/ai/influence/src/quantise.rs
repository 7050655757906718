use crate::{Error, Result};

/// The integer that the largest influence of an answer becomes. Nine digits keep ratios far finer than bfloat16
/// gradients do, and 2³² such entries still sum within `i64`.
pub const QUANTISED_MAX: i64 = 1_000_000_000;

/// Turns influences into the signed integers that a receipt settles (`docs/spec/settlement.md`): the sign is flipped, so
/// that a datum which **lowered** the answer's loss is positive, and the largest magnitude becomes [`QUANTISED_MAX`].
/// Only ratios matter for the split. All zeros stay zeros; a NaN or an infinity is an error, since money follows.
///
/// ```
/// assert_eq!(openledger_influence::quantise(&[-4.0, 1.0, 0.0]).unwrap(), [1_000_000_000, -250_000_000, 0]);
/// ```
pub fn quantise(influences: &[f64]) -> Result<Vec<i64>> {
    if influences.iter().any(|value| !value.is_finite()) {
        return Err(Error::NotFinite { what: "an influence".into() });
    }
    let largest = influences.iter().fold(0.0f64, |max, value| max.max(value.abs()));
    if largest == 0.0 {
        return Ok(vec![0; influences.len()]);
    }
    // Dividing first keeps the product within range for every finite input, subnormals included.
    Ok(influences.iter().map(|value| (-(value / largest) * QUANTISED_MAX as f64).round() as i64).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn edge_cases() {
        assert_eq!(quantise(&[]).unwrap(), Vec::<i64>::new());
        assert_eq!(quantise(&[0.0, -0.0]).unwrap(), [0, 0]);
        assert_eq!(quantise(&[f64::MIN_POSITIVE / 4.0]).unwrap(), [-QUANTISED_MAX]);
        assert_eq!(quantise(&[f64::MAX, f64::MIN]).unwrap(), [-QUANTISED_MAX, QUANTISED_MAX]);
        assert!(matches!(quantise(&[1.0, f64::NAN]), Err(Error::NotFinite { .. })));
        assert!(matches!(quantise(&[f64::INFINITY]), Err(Error::NotFinite { .. })));
    }

    proptest! {
        #[test]
        fn bounded_ordered_and_reversed(values in prop::collection::vec(-1e12f64..1e12, 1..64)) {
            let scaled = quantise(&values).unwrap();
            for (value, integer) in values.iter().zip(&scaled) {
                prop_assert!(integer.abs() <= QUANTISED_MAX);
                prop_assert!(*integer == 0 || (*integer > 0) == (*value < 0.0));
            }
            if values.iter().any(|value| *value != 0.0) {
                prop_assert!(scaled.iter().any(|integer| integer.abs() == QUANTISED_MAX));
            }
            for i in 1..values.len() {
                prop_assert!(values[i - 1] > values[i] || scaled[i - 1] >= scaled[i]);
            }
        }
    }
}
