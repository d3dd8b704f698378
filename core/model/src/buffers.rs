//! Memory that blocks and steps use again.
//!
//! A training step takes and drops hundreds of megabytes in pieces of a few; asking the system for them
//! each time costs page faults, and filling them with zeros a pass over each. [`take`] hands out old
//! buffers as they are, [`give`] brings them back. Who does not give a buffer back merely loses it for
//! others: it is an ordinary `Vec`.
//!
//! What waits to be used is bounded: what is out and what waits are together never more than was out
//! at one time, and a buffer that must be allocated replaces waiting ones of at least its size, so that
//! with steps of changing shapes the pool does not add to the peak.

#[cfg(test)]
mod tests;

use crate::real::Real;
use std::sync::Mutex;

/// Buffers below this many elements are not worth the lock.
const SMALL: usize = 1 << 10;

/// Waiting buffers, and how much was taken.
#[derive(Debug)]
pub(crate) struct Pool<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    /// The latest last.
    waiting: Vec<Vec<T>>,
    /// Elements of all waiting buffers.
    n_waiting: usize,
    /// Elements that were taken and not brought back since the pass began.
    n_out: usize,
    /// The largest `n_out` of this and the last pass.
    most_out: [usize; 2],
}

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Pool(Mutex::new(State { waiting: Vec::new(), n_waiting: 0, n_out: 0, most_out: [0; 2] }))
    }

    fn with<R>(&self, work: impl FnOnce(&mut State<T>) -> R) -> Option<R> {
        self.0.lock().ok().map(|mut state| work(&mut state))
    }
}

/// `n` elements of unknown content.
pub(crate) fn take<T: Real>(n: usize) -> Vec<T> {
    if n < SMALL {
        return vec![T::ZERO; n];
    }
    match T::pool().with(|state| state.take(n)).flatten() {
        Some(mut buffer) => {
            buffer.resize(n, T::ZERO);
            buffer
        }
        None => vec![T::ZERO; n],
    }
}

/// `n` zeros.
pub(crate) fn zeros<T: Real>(n: usize) -> Vec<T> {
    let mut buffer = take(n);
    buffer.fill(T::ZERO);
    buffer
}

/// Brings a buffer back.
pub(crate) fn give<T: Real>(buffer: Vec<T>) {
    if buffer.len() >= SMALL {
        T::pool().with(|state| state.give(buffer));
    }
}

/// A forward and backward pass begins: what earlier ones took and never brought back is forgotten.
pub(crate) fn begin_pass<T: Real>() {
    T::pool().with(|state| {
        state.n_out = 0;
        state.most_out = [0, state.most_out[0]];
    });
}

impl<T> State<T> {
    /// A waiting buffer for `n` elements, if there is one.
    fn take(&mut self, n: usize) -> Option<Vec<T>> {
        let found = self.fitting(n);
        self.n_out += found.as_ref().map_or(n, Vec::capacity);
        self.most_out[0] = self.most_out[0].max(self.n_out);
        found
    }

    fn give(&mut self, buffer: Vec<T>) {
        let n = buffer.capacity();
        self.n_out = self.n_out.saturating_sub(n);
        if self.n_out + self.n_waiting + n <= self.most_out[0].max(self.most_out[1]) {
            self.n_waiting += n;
            self.waiting.push(buffer);
        }
    }

    /// The smallest that is large enough and not much larger; if there is none, room is made instead.
    fn fitting(&mut self, n: usize) -> Option<Vec<T>> {
        let fits = |buffer: &Vec<T>| buffer.capacity() >= n && buffer.capacity() <= n + n / 4;
        let fitting = self.waiting.iter().enumerate().filter(|(_, buffer)| fits(buffer));
        if let Some((index, _)) = fitting.min_by_key(|(_, buffer)| buffer.capacity()) {
            let buffer = self.waiting.swap_remove(index);
            self.n_waiting -= buffer.capacity();
            return Some(buffer);
        }
        let mut freed = 0;
        while freed < n && !self.waiting.is_empty() {
            freed += self.waiting.remove(0).capacity();
        }
        self.n_waiting -= freed;
        None
    }

    fn clear(&mut self) {
        self.waiting = Vec::new();
        self.n_waiting = 0;
    }
}

/// Gives all waiting memory back to the system.
pub fn release_buffers() {
    f32::pool().with(State::clear);
    f64::pool().with(State::clear);
}
