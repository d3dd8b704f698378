//! The error function to the precision of f64: Taylor polynomials around nodes `k / 8`.
//!
//! At a node the value comes from `erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!`, whose
//! terms are all positive, and the derivatives from Hermite polynomials:
//! `erf^(n+1)(x) = (-1)^n H_n(x) 2/sqrt(pi) exp(-x^2)`. No point is farther than 1/16 from a node, where
//! thirteen coefficients leave a remainder below 1e-18.

use std::f64::consts::FRAC_2_SQRT_PI;
use std::sync::LazyLock;

const NODES_PER_UNIT: f64 = 8.0;
const N_COEFFICIENTS: usize = 13;
/// Beyond 6 the function is one to the last bit (1 - erf(6) = 2e-17).
const N_NODES: usize = 49;

static TABLE: LazyLock<[[f64; N_COEFFICIENTS]; N_NODES]> = LazyLock::new(|| std::array::from_fn(node));

/// `erf(x)`.
pub(super) fn erf(x: f64) -> f64 {
    let magnitude = x.abs();
    let nearest = (magnitude * NODES_PER_UNIT).round();
    if nearest >= N_NODES as f64 {
        return 1f64.copysign(x);
    }
    let t = magnitude - nearest / NODES_PER_UNIT;
    // NaN turns into node 0 here and stays NaN through t.
    let coefficients = &TABLE[nearest as usize];
    coefficients.iter().rev().fold(0.0, |sum, &c| sum * t + c).copysign(x)
}

/// Taylor coefficients at node `k`.
fn node(k: usize) -> [f64; N_COEFFICIENTS] {
    let x = k as f64 / NODES_PER_UNIT;
    let bell = FRAC_2_SQRT_PI * crate::math::exp(-x * x);
    let (mut term, mut sum, mut n) = (x, 0.0, 0.0);
    while term > f64::EPSILON * 1e-3 * sum {
        sum += term;
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
    }
    let mut coefficients = [0.0; N_COEFFICIENTS];
    coefficients[0] = bell * sum;
    let (mut previous, mut hermite, mut factorial, mut sign) = (0.0, 1.0, 1.0, 1.0);
    for n in 0..N_COEFFICIENTS - 1 {
        factorial *= (n + 1) as f64;
        coefficients[n + 1] = sign * hermite * bell / factorial;
        (previous, hermite) = (hermite, 2.0 * x * hermite - 2.0 * n as f64 * previous);
        sign = -sign;
    }
    coefficients
}
