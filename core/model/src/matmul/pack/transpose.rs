//! Transposed copies: squares of sixteen or of four in registers.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// `to[k * nr + j] = from[j * stride + k]` for `j < n` and all rows `k` of `to`.
pub(super) fn transpose(from: &[f32], stride: usize, n: usize, to: &mut [f32], nr: usize) {
    let depth = to.len() / nr;
    let mut j = 0;
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        while j + 16 <= n && depth >= 16 {
            let rows = std::array::from_fn(|i| &from[(j + i) * stride..(j + i) * stride + depth]);
            // SAFETY: the processor has AVX-512.
            unsafe { sixteen(rows, depth, &mut to[j..], nr) };
            j += 16;
        }
    }
    while j + 4 <= n {
        let rows = std::array::from_fn(|i| &from[(j + i) * stride..(j + i) * stride + depth]);
        four(rows, depth, &mut to[j..], nr);
        j += 4;
    }
    for j in j..n {
        for (row, &x) in to.chunks_mut(nr).zip(&from[j * stride..]) {
            row[j] = x;
        }
    }
}

/// Sixteen rows, at least sixteen long, become columns. The last square may overlap the one before.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn sixteen(rows: [&[f32]; 16], depth: usize, to: &mut [f32], nr: usize) {
    assert!(depth >= 16 && rows.iter().all(|row| row.len() == depth) && to.len() >= (depth - 1) * nr + 16);
    let mut k = 0;
    loop {
        // SAFETY: `k + 16 <= depth`, which is the length of each row; rows `k..k + 16` of `to` have sixteen
        // floats each.
        unsafe {
            let square = rows.map(|row| _mm512_loadu_ps(row.as_ptr().add(k)));
            for (i, column) in transposed16(square).into_iter().enumerate() {
                _mm512_storeu_ps(to.as_mut_ptr().add((k + i) * nr), column);
            }
        }
        if k + 16 == depth {
            return;
        }
        k = (k + 16).min(depth - 16);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed16(r: [__m512; 16]) -> [__m512; 16] {
    let mut fours = [_mm512_setzero_ps(); 16];
    for g in 0..4 {
        let [a, b, c, d] = [r[4 * g], r[4 * g + 1], r[4 * g + 2], r[4 * g + 3]];
        let double = |low: __m512, high: __m512| (_mm512_castps_pd(low), _mm512_castps_pd(high));
        let (ab, cd) = double(_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        fours[4 * g] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        fours[4 * g + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
        let (ab, cd) = double(_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        fours[4 * g + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        fours[4 * g + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
    }
    // `fours[4 g + c]` holds, in quarter q, column 4 q + c of the rows 4 g to 4 g + 3.
    let mut columns = [_mm512_setzero_ps(); 16];
    for c in 0..4 {
        let [g0, g1, g2, g3] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let (low, low2) = (_mm512_shuffle_f32x4::<0x44>(g0, g1), _mm512_shuffle_f32x4::<0x44>(g2, g3));
        let (high, high2) = (_mm512_shuffle_f32x4::<0xEE>(g0, g1), _mm512_shuffle_f32x4::<0xEE>(g2, g3));
        columns[c] = _mm512_shuffle_f32x4::<0x88>(low, low2);
        columns[4 + c] = _mm512_shuffle_f32x4::<0xDD>(low, low2);
        columns[8 + c] = _mm512_shuffle_f32x4::<0x88>(high, high2);
        columns[12 + c] = _mm512_shuffle_f32x4::<0xDD>(high, high2);
    }
    columns
}

/// Four rows become columns.
fn four(rows: [&[f32]; 4], depth: usize, to: &mut [f32], nr: usize) {
    let squares = rows.map(|row| row.as_chunks::<4>());
    for (k, to) in to.chunks_mut(4 * nr).enumerate().take(depth / 4) {
        let square = squares.map(|(squares, _)| squares[k]);
        for (i, row) in transposed4(square).into_iter().enumerate() {
            to[i * nr..i * nr + 4].copy_from_slice(&row);
        }
    }
    for k in depth / 4 * 4..depth {
        (0..4).for_each(|i| to[k * nr + i] = rows[i][k]);
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transposed4(square: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    // SAFETY: every x86-64 processor has SSE; an `__m128` is four floats.
    unsafe {
        let [a, b, c, d] = square.map(|row| _mm_loadu_ps(row.as_ptr()));
        let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
        let rows = [
            _mm_movelh_ps(ab_low, cd_low),
            _mm_movehl_ps(cd_low, ab_low),
            _mm_movelh_ps(ab_high, cd_high),
            _mm_movehl_ps(cd_high, ab_high),
        ];
        rows.map(|row| std::mem::transmute::<__m128, [f32; 4]>(row))
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn transposed4(square: [[f32; 4]; 4]) -> [[f32; 4]; 4] {
    std::array::from_fn(|k| std::array::from_fn(|j| square[j][k]))
}
