use super::*;

const KEY: DropoutKey = DropoutKey { seed: 3, step: 4, micro: 5, neftune_alpha: 6.0 };

#[test]
fn noise_fills_its_bounds_evenly_and_is_repeated_by_its_key() {
    let (h, ranges) = (32, [0..100, 100..125]);
    let noise = |key| {
        let mut x = vec![0.0f64; 125 * h];
        add_noise(&mut x, &ranges, h, key);
        x
    };
    let x = noise(KEY);
    assert_eq!(x, noise(KEY));
    assert_ne!(x, noise(DropoutKey { micro: 6, ..KEY }));
    for range in ranges.clone() {
        // ±α / sqrt(L · h): the shorter sequence has the louder noise.
        let bound = 6.0 / ((range.len() * h) as f64).sqrt();
        let of = &x[range.start * h..range.end * h];
        assert!(of.iter().all(|value| value.abs() <= bound));
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        let variance = of.iter().map(|value| value * value).sum::<f64>() / of.len() as f64;
        assert!(mean.abs() < 0.1 * bound, "{mean}");
        // A uniform distribution's variance is a third of the squared bound.
        assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.1, "{variance}");
    }
}

#[test]
fn noise_does_not_depend_on_threads() {
    let draw = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        let mut x = vec![0.0f32; 300 * 8];
        pool.install(|| add_noise(&mut x, &[0..1, 1..300], 8, KEY));
        x
    };
    assert_eq!(draw(1), draw(3));
}
