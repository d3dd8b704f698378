//! Soft limit of a score: `y = cap * tanh(x / cap)`, slope `1 - (y / cap)^2`.

use crate::math;
use crate::real::Real;

/// `y`, in place.
pub(crate) fn forward<T: Real>(x: &mut [T], cap: f64) {
    // tanh in f64: near zero `1 - 2 / (exp(2x) + 1)` in f32 would lose what the cap is not to touch.
    x.iter_mut().for_each(|x| *x = T::from_f64(cap * math::tanh(x.to_f64() / cap)));
}

/// `d *= dy/dx`, from the output `y`.
pub(crate) fn backward<T: Real>(y: &[T], d: &mut [T], cap: f64) {
    let inverse = T::from_f64(1.0 / cap);
    for (d, &y) in d.iter_mut().zip(y) {
        let t = y * inverse;
        *d *= T::ONE - t * t;
    }
}
