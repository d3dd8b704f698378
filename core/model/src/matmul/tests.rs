//! Products on every view, update and kernel against the definition; the bits of a row alone.

use super::kernel::{kernels, other_kernels};
use super::*;

/// Small integers: products and sums of them are exact in f32 and f64.
fn values<T: Real>(n: usize, seed: usize) -> Vec<T> {
    (0..n).map(|i| T::from_f64(((i * 37 + seed * 11) % 23) as f64 - 11.0)).collect()
}

/// Numbers whose sums round.
fn fractions(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.7310).sin()).collect()
}

fn at<T: Real>(m: &Mat<T>, i: usize, j: usize) -> T {
    m.data[i * m.row_stride + j * m.col_stride]
}

fn view<T>(data: &[T], rows: usize, cols: usize, transposed: bool) -> Mat<'_, T> {
    if transposed { Mat::new(data, cols, rows).t() } else { Mat::new(data, rows, cols) }
}

type Multiply<'a, T> = &'a dyn Fn(MatMut<T>, Update, &[Term<T>]);

/// `[m, n]` from inner dimensions `depths`, on all views and updates.
fn check<T: Real>(m: usize, n: usize, depths: &[usize], multiply: Multiply<T>) {
    let data: Vec<_> = depths.iter().enumerate().map(|(i, &k)| (values(m * k, i), values(k * n, i + 7))).collect();
    for (a_is_t, b_is_t) in [(false, false), (true, false), (false, true), (true, true)] {
        let scales = [0.5, 2.0, -1.0, 1.0].map(T::from_f64);
        let terms = depths.iter().zip(&data).zip(scales);
        let terms: Vec<_> = terms
            .map(|((&k, (a, b)), scale)| Term::scaled(scale, view(a, m, k, a_is_t), view(b, k, n, b_is_t)))
            .collect();
        for update in [Update::Set, Update::Add] {
            let start = values::<T>(m * n, 3);
            let mut out = start.clone();
            multiply(MatMut::new(&mut out, m, n), update, &terms);
            for (index, (&out, &start)) in out.iter().zip(&start).enumerate() {
                let (i, j) = (index / n, index % n);
                let mut wanted = if update == Update::Add { start } else { T::ZERO };
                for term in &terms {
                    (0..term.a.cols).for_each(|l| wanted += term.scale * at(&term.a, i, l) * at(&term.b, l, j));
                }
                assert_eq!(out, wanted, "element ({i}, {j}) of {m} x {n}, inner {depths:?}");
            }
        }
    }
}

const SHAPES: [(usize, usize, &[usize]); 12] = [
    (100, 8, &[130]),
    (70, 20, &[64]),
    (60, 64, &[700]),
    (1, 1, &[1]),
    (5, 3, &[2, 9]),
    (1, 40, &[9]),
    (40, 1, &[9, 1, 4]),
    (8, 70, &[390]),
    (33, 150, &[70, 8]),
    (150, 33, &[400, 8, 390]),
    (40, 300, &[20]),
    (3, 2100, &[520, 8]),
];

#[test]
fn products_match_the_definition() {
    for (m, n, depths) in SHAPES {
        check::<f64>(m, n, depths, &|out, update, terms| f64::multiply(out, update, terms, false));
        check::<f64>(m, n, depths, &|out, update, terms| f64::multiply(out, update, terms, true));
        check::<f32>(m, n, depths, &|out, update, terms| f32::multiply(out, update, terms, false));
        check::<f32>(m, n, depths, &|out, update, terms| f32::multiply(out, update, terms, true));
    }
}

#[test]
fn every_kernel_matches_the_definition() {
    for kernels in other_kernels().into_iter().chain([kernels(100, 100), kernels(5, 100), kernels(100, 5)]) {
        for (m, n, depths) in SHAPES {
            check::<f32>(m, n, depths, &|out, update, terms| {
                blocking::multiply_with(kernels, out, update, terms, true);
            });
        }
    }
}

