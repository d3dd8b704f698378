//! Rotary position embedding, and the change between row-major and head-major layout that attention
//! needs anyway.
//!
//! A head's pair `(a, b) = (x[i], x[i + d/2])` at position `p` becomes
//! `(a cos - b sin, b cos + a sin)` with the angle `p * inverse_frequency[i]`; the backward pass turns
//! by the negative angle. Row-major is `[n, heads * d]`; head-major is, sequence after sequence,
//! `[heads, length, d]`.

use super::ROWS_PER_TASK;
use crate::RopeConfig;
use crate::buffers;
use crate::math;
use crate::profile::span;
use crate::real::Real;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::ops::Range;

/// Cosines and sines, `[positions, rotary_dim / 2]` each, times the attention factor.
#[derive(Debug, Clone)]
pub(crate) struct RopeTable<T> {
    cos: Vec<T>,
    sin: Vec<T>,
    half: usize,
}

impl<T: Real> RopeTable<T> {
    /// Angles of positions `0..n_positions`. They are rounded to f32 before the cosine is taken, as
    /// the reference implementation does, so that long contexts agree with it.
    fn new(frequencies: &[f64], factor: f64, n_positions: usize) -> Self {
        let angles = (0..n_positions).flat_map(|p| frequencies.iter().map(move |&f| f64::from(p as f32 * f as f32)));
        let scaled = |angle: f64| (T::from_f64(factor * math::cos(angle)), T::from_f64(factor * math::sin(angle)));
        let (cos, sin) = angles.map(scaled).unzip();
        RopeTable { cos, sin, half: frequencies.len() }
    }

    /// `to = rotate(from)` for one head at `position`; what lies beyond the rotary dimensions is copied.
    pub(crate) fn rotate(&self, position: usize, direction: Direction, from: &[T], to: &mut [T]) {
        let row = position * self.half..(position + 1) * self.half;
        let (cos, sin) = (&self.cos[row.clone()], &self.sin[row]);
        let (from_rotary, from_rest) = from.split_at(2 * self.half);
        let (to_rotary, to_rest) = to.split_at_mut(2 * self.half);
        to_rest.copy_from_slice(from_rest);
        let (from_a, from_b) = from_rotary.split_at(self.half);
        let (to_a, to_b) = to_rotary.split_at_mut(self.half);
        let sign = match direction {
            Direction::Forward => T::ONE,
            Direction::Backward => -T::ONE,
        };
        for i in 0..self.half {
            let s = sin[i] * sign;
            to_a[i] = from_a[i] * cos[i] - from_b[i] * s;
            to_b[i] = from_b[i] * cos[i] + from_a[i] * s;
        }
    }
}

/// The tables of one [`RopeConfig`]: LongRoPE has one for short and one for long sequences, dynamic NTK one
/// for each length beyond the original context.
#[derive(Debug, Clone)]
pub(crate) struct Rotary<T> {
    config: RopeConfig,
    n_positions: usize,
    /// By [`RopeConfig::variant`].
    tables: BTreeMap<usize, RopeTable<T>>,
}

impl<T: Real> Rotary<T> {
    /// Tables of sequences of these lengths, for positions `0..n_positions`.
    pub(crate) fn new(config: &RopeConfig, n_positions: usize, lengths: impl Iterator<Item = usize>) -> Self {
        let mut rotary = Rotary { config: config.clone(), n_positions, tables: BTreeMap::new() };
        rotary.add(0);
        lengths.for_each(|length| rotary.add(length));
        rotary
    }

    fn add(&mut self, length: usize) {
        let (config, n_positions) = (&self.config, self.n_positions);
        self.tables.entry(config.variant(length)).or_insert_with(|| {
            RopeTable::new(&config.inverse_frequencies_at(length), config.attention_factor(), n_positions)
        });
    }

    /// Makes sure of the tables of these lengths and of as many positions.
    pub(crate) fn prepare(&mut self, n_positions: usize, lengths: impl Iterator<Item = usize> + Clone) {
        if n_positions > self.n_positions {
            *self = Rotary::new(&self.config, n_positions.next_power_of_two(), lengths);
            return;
        }
        // A table per length is used once or a few times: do not collect them.
        let config = &self.config;
        self.tables
            .retain(|&variant, _| variant < 2 || lengths.clone().any(|length| config.variant(length) == variant));
        lengths.for_each(|length| self.add(length));
    }

    /// The table for a sequence of `length` tokens.
    pub(crate) fn table(&self, length: usize) -> &RopeTable<T> {
        &self.tables[&self.config.variant(length)]
    }
}

