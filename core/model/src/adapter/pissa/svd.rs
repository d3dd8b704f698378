//! The largest singular triplets of a matrix, in f64: a block Krylov method with restarts.
//!
//! With `G = W^T W` (or `W W^T`, whichever is smaller) the space spanned by `X, G X, G^2 X, …` is
//! orthonormalized, `G` is projected on it, and the eigenvectors of the small matrix (by Jacobi's
//! rotations) give the triplets. A space as large as `G` is exact; else it is restarted with the best
//! vectors until the residual is at [`TOLERANCE`]. Source: G. H. Golub, C. F. Van Loan, "Matrix
//! Computations", 4th edition, sections 8.5 and 10.3.

use crate::matmul::{Mat, MatMut, Update, par_product};
use crate::rng::CounterRng;

/// Largest `||G v - l v|| / l_max` of a vector that is accepted.
const TOLERANCE: f64 = 1e-11;

/// Restarts after which the vectors are taken as they are.
const MAX_RESTARTS: usize = 60;

/// Vectors beyond those that are asked for, which speed up convergence.
const EXTRA: usize = 8;

/// Multiplications by `G` between restarts.
const DEPTH: usize = 5;

/// Separates the first vectors from other uses of a seed; they do not depend on a run's seed.
const START_STREAM: u64 = 0x7069_7373_6173_7664;

/// `W v = value u`, `W^T u = value v`, with unit vectors.
pub(super) struct Triplet {
    pub(super) value: f64,
    /// `u`, `[rows]`.
    pub(super) left: Vec<f64>,
    /// `v`, `[cols]`.
    pub(super) right: Vec<f64>,
}

/// The `k` largest triplets of `w [rows, cols]`, the largest first; `k` is at most the smaller side.
pub(super) fn largest(w: &[f32], rows: usize, cols: usize, k: usize) -> Vec<Triplet> {
    let w: Vec<f64> = w.iter().map(|&x| f64::from(x)).collect();
    let w = Mat::new(&w, rows, cols);
    let is_tall = rows >= cols;
    // `tall` has at least as many rows as columns, so that G is the smaller of the two products.
    let tall = if is_tall { w } else { w.t() };
    let (values, vectors) = eigenvectors(tall, k);
    vectors
        .into_iter()
        .zip(values)
        .map(|(v, value)| {
            let value = value.max(0.0).sqrt();
            let mut u = times(tall, &v, 1);
            if value > 0.0 {
                u.iter_mut().for_each(|x| *x /= value);
            }
            let (left, right) = if is_tall { (u, v) } else { (v, u) };
            Triplet { value, left, right }
        })
        .collect()
}

