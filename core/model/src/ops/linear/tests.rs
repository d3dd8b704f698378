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
