use super::*;

/// Vectors `philox4x32 10` of Random123's `kat_vectors`.
#[test]
fn known_answers() {
    assert_eq!(philox4x32_10([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    assert_eq!(philox4x32_10([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    assert_eq!(
        philox4x32_10([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn uniform_and_normal_have_their_moments() {
    let rng = CounterRng::new(7, 3);
    let n = 40_000u64;
    let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
    // Standard errors: 0.0014 for the uniform mean, 0.005 for the normal mean, 0.007 for its square.
    assert!((mean(&|i| rng.uniform_at(i)) - 0.5).abs() < 0.007);
    assert!(mean(&|i| rng.normal_at(i)).abs() < 0.025);
    assert!((mean(&|i| rng.normal_at(i).powi(2)) - 1.0).abs() < 0.035);
    assert!((0..n).all(|i| (0.0..1.0).contains(&rng.uniform_at(i))));
}

#[test]
fn permutation_is_a_permutation_and_depends_on_the_stream() {
    let order = CounterRng::new(1, 0).permutation(100);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    assert_ne!(order, CounterRng::new(1, 1).permutation(100));
    assert_eq!(order, CounterRng::new(1, 0).permutation(100));
}