/// Sense of rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// Sequences and heads of a buffer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLayout<'a> {
    /// Token range of each sequence; together they cover the buffer.
    pub(crate) ranges: &'a [Range<usize>],
    pub(crate) n_heads: usize,
    pub(crate) head_dim: usize,
}

impl HeadLayout<'_> {
    /// Number of elements of a buffer.
    pub(crate) fn size(&self) -> usize {
        self.ranges.last().map_or(0, |range| range.end) * self.n_heads * self.head_dim
    }

    /// `(sequence, head)` and the elements of each piece of a head-major buffer, in order.
    pub(crate) fn split<'b, T>(&self, mut buffer: &'b mut [T], per_row: usize) -> Vec<(usize, usize, &'b mut [T])> {
        let mut pieces = Vec::with_capacity(self.ranges.len() * self.n_heads);
        for (sequence, range) in self.ranges.iter().enumerate() {
            for head in 0..self.n_heads {
                let piece;
                (piece, buffer) = buffer.split_at_mut(range.len() * per_row);
                pieces.push((sequence, head, piece));
            }
        }
        pieces
    }

    /// The elements of one piece of a head-major buffer.
    pub(crate) fn piece<'b, T>(&self, buffer: &'b [T], sequence: usize, head: usize, per_row: usize) -> &'b [T] {
        let range = &self.ranges[sequence];
        let start = (range.start * self.n_heads + head * range.len()) * per_row;
        &buffer[start..start + range.len() * per_row]
    }
}

/// Row-major to head-major, rotated if a table is given.
pub(crate) fn to_heads<T: Real>(x: &[T], layout: HeadLayout, rope: Option<&Rotary<T>>) -> Vec<T> {
    let _span = span("heads and positions", || 0.0);
    let (d, width) = (layout.head_dim, layout.n_heads * layout.head_dim);
    let mut out = buffers::take(layout.size());
    layout.split(&mut out, d).into_par_iter().for_each(|(sequence, head, piece)| {
        let range = &layout.ranges[sequence];
        let (start, rope) = (range.start, rope.map(|rope| rope.table(range.len())));
        for (t, to) in piece.chunks_mut(d).enumerate() {
            let at = (start + t) * width + head * d;
            let from = &x[at..at + d];
            match rope {
                Some(table) => table.rotate(t, Direction::Forward, from, to),
                None => to.copy_from_slice(from),
            }
        }
    });
    out
}

/// Head-major to row-major; with a table, rotated back. If `x` has a multiple of the layout's heads
/// (one per query head), the heads of a group are added.
pub(crate) fn from_heads<T: Real>(
    x: &[T],
    layout: HeadLayout,
    heads_per_group: usize,
    rope: Option<&Rotary<T>>,
) -> Vec<T> {
    let _span = span("heads and positions", || 0.0);
    let (d, width) = (layout.head_dim, layout.n_heads * layout.head_dim);
    let expanded = HeadLayout { n_heads: layout.n_heads * heads_per_group, ..layout };
    let mut out = buffers::take(layout.size());
    let mut tasks = Vec::new();
    let mut rest = out.as_mut_slice();
    for (sequence, range) in layout.ranges.iter().enumerate() {
        for first in (0..range.len()).step_by(ROWS_PER_TASK) {
            let piece;
            (piece, rest) = rest.split_at_mut(ROWS_PER_TASK.min(range.len() - first) * width);
            tasks.push((sequence, first, piece));
        }
    }
    tasks.into_par_iter().for_each(|(sequence, first, rows)| {
        let mut sum = vec![T::ZERO; d];
        let rope = rope.map(|rope| rope.table(layout.ranges[sequence].len()));
        for group in 0..layout.n_heads {
            let heads = group * heads_per_group..(group + 1) * heads_per_group;
            for (t, row) in (first..).zip(rows.chunks_mut(width)) {
                for head in heads.clone() {
                    let from = &expanded.piece(x, sequence, head, d)[t * d..(t + 1) * d];
                    match head == heads.start {
                        true => sum.copy_from_slice(from),
                        false => sum.iter_mut().zip(from).for_each(|(sum, &x)| *sum += x),
                    }
                }
                let to = &mut row[group * d..(group + 1) * d];
                match rope {
                    Some(table) => table.rotate(t, Direction::Backward, &sum, to),
                    None => to.copy_from_slice(&sum),
                }
            }
        }
    });
    out
}
