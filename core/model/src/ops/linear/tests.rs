//! Forms of the weight: products of a quantized matrix are those of its values.

use super::*;
use crate::quant::Nf4;
use crate::rng::CounterRng;

fn random(n: usize, seed: u64) -> Vec<f64> {
    let rng = CounterRng::new(seed, 3);
    (0..n as u64).map(|i| rng.normal_at(i)).collect()
}

fn assert_close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 1e-12 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn all_forms_of_a_weight_give_the_same_products() {
    // Rows that do not end with a block of 64, and more than one tile.
    for (out_size, in_size, n) in [(37, 13, 5), (40, 50_000, 2)] {
        let values: Vec<f32> = random(out_size * in_size, 1).iter().map(|x| *x as f32).collect();
        let quantized = Nf4::quantize("w", &values, true).unwrap();
        let dense: Vec<f64> = quantized.to_vec();
        let transposed = crate::weights::transposed(&dense, in_size);
        let (x, dy) = (random(n * in_size, 2), random(n * out_size, 3));
        let products = |weight: Weight<f64>| {
            let (mut y, mut dx) = (random(n * out_size, 4), random(n * in_size, 5));
            weight.forward(&x, in_size, &mut y, out_size, Update::Add, &[]);
            weight.backward(&dy, out_size, &mut dx, in_size, Update::Add, &[]);
            let mut rows = vec![0.0; 3 * in_size];
            weight.rows(7, in_size, &mut rows);
            [y, dx, rows]
        };
        let expected = products(Weight::Dense(&dense));
        for weight in [Weight::Transposed(&transposed), Weight::Nf4(&quantized)] {
            for (found, expected) in products(weight).iter().zip(&expected) {
                assert_close(found, expected);
            }
        }
    }
}

/// Long enough for several pieces and chunks, and ranks on both sides of the limit.
#[test]
fn low_rank_gradients_are_sums_over_all_rows() {
    for (n, r) in [(1, 3), (63, 2), (700, 8), (700, 40)] {
        let (in_size, out_size) = (21, 34);
        let values = |n: usize, seed: usize| -> Vec<f64> {
            (0..n).map(|i| ((i * 37 + seed * 11) % 23) as f64 / 8.0 - 1.0).collect()
        };
        let (x, dy) = (values(n * in_size, 1), values(n * out_size, 2));
        let (a, b, w) = (values(r * in_size, 3), values(out_size * r, 4), values(out_size * in_size, 5));
        let slot = LowRank { r, scaling: 0.5, a: &a, b: &b, initial: None, dora: None, dropout: None };
        let linear = Linear { out_size, in_size, weight: Weight::Dense(&w), bias: None, slot: Slot::LowRank(slot) };
        let (_, saved) = linear.forward(&x);
        let (mut da, mut db) = (vec![1.0; a.len()], vec![2.0; b.len()]);
        let gradient = LowRankGradient { a: &mut da, b: &mut db, magnitude: None };
        let gradient = LinearGradient { slot: SlotGradient::LowRank(gradient), ..LinearGradient::default() };
        linear.backward(&dy, &x, &saved, &mut vec![0.0; x.len()], Update::Set, gradient);
        let row = |m: &[f64], i: usize, width: usize| m[i * width..(i + 1) * width].to_vec();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let column = |m: &[f64], j: usize, width: usize| m.iter().skip(j).step_by(width).copied().collect::<Vec<_>>();
        for k in 0..r {
            let d_low: Vec<f64> = (0..n).map(|t| 0.5 * dot(&row(&dy, t, out_size), &column(&b, k, r))).collect();
            let low: Vec<f64> = (0..n).map(|t| dot(&row(&x, t, in_size), &row(&a, k, in_size))).collect();
            for i in 0..in_size {
                let wanted = 1.0 + dot(&d_low, &column(&x, i, in_size));
                assert!(
                    (da[k * in_size + i] - wanted).abs() < 1e-9 * wanted.abs().max(1.0),
                    "dA[{k}, {i}], n {n}, r {r}"
                );
            }
            for o in 0..out_size {
                let wanted = 2.0 + 0.5 * dot(&low, &column(&dy, o, out_size));
                assert!((db[o * r + k] - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "dB[{o}, {k}], n {n}, r {r}");
            }
        }
    }
}