/// The `k` largest eigenvalues of `G = W^T W` and their vectors.
fn eigenvectors(w: Mat<f64>, k: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = w.cols();
    let block = (k + EXTRA).min(n);
    let rng = CounterRng::new(0, START_STREAM);
    let mut start: Vec<Vec<f64>> =
        (0..block).map(|i| (0..n).map(|j| rng.normal_at((i * n + j) as u64)).collect()).collect();
    let mut restarts = 0;
    loop {
        let basis = krylov(w, start, n);
        let image = apply(w, &basis);
        let small: Vec<Vec<f64>> =
            basis.iter().map(|q| image.iter().map(|g| dot(q, g)).collect::<Vec<f64>>()).collect();
        let (values, rotations) = jacobi(small);
        let combine = |of: &[Vec<f64>], i: usize| combination(of, &rotations[i]);
        let residual = |i: usize| {
            let (v, g) = (combine(&basis, i), combine(&image, i));
            let squares = v.iter().zip(&g).map(|(v, g)| (g - values[i] * v).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let is_done = basis.len() == n || (0..k).all(|i| residual(i) <= TOLERANCE * values[0]);
        restarts += 1;
        if is_done || restarts == MAX_RESTARTS {
            let vectors = (0..k).map(|i| combine(&basis, i)).collect();
            return (values[..k].to_vec(), vectors);
        }
        start = (0..block.min(basis.len())).map(|i| combine(&basis, i)).collect();
    }
}

/// An orthonormal basis of the space of `start, G start, …`.
fn krylov(w: Mat<f64>, start: Vec<Vec<f64>>, n: usize) -> Vec<Vec<f64>> {
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut next = start;
    for _ in 0..DEPTH {
        let first = basis.len();
        for vector in next {
            if basis.len() < n {
                orthonormalize(vector, &mut basis);
            }
        }
        if basis.len() == n || first == basis.len() {
            break;
        }
        next = apply(w, &basis[first..]);
    }
    // What is left of a small space is filled, so that all of it is there.
    let mut axis = 0;
    while basis.len() < n && n <= 2 * (basis.len() + EXTRA) && axis < n {
        let mut vector = vec![0.0; n];
        vector[axis] = 1.0;
        orthonormalize(vector, &mut basis);
        axis += 1;
    }
    basis
}

/// Appends the part of `vector` that is orthogonal to the basis, unless nothing is left of it.
fn orthonormalize(mut vector: Vec<f64>, basis: &mut Vec<Vec<f64>>) {
    let before = dot(&vector, &vector).sqrt();
    // Twice is enough: W. Kahan's and B. Parlett's rule.
    for _ in 0..2 {
        for q in basis.iter() {
            let component = dot(q, &vector);
            vector.iter_mut().zip(q).for_each(|(x, q)| *x -= component * q);
        }
    }
    let norm = dot(&vector, &vector).sqrt();
    if norm > 1e-10 * before && norm > 0.0 {
        vector.iter_mut().for_each(|x| *x /= norm);
        basis.push(vector);
    }
}

/// `G x` of each vector.
fn apply(w: Mat<f64>, vectors: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = w.cols();
    let mut columns = vec![0.0; n * vectors.len()];
    for (j, vector) in vectors.iter().enumerate() {
        vector.iter().enumerate().for_each(|(i, &x)| columns[i * vectors.len() + j] = x);
    }
    let image = times(w, &columns, vectors.len());
    let image = times(w.t(), &image, vectors.len());
    (0..vectors.len()).map(|j| (0..n).map(|i| image[i * vectors.len() + j]).collect()).collect()
}

/// `w x`; x `[w.cols, n]`.
fn times(w: Mat<f64>, x: &[f64], n: usize) -> Vec<f64> {
    let mut out = vec![0.0; w.rows() * n];
    par_product(MatMut::new(&mut out, w.rows(), n), Update::Set, 1.0, w, Mat::new(x, w.cols(), n));
    out
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    <f64 as crate::real::Real>::dot(a, b)
}

/// `sum_j weights[j] vectors[j]`.
fn combination(vectors: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; vectors[0].len()];
    for (vector, weight) in vectors.iter().zip(weights) {
        sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += weight * x);
    }
    sum
}

/// Eigenvalues of a symmetric matrix, the largest first, and the eigenvectors as rows: rotations that
/// each make one off-diagonal element zero, until none is left.
fn jacobi(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let scale = (0..n).map(|i| a[i][i].abs()).fold(f64::MIN_POSITIVE, f64::max);
    for _ in 0..60 {
        let mut largest = 0.0f64;
        for p in 0..n {
            for q in p + 1..n {
                largest = largest.max(a[p][q].abs());
                if a[p][q].abs() > 1e-18 * scale {
                    rotate(&mut a, &mut vectors, p, q);
                }
            }
        }
        if largest <= 1e-16 * scale {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    (order.iter().map(|&i| a[i][i]).collect(), order.iter().map(|&i| vectors[i].clone()).collect())
}

fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let t = if theta == 0.0 { 1.0 } else { t };
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in a.iter_mut() {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    for rows in [&mut *a, vectors] {
        let (head, tail) = rows.split_at_mut(q);
        for (x, y) in head[p].iter_mut().zip(&mut tail[0]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
}