#[test]
fn slabs_of_columns_and_of_depth_fit_together() {
    check::<f32>(3, 530, &[2500], &|out, update, terms| f32::multiply(out, update, terms, true));
    check::<f32>(2, 2300, &[800], &|out, update, terms| f32::multiply(out, update, terms, true));
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    let (m, n, k) = (61, 75, 500);
    let (a, b) = (fractions(m * k), fractions(k * n));
    let mut all = vec![0.0; m * n];
    par_product(MatMut::new(&mut all, m, n), Update::Set, 1.0, Mat::new(&a, m, k), Mat::new(&b, k, n));
    for (a, all) in a.chunks(k).zip(all.chunks(n)) {
        let mut row = vec![0.0; n];
        product(MatMut::new(&mut row, 1, n), Update::Set, 1.0, Mat::new(a, 1, k), Mat::new(&b, k, n));
        assert_eq!(row, all);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn fused_kernels_of_all_widths_give_the_same_bits() {
    let (m, n, k) = (50, 70, 430);
    let (a, b) = (fractions(m * k), fractions(k * n));
    let run = |kernels: kernel::Kernels| {
        let mut out = vec![0.0; m * n];
        let terms = [Term::scaled(1.0, Mat::new(&a, m, k), Mat::new(&b, k, n))];
        blocking::multiply_with(kernels, MatMut::new(&mut out, m, n), Update::Set, &terms, true);
        out
    };
    let here = run(kernels(m, n));
    assert!(other_kernels().into_iter().skip(1).all(|kernels| run(kernels) == here));
}

#[test]
fn a_product_of_nothing_is_zero() {
    let mut out = vec![3.0f32; 4];
    par_products(MatMut::new(&mut out, 2, 2), Update::Add, &[]);
    assert_eq!(out, [3.0; 4]);
    par_products(MatMut::new(&mut out, 2, 2), Update::Set, &[]);
    assert_eq!(out, [0.0; 4]);
}

#[test]
#[should_panic(expected = "product shape")]
fn mismatched_shapes_are_refused() {
    let (a, b, mut out) = (values::<f64>(6, 0), values(6, 1), vec![0.0; 4]);
    product(MatMut::new(&mut out, 2, 2), Update::Set, 1.0, Mat::new(&a, 2, 3), Mat::new(&b, 2, 3));
}

#[test]
fn some_columns_of_an_output_alone_are_written() {
    fn check_columns<T: Real>(m: usize, n: usize, k: usize, columns: std::ops::Range<usize>) {
        let (a, b) = (values::<T>(m * k, 1), values::<T>(k * columns.len(), 2));
        let (a, b) = (Mat::new(&a, m, k), Mat::new(&b, k, columns.len()));
        for update in [Update::Set, Update::Add] {
            let before = values::<T>(m * n, 5);
            let mut alone: Vec<T> = before.chunks(n).flat_map(|row| row[columns.clone()].to_vec()).collect();
            par_product(MatMut::new(&mut alone, m, columns.len()), update, T::ONE, a, b);
            let mut out = before.clone();
            par_product(MatMut::new(&mut out, m, n).columns(columns.clone()), update, T::ONE, a, b);
            for ((row, before), alone) in out.chunks(n).zip(before.chunks(n)).zip(alone.chunks(columns.len())) {
                assert_eq!(&row[columns.clone()], alone);
                assert_eq!(
                    (&row[..columns.start], &row[columns.end..]),
                    (&before[..columns.start], &before[columns.end..])
                );
            }
        }
    }
    for (m, n, k, columns) in [(5, 9, 3, 2..7), (130, 70, 40, 3..53), (100, 40, 90, 32..40), (3, 8, 0, 1..3)] {
        check_columns::<f32>(m, n, k, columns.clone());
        check_columns::<f64>(m, n, k, columns);
    }
}
