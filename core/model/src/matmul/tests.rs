//! Products on every view and update against the definition.

use super::*;

fn values(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 37 + 11) % 23) as f64 - 11.0).collect()
}

fn at(m: &Mat<f64>, i: usize, j: usize) -> f64 {
    m.data[i * m.row_stride + j * m.col_stride]
}

fn check(m: usize, n: usize, k: usize) {
    let (a_data, b_data) = (values(m * k), values(k * n));
    for (a_is_t, b_is_t) in [(false, false), (true, false), (false, true), (true, true)] {
        let a = if a_is_t { Mat::new(&a_data, k, m).t() } else { Mat::new(&a_data, m, k) };
        let b = if b_is_t { Mat::new(&b_data, n, k).t() } else { Mat::new(&b_data, k, n) };
        for update in [Update::Set, Update::Add] {
            let start = values(m * n);
            let (mut serial, mut parallel) = (start.clone(), start.clone());
            product(MatMut::new(&mut serial, m, n), update, 0.5, a, b);
            par_product(MatMut::new(&mut parallel, m, n), update, 0.5, a, b);
            for i in 0..m {
                for j in 0..n {
                    let sum: f64 = (0..k).map(|l| at(&a, i, l) * at(&b, l, j)).sum();
                    let old = if update == Update::Add { start[i * n + j] } else { 0.0 };
                    // Small integers and halves: exact in f64.
                    assert_eq!(serial[i * n + j], old + 0.5 * sum);
                    assert_eq!(parallel[i * n + j], old + 0.5 * sum);
                }
            }
        }
    }
}

#[test]
fn products_match_the_definition() {
    for (m, n, k) in [(1, 1, 1), (5, 3, 2), (1, 40, 9), (40, 1, 9), (150, 70, 33), (40, 300, 20)] {
        check(m, n, k);
    }
}

#[test]
#[should_panic(expected = "product shape")]
fn mismatched_shapes_are_refused() {
    let (a, b, mut out) = (values(6), values(6), vec![0.0; 4]);
    product(MatMut::new(&mut out, 2, 2), Update::Set, 1.0, Mat::new(&a, 2, 3), Mat::new(&b, 2, 3));
}
