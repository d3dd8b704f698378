//! Attention against the definition, across the borders of query and key blocks.

use super::*;
use crate::rng::CounterRng;

fn normal(n: usize, seed: u64) -> Vec<f64> {
    let rng = CounterRng::new(seed, 0);
    (0..n as u64).map(|i| rng.normal_at(i)).collect()
}

const HEADS: usize = 4;
const KV_HEADS: usize = 2;
const D: usize = 4;

/// One sequence; position `i` of head `h` by the definition: output and log-sum-exp.
fn definition(
    attention: &Attention,
    q: &[f64],
    k: &[f64],
    v: &[f64],
    length: usize,
    h: usize,
    i: usize,
) -> (Vec<f64>, f64) {
    let row = |x: &[f64], head: usize, t: usize| x[(head * length + t) * D..][..D].to_vec();
    let kv = h / (HEADS / KV_HEADS);
    let seen = attention.window.map_or(0, |w| (i + 1).saturating_sub(w))..i + 1;
    let q = row(q, h, i);
    let score = |t: usize| {
        let dot: f64 = q.iter().zip(row(k, kv, t)).map(|(a, b)| a * b).sum();
        let score = attention.scale * dot;
        attention.softcap.map_or(score, |cap| cap * (score / cap).tanh())
    };
    let weights: Vec<f64> = seen.clone().map(|t| score(t).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let mut o = vec![0.0; D];
    for (t, w) in seen.zip(&weights) {
        o.iter_mut().zip(row(v, kv, t)).for_each(|(o, v)| *o += w / sum * v);
    }
    (o, sum.ln())
}

fn check(length: usize, window: Option<usize>, softcap: Option<f64>) {
    let range = 0..length;
    let ranges = std::slice::from_ref(&range);
    let heads = HeadLayout { ranges, n_heads: HEADS, head_dim: D };
    let attention = Attention { heads, n_kv_heads: KV_HEADS, window, scale: 0.6, softcap };
    let q = normal(HEADS * length * D, 1);
    let (k, v) = (normal(KV_HEADS * length * D, 2), normal(KV_HEADS * length * D, 3));
    let (o, lse) = attention.forward(&q, &k, &v);
    for h in 0..HEADS {
        for i in (0..length).step_by(7).chain([length - 1]) {
            let (wanted, wanted_lse) = definition(&attention, &q, &k, &v, length, h, i);
            let found = &o[(h * length + i) * D..][..D];
            assert!(wanted.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-12), "head {h}, query {i}");
            assert!((lse[h * length + i] - wanted_lse).abs() < 1e-12);
        }
    }
}

#[test]
fn blocks_of_queries_and_keys_match_the_definition() {
    for length in [1, 63, 64, 65, KEY_BLOCK - 1, KEY_BLOCK + 70] {
        check(length, None, None);
    }
}

#[test]
fn windows_and_caps_match_the_definition() {
    check(150, Some(3), None);
    check(2 * KEY_BLOCK + 100, Some(KEY_BLOCK + 30), None);
    check(KEY_BLOCK + 70, None, Some(1.5));
}

/// `sum(o * d_o)` has the gradients that the backward pass gives.
fn check_gradients(length: usize, window: Option<usize>, softcap: Option<f64>) {
    let range = 0..length;
    let ranges = std::slice::from_ref(&range);
    let heads = HeadLayout { ranges, n_heads: HEADS, head_dim: D };
    let attention = Attention { heads, n_kv_heads: KV_HEADS, window, scale: 0.6, softcap };
    let mut inputs =
        [normal(HEADS * length * D, 1), normal(KV_HEADS * length * D, 2), normal(KV_HEADS * length * D, 3)];
    let d_o = normal(HEADS * length * D, 4);
    let loss = |inputs: &[Vec<f64>; 3]| -> f64 {
        attention.forward(&inputs[0], &inputs[1], &inputs[2]).0.iter().zip(&d_o).map(|(o, d)| o * d).sum()
    };
    let (o, lse) = attention.forward(&inputs[0], &inputs[1], &inputs[2]);
    let [dq, dk, dv] = attention.backward(&d_o, &inputs[0], &inputs[1], &inputs[2], &o, &lse);
    let grouped = |d: &[f64], kv: usize, at: usize| -> f64 {
        let group = HEADS / KV_HEADS;
        (kv * group..(kv + 1) * group).map(|head| d[head * length * D + at]).sum()
    };
    for input in 0..3 {
        for place in [0, length / 2 * D + 1, length * D - 1] {
            let at = length * D + place;
            let analytic = match input {
                0 => dq[at],
                1 => grouped(&dk, 1, place),
                _ => grouped(&dv, 1, place),
            };
            let mut moved = |step: f64| {
                inputs[input][at] += step;
                let loss = loss(&inputs);
                inputs[input][at] -= step;
                loss
            };
            let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((analytic - numeric).abs() < 1e-6 * (1.0 + numeric.abs()), "{input} {place}: {analytic} {numeric}");
        }
    }
}

#[test]
fn gradients_across_blocks_match_finite_differences() {
    check_gradients(130, None, None);
    check_gradients(KEY_BLOCK + 70, None, None);
    check_gradients(KEY_BLOCK + 70, Some(40), Some(2.0));
}
