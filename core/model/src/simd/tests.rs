//! The vector kernels against f64, and the promise of `row_product`.

use super::*;
use crate::real::Real;
use crate::rng::CounterRng;

fn random(n: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, 0);
    (0..n as u64).map(|i| (3.0 * rng.normal_at(i)) as f32).collect()
}

#[test]
fn exp_is_accurate_over_its_range() {
    for i in 0..200_000 {
        let x = -87.0 + 175.0 * i as f32 / 200_000.0;
        let exact = f64::from(x).exp();
        for value in [exp_body::<true>(x), exp_body::<false>(x)] {
            assert!((f64::from(value) / exact - 1.0).abs() < 3e-7, "{x}");
        }
    }
    assert_eq!(exp_body::<true>(f32::NEG_INFINITY), 0.0);
    assert_eq!(exp_body::<true>(-200.0), 0.0);
    assert!(exp_body::<true>(1000.0) > 1e38);
}

/// The f64 loops of the trait, rounded at the end.
fn widen(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[track_caller]
fn assert_close(a: &[f32], b: &[f64]) {
    for (a, b) in a.iter().zip(b) {
        assert!((f64::from(*a) - b).abs() < 1e-5 * (1.0 + b.abs()), "{a} {b}");
    }
}

#[test]
fn kernels_agree_with_f64_at_every_length() {
    for n in [1, 7, 16, 17, 63, 200] {
        let (a, b, c) = (random(n, 1), random(n, 2), random(n, 3));
        let (wide_a, wide_b, wide_c) = (widen(&a), widen(&b), widen(&c));
        assert_close(&[dot(&a, &b)], &[f64::dot(&wide_a, &wide_b)]);
        assert_eq!(f64::from(max(&a)), <f64 as Real>::max(&wide_a));

        let (mut row, mut wide_row) = (a.clone(), wide_a.clone());
        let sum = exp_shift_sum(&mut row, 4.0);
        assert_close(&[sum], &[f64::exp_shift_sum(&mut wide_row, 4.0)]);
        assert_close(&row, &wide_row);

        let (mut out, mut wide_out) = (vec![0.0; n], vec![0.0; n]);
        swiglu(&a, &b, &mut out);
        f64::swiglu(&wide_a, &wide_b, &mut wide_out);
        assert_close(&out, &wide_out);

        let (mut gate, mut up, mut d) = (a.clone(), b.clone(), c.clone());
        let (mut wide_gate, mut wide_up, mut wide_d) = (wide_a, wide_b, wide_c);
        swiglu_backward(&mut gate, &mut up, &mut d);
        f64::swiglu_backward(&mut wide_gate, &mut wide_up, &mut wide_d);
        assert_close(&gate, &wide_gate);
        assert_close(&up, &wide_up);
        assert_close(&d, &wide_d);
    }
}

#[test]
fn the_baseline_build_agrees_with_the_wide_one() {
    let (a, b) = (random(133, 4), random(133, 5));
    let (mut wide, mut baseline) = (vec![0.0; 133], vec![0.0; 133]);
    swiglu(&a, &b, &mut wide);
    swiglu_body::<false>(&a, &b, &mut baseline);
    assert_close(&wide, &widen(&baseline));
}

#[test]
fn a_row_of_a_product_does_not_depend_on_the_others() {
    for inner in [3, 16, 40, 100] {
        let (x, w) = (random(13 * inner, 6), random(11 * inner, 7));
        let mut all = vec![0.0; 13 * 11];
        row_product(&x, &w, inner, &mut all, 11);
        for i in 0..13 {
            let row = &x[i * inner..(i + 1) * inner];
            let mut alone = vec![0.0; 11];
            row_product(row, &w, inner, &mut alone, 11);
            assert_eq!(alone, all[i * 11..(i + 1) * 11]);
            for (j, w) in w.chunks(inner).enumerate() {
                let exact = f64::dot(&widen(row), &widen(w));
                assert!((f64::from(alone[j]) - exact).abs() < 1e-4 * (1.0 + exact.abs()));
            }
        }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn tiles_of_every_kind_of_vector_agree() {
    use super::row_product::vectors::{Avx2, Lanes, tiles};
    let (inner, n) = (75, 9);
    let (x, w) = (random(n * inner, 8), random(n * inner, 9));
    let [mut detected, mut avx2, mut baseline] = [(); 3].map(|()| vec![0.0; n * n]);
    row_product(&x, &w, inner, &mut detected, n);
    tiles::<Lanes<false>, 2, 4>(&x, &w, inner, &mut baseline, n);
    assert_close(&detected, &widen(&baseline));
    if crate::processor::avx2() {
        tiles::<Avx2, 3, 2>(&x, &w, inner, &mut avx2, n);
        assert_eq!(detected, avx2);
    }
}
