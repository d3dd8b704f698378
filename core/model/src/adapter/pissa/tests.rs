//! Singular triplets, and the two forms of a PiSSA adapter.

use super::svd;
use crate::rng::CounterRng;
use crate::testing::{random_adapter, randomized, tiny_config};
use crate::{AdapterConfig, LoraInit, Model};

fn matrix(rows: usize, cols: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, 1);
    (0..(rows * cols) as u64).map(|i| rng.normal_at(i) as f32).collect()
}

/// `||W v - s u||`, `||W^T u - s v||`, orthogonality and order.
fn check(rows: usize, cols: usize, k: usize, w: &[f32], tolerance: f64) {
    let triplets = svd::largest(w, rows, cols, k);
    assert_eq!(triplets.len(), k);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for (i, t) in triplets.iter().enumerate() {
        for (row, u) in w.chunks(cols).zip(&t.left) {
            let product: f64 = row.iter().zip(&t.right).map(|(w, v)| f64::from(*w) * v).sum();
            assert!((product - t.value * u).abs() < tolerance, "{rows}x{cols}: W v, triplet {i}");
        }
        for (j, v) in t.right.iter().enumerate() {
            let product: f64 = t.left.iter().enumerate().map(|(i, u)| f64::from(w[i * cols + j]) * u).sum();
            assert!((product - t.value * v).abs() < tolerance, "{rows}x{cols}: W^T u, triplet {i}");
        }
        for (j, other) in triplets.iter().enumerate() {
            let expected = f64::from(u8::from(i == j));
            assert!((dot(&t.left, &other.left) - expected).abs() < tolerance, "{rows}x{cols}: u{i} u{j}");
            assert!((dot(&t.right, &other.right) - expected).abs() < tolerance, "{rows}x{cols}: v{i} v{j}");
        }
        assert!(i == 0 || triplets[i - 1].value >= t.value);
    }
}

#[test]
fn triplets_of_small_and_large_matrices() {
    for (rows, cols, k) in [(5, 3, 3), (3, 5, 2), (8, 8, 8), (1, 4, 1), (40, 24, 6), (24, 90, 24), (300, 200, 8)] {
        check(rows, cols, k, &matrix(rows, cols, rows as u64), 1e-8);
    }
}

#[test]
fn a_matrix_of_low_rank_has_its_values_and_no_others() {
    let (a, b) = (matrix(30, 2, 1), matrix(2, 20, 2));
    let w: Vec<f32> = (0..600).map(|i| (0..2).map(|k| a[i / 20 * 2 + k] * b[k * 20 + i % 20]).sum::<f32>()).collect();
    let triplets = svd::largest(&w, 30, 20, 4);
    assert!(triplets[1].value > 1.0 && triplets[2].value < 1e-4, "{}", triplets[2].value);
    assert!(svd::largest(&[0.0; 12], 4, 3, 2).iter().all(|t| t.value == 0.0));
}

#[test]
fn a_converted_adapter_has_twice_the_rank_and_the_same_scaling() {
    let model = randomized(Model::init(tiny_config(), 1), 2);
    for use_rslora in [false, true] {
        let config = AdapterConfig {
            r: 2,
            alpha: 3.0,
            use_rslora,
            init: LoraInit::Pissa,
            rank_pattern: vec![("q_proj".to_owned(), 3)],
            ..AdapterConfig::default()
        };
        let adapter = random_adapter(&model, &config, 3);
        let converted = adapter.converted();
        let (before, after) = (adapter.config(), converted.config());
        assert_eq!((after.r, after.rank_pattern[0].1, after.init), (4, 6, LoraInit::Kaiming));
        let (s, t) = (before.scaling(2, before.alpha), after.scaling(4, after.alpha));
        assert!((s - t).abs() < 1e-12, "{s} {t}");
        assert_eq!(converted.weights.tensors[0].shape, [6, 8]);
    }
}
