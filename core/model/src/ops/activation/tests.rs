//! Values against tables, slopes against differences.

use super::*;

#[test]
fn erf_has_its_tabulated_values() {
    // Abramowitz and Stegun, table 7.1, and its limits.
    let table = [
        (0.0, 0.0),
        (0.1, 0.112_462_916_018_284_9),
        (0.5, 0.520_499_877_813_046_5),
        (1.0, 0.842_700_792_949_714_9),
        (2.0, 0.995_322_265_018_952_7),
        (3.0, 0.999_977_909_503_001_4),
        (7.0, 1.0),
    ];
    for (x, expected) in table {
        assert!((erf::erf(x) - expected).abs() < 1e-15, "{x}: {}", erf::erf(x));
        assert!((erf::erf(-x) + expected).abs() < 1e-15);
    }
    assert!(erf::erf(f64::NAN).is_nan());
}

#[test]
fn slopes_match_differences_and_f32_matches_f64() {
    let all = [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Relu];
    for activation in all {
        for i in -50..50 {
            let x = f64::from(i) * 0.131 + 0.01;
            let step = 1e-5;
            let at = |x: f64| value_and_slope(activation, x).0;
            let numeric = (at(x + step) - at(x - step)) / (2.0 * step);
            let (value, slope) = value_and_slope(activation, x);
            assert!((slope - numeric).abs() < 1e-8, "{activation:?} at {x}");
            let single = value_and_slope(activation, x as f32);
            assert!((f64::from(single.0) - value).abs() < 2e-6 * (1.0 + value.abs()), "{activation:?} at {x}");
            assert!((f64::from(single.1) - slope).abs() < 2e-6, "{activation:?} at {x}");
        }
    }
}
