use super::*;

#[test]
fn the_norm_is_that_of_exact_sums() {
    let gradient: Vec<f32> = (0..100_003).map(|i| (i % 17) as f32 - 8.0).collect();
    let exact: i64 = (0..100_003i64).map(|i| (i % 17 - 8) * (i % 17 - 8)).sum();
    assert_eq!(squared_norm(&gradient), exact as f64);
}

#[test]
fn the_norm_has_the_same_bits_on_any_number_of_threads() {
    let gradient: Vec<f32> = (0..200_000).map(|i| ((i * 7919 % 1000) as f32).sin()).collect();
    let on = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(|| squared_norm(&gradient));
    assert_eq!(on(1).to_bits(), on(2).to_bits());
    assert_eq!(on(1).to_bits(), on(7).to_bits());
}

#[test]
fn large_finite_gradients_have_a_finite_norm() {
    assert!(squared_norm(&[f32::MAX; 64]).is_finite());
    assert!(!squared_norm(&[1.0, f32::INFINITY]).is_finite());
    assert!(squared_norm(&[f32::NAN]).is_nan());
}

#[test]
fn clipping_scales_down_and_never_up() {
    assert_eq!(clipping_factor(0.5, 1.0), 1.0);
    assert_eq!(clipping_factor(123.0, 0.0), 1.0);
    assert!((f64::from(clipping_factor(4.0, 1.0)) - 0.25).abs() < 1e-6);
}
