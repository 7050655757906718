use proptest::prelude::*;

use super::*;
use crate::{Bf16Rows, MatrixSpec};

fn layout(shapes: &[[usize; 2]]) -> GradientLayout {
    let spec = |(l, shape): (usize, &[usize; 2])| MatrixSpec { name: format!("matrix {l}"), shape: *shape };
    GradientLayout::new(shapes.iter().enumerate().map(spec).collect()).unwrap()
}

/// Deterministic values in [-1, 1], different for each seed.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn problem(seed: u64, n: usize, layout: &GradientLayout) -> (Bf16Rows, Vec<f32>) {
    let rows: Vec<_> = (0..n as u64).map(|i| noise(seed * 1000 + i, layout.values())).collect();
    (Bf16Rows::new(&rows).unwrap(), noise(seed + 77, layout.values()))
}

fn scores(layout: &GradientLayout, rows: &Bf16Rows, query: &[f32]) -> Vec<f64> {
    influences(layout, rows, &Statistics::of(layout, rows).unwrap(), query).unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// The formula as printed, every pair of data formed.
fn direct(layout: &GradientLayout, rows: &Bf16Rows, query: &[f32]) -> Vec<f64> {
    let g: Vec<_> = (0..rows.len()).map(|i| rows.row(i)).collect();
    let n = g.len() as f64;
    (0..g.len())
        .map(|k| {
            (0..layout.count())
                .map(|l| {
                    let r = layout.range(l);
                    let lambda =
                        DAMPING * g.iter().map(|g| dot(&g[r.clone()], &g[r.clone()])).sum::<f64>() / n / r.len() as f64;
                    let pairs: f64 = g
                        .iter()
                        .map(|g_i| {
                            let g_i = &g_i[r.clone()];
                            dot(&query[r.clone()], g_i) / (lambda + dot(g_i, g_i)) * dot(g_i, &g[k][r.clone()])
                        })
                        .sum();
                    (pairs / n - dot(&query[r.clone()], &g[k][r])) / lambda
                })
                .sum()
        })
        .collect()
}

/// `−vᵀ ((1/n) Σ g gᵀ + λI)⁻¹ g_k` for each k: the influence function without DataInf's approximation, by Gaussian
/// elimination with partial pivoting. One matrix only.
fn exact(layout: &GradientLayout, rows: &Bf16Rows, query: &[f32]) -> Vec<f64> {
    let (n, d) = (rows.len(), layout.values());
    let g: Vec<_> = (0..n).map(|i| rows.row(i)).collect();
    let lambda = Statistics::of(layout, rows).unwrap().lambda()[0];
    let mut system: Vec<Vec<f64>> = (0..d)
        .map(|a| {
            let mut row: Vec<f64> =
                (0..d).map(|b| g.iter().map(|g| f64::from(g[a]) * f64::from(g[b])).sum::<f64>() / n as f64).collect();
            row[a] += lambda;
            row.push(f64::from(query[a]));
            row
        })
        .collect();
    for column in 0..d {
        let pivot = (column..d).max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs())).unwrap();
        system.swap(column, pivot);
        let pivot_row = system[column].clone();
        for (_, row) in system.iter_mut().enumerate().filter(|(i, _)| *i != column) {
            let factor = row[column] / pivot_row[column];
            row.iter_mut().zip(&pivot_row).for_each(|(x, p)| *x -= factor * p);
        }
    }
    let solution: Vec<f64> = (0..d).map(|i| system[i][d] / system[i][i]).collect();
    g.iter().map(|g| -solution.iter().zip(g).map(|(x, g)| x * f64::from(*g)).sum::<f64>()).collect()
}

fn assert_close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= tolerance * scale, "{a} differs from {b} (scale {scale})");
    }
}

#[test]
fn agrees_with_the_formula_as_printed() {
    for (seed, shapes) in [(1, vec![[2, 9], [9, 2]]), (2, vec![[1, 5]]), (3, vec![[4, 8], [3, 4], [4, 8], [8, 4]])] {
        let layout = layout(&shapes);
        let (rows, query) = problem(seed, 23, &layout);
        assert_close(&scores(&layout, &rows, &query), &direct(&layout, &rows, &query), 1e-9);
    }
}

#[test]
fn equals_the_exact_inverse_for_one_datum_and_for_equal_data() {
    let layout = layout(&[[3, 4]]);
    let (one, query) = problem(5, 1, &layout);
    assert_close(&scores(&layout, &one, &query), &exact(&layout, &one, &query), 1e-9);
    let equal = Bf16Rows::new(&vec![noise(9, layout.values()); 6]).unwrap();
    assert_close(&scores(&layout, &equal, &query), &exact(&layout, &equal, &query), 1e-9);
}

#[test]
fn bounds_and_orders_like_the_exact_inverse_in_general() {
    let layout = layout(&[[4, 4]]);
    let mut agreement = 0.0;
    for seed in 0..20 {
        let (rows, query) = problem(seed, 12, &layout);
        // A mean of inverses is at least the inverse of the mean (Jensen, as operators), hence on a datum's own
        // gradient DataInf is at least as helpful as the exact influence, and never more than ‖g‖²/λ.
        let lambda = Statistics::of(&layout, &rows).unwrap().lambda()[0];
        for k in 0..rows.len() {
            let own = rows.row(k);
            let (approximate, exact) = (-scores(&layout, &rows, &own)[k], -exact(&layout, &rows, &own)[k]);
            assert!(exact > 0.0 && approximate >= exact * (1.0 - 1e-9), "{approximate} < {exact}");
            assert!(approximate <= dot(&own, &own) / lambda);
        }
        agreement += correlation(&scores(&layout, &rows, &query), &exact(&layout, &rows, &query)) / 20.0;
    }
    assert!(agreement > 0.5, "mean correlation with the exact influence is {agreement}");
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let covariance: f64 = a.iter().zip(b).map(|(x, y)| (x - ma) * (y - mb)).sum();
    let variance = |x: &[f64], m: f64| x.iter().map(|x| (x - m).powi(2)).sum::<f64>();
    covariance / (variance(a, ma) * variance(b, mb)).sqrt()
}

