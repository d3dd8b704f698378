//! bitsandbytes' 8-bit block quantization with the "dynamic" map, which NF4 uses for its scales.
//!
//! Sources: `create_dynamic_map` in bitsandbytes/functional.py and `quantize_cpu_impl` in
//! csrc/cpu_ops.cpp, release 0.50; T. Dettmers, "8-Bit Approximations for Parallelism in Deep
//! Learning", arXiv:1511.04561. A value is first rounded to one of 65536 steps and the step to the
//! nearest code, so a result may be one code away from the nearest: identical bytes need the same.

use std::sync::OnceLock;

/// Number of codes.
const N_CODES: usize = 256;

/// Steps that a normalized value is rounded to before its code is looked up.
const N_STEPS: usize = 65536;

/// The values that the codes stand for, ascending.
pub(super) fn dynamic_map() -> &'static [f32; N_CODES] {
    static MAP: OnceLock<[f32; N_CODES]> = OnceLock::new();
    MAP.get_or_init(|| {
        let mut map = [0.0; N_CODES];
        let mut n = 0;
        for exponent in 0..7 {
            let scale = 10f64.powi(exponent - 6) as f32;
            let bounds = linspace(0.1, 1.0, (1 << exponent) + 1);
            for pair in bounds.windows(2) {
                let mean = (pair[0] + pair[1]) / 2.0;
                map[n] = scale * mean;
                map[n + 1] = -scale * mean;
                n += 2;
            }
        }
        // Two codes are left for 0, which is there already, and 1.
        map[n + 1] = 1.0;
        map.sort_by(f32::total_cmp);
        map
    })
}

/// `n` equidistant values as `torch.linspace` computes them: both halves from their own end, fused.
fn linspace(start: f32, end: f32, n: usize) -> Vec<f32> {
    let step = (end - start) / (n - 1) as f32;
    let value = |i: usize| match i < n / 2 {
        true => step.mul_add(i as f32, start),
        false => (-step).mul_add((n - 1 - i) as f32, end),
    };
    (0..n).map(value).collect()
}

/// Code of every step.
fn codes() -> &'static [u8] {
    static CODES: OnceLock<Vec<u8>> = OnceLock::new();
    CODES.get_or_init(|| {
        let map = dynamic_map();
        let mut code = 0;
        let of_step = |step: usize| {
            let value = -1.0 + 2.0 * step as f32 / (N_STEPS - 1) as f32;
            while code < N_CODES - 1 && 0.5 * (map[code] + map[code + 1]) < value {
                code += 1;
            }
            code as u8
        };
        (0..N_STEPS).map(of_step).collect()
    })
}

/// Codes of `values`, and the largest magnitude of each block of `block_size`.
pub(super) fn quantize(values: &[f32], block_size: usize) -> (Vec<u8>, Vec<f32>) {
    let codes = codes();
    let mut quantized = Vec::with_capacity(values.len());
    let mut absmax = Vec::with_capacity(values.len().div_ceil(block_size));
    for block in values.chunks(block_size) {
        let largest = block.iter().fold(0.0f32, |m, x| m.max(x.abs()));
        absmax.push(largest);
        if largest == 0.0 {
            quantized.resize(quantized.len() + block.len(), 0);
            continue;
        }
        let inverse = 1.0 / largest;
        quantized.extend(block.iter().map(|x| {
            let normalized = (x * inverse).clamp(-1.0, 1.0);
            let step = (normalized + 1.0) * 0.5 * (N_STEPS - 1) as f32 + 0.5;
            codes[step as usize]
        }));
    }
    (quantized, absmax)
}