#[test]
fn a_datum_with_the_querys_own_gradient_helps_most() {
    let layout = layout(&[[8, 16], [16, 8]]);
    let (rows, _) = problem(3, 40, &layout);
    let found = scores(&layout, &rows, &rows.row(17));
    assert_eq!((0..40).min_by(|a, b| found[*a].total_cmp(&found[*b])), Some(17));
    assert!(found[17] < 0.0);
}

#[test]
fn a_matrix_without_gradient_adds_nothing() {
    let (both, first) = (layout(&[[2, 3], [3, 2]]), layout(&[[2, 3]]));
    let short: Vec<_> = (0..5).map(|i| noise(i, 6)).collect();
    let long: Vec<_> = short.iter().map(|row| [row.clone(), vec![0.0; 6]].concat()).collect();
    let query = noise(50, 12);
    assert_eq!(
        scores(&both, &Bf16Rows::new(&long).unwrap(), &query),
        scores(&first, &Bf16Rows::new(&short).unwrap(), &query[..6])
    );
}

#[test]
fn more_rows_than_a_chunk_holds() {
    // Rows of 1 MiB, 32 to a chunk. Each is constant, so that d-dimensional products are d times those of one number.
    let (wide, d) = (layout(&[[512, 1024]]), 512.0 * 1024.0);
    let levels: Vec<f64> = (1..=40).map(|i| f64::from(i) / 64.0).collect();
    let rows: Vec<_> = levels.iter().map(|level| vec![*level as f32; 512 * 1024]).collect();
    let found = scores(&wide, &Bf16Rows::new(&rows).unwrap(), &vec![0.5; 512 * 1024]);
    let squares = |c: &f64| d * c * c;
    let lambda = DAMPING * levels.iter().map(squares).sum::<f64>() / 40.0 / d;
    let pairs: f64 = levels.iter().map(|c| d * c * 0.5 / (lambda + squares(c)) * d * c).sum();
    let expected: Vec<_> = levels.iter().map(|c| (pairs / 40.0 * c - d * 0.5 * c) / lambda).collect();
    assert_close(&found, &expected, 1e-9);
}

#[test]
fn refuses_what_does_not_fit() {
    let layout = layout(&[[2, 3]]);
    let (rows, query) = problem(1, 4, &layout);
    let statistics = Statistics::of(&layout, &rows).unwrap();
    assert!(matches!(influences(&layout, &rows, &statistics, &query[1..]), Err(Error::Shape { .. })));
    assert!(matches!(influences(&layout, &rows, &statistics, &[f32::NAN; 6]), Err(Error::NotFinite { .. })));
    let fewer = Statistics::new(&layout, vec![1.0; 3]).unwrap();
    assert!(matches!(influences(&layout, &rows, &fewer, &query), Err(Error::Count { .. })));
    assert!(matches!(Statistics::new(&layout, vec![f64::NAN]), Err(Error::NotFinite { .. })));
    assert!(Bf16Rows::new(&[vec![1.0, f32::INFINITY]]).is_err());
    assert!(GradientLayout::new(vec![MatrixSpec { name: String::new(), shape: [usize::MAX, 2] }]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reordering_the_data_reorders_the_scores(seed in 0u64..1000, n in 2usize..12, shift in 1usize..11) {
        let layout = layout(&[[2, 5], [5, 2]]);
        let (rows, query) = problem(seed, n, &layout);
        let rotated: Vec<_> = (0..n).map(|i| rows.row((i + shift) % n)).collect();
        let (before, after) = (scores(&layout, &rows, &query), scores(&layout, &Bf16Rows::new(&rotated).unwrap(), &query));
        let expected: Vec<_> = (0..n).map(|i| before[(i + shift) % n]).collect();
        assert_close(&after, &expected, 1e-9);
    }

    #[test]
    fn linear_in_the_query(seed in 0u64..1000, exponent in -6i32..6) {
        let layout = layout(&[[3, 3], [3, 2]]);
        let (rows, query) = problem(seed, 7, &layout);
        let scale = -(2f32.powi(exponent));
        let scaled: Vec<_> = query.iter().map(|v| v * scale).collect();
        let expected: Vec<_> = scores(&layout, &rows, &query).iter().map(|s| s * f64::from(scale)).collect();
        assert_close(&scores(&layout, &rows, &scaled), &expected, 1e-12);
    }

    #[test]
    fn scale_of_all_gradients_cancels(seed in 0u64..1000, exponent in -8i32..8) {
        // λ scales with the squared norm, so scaling every datum's gradient and the query's by c leaves I unchanged.
        let layout = layout(&[[2, 4]]);
        let (rows, query) = problem(seed, 5, &layout);
        let c = 2f32.powi(exponent);
        let scaled: Vec<_> = (0..5).map(|i| rows.row(i).iter().map(|g| g * c).collect()).collect();
        let query_scaled: Vec<_> = query.iter().map(|v| v * c).collect();
        assert_close(&scores(&layout, &Bf16Rows::new(&scaled).unwrap(), &query_scaled), &scores(&layout, &rows, &query), 1e-9);
    }
}
