//! Memory that blocks and steps use again.
//!
//! A training step takes and drops hundreds of megabytes in pieces of a few; asking the system for them
//! each time costs page faults, and filling them with zeros a pass over each. [`take`] hands out old
//! buffers as they are, [`give`] brings them back. Who does not give a buffer back merely loses it for
//! others: it is an ordinary `Vec`.
//!
//! What waits to be used is bounded: a buffer that must be allocated replaces waiting ones of at least
//! its size, so that with steps of changing shapes the pool does not add to the peak.

#[cfg(test)]
mod tests;

use crate::real::Real;
use std::sync::Mutex;

/// Buffers below this many elements are not worth the lock.
const SMALL: usize = 1 << 10;

/// Waiting buffers, the latest last.
#[derive(Debug)]
pub(crate) struct Pool<T>(Mutex<Vec<Vec<T>>>);

impl<T> Pool<T> {
    pub(crate) const fn new() -> Self {
        Pool(Mutex::new(Vec::new()))
    }

    fn with<R>(&self, work: impl FnOnce(&mut Vec<Vec<T>>) -> R) -> Option<R> {
        self.0.lock().ok().map(|mut waiting| work(&mut waiting))
    }
}

/// `n` elements of unknown content.
pub(crate) fn take<T: Real>(n: usize) -> Vec<T> {
    if n < SMALL {
        return vec![T::ZERO; n];
    }
    match T::pool().with(|waiting| fitting(waiting, n)).flatten() {
        Some(mut buffer) => {
            buffer.resize(n, T::ZERO);
            buffer
        }
        None => vec![T::ZERO; n],
    }
}

/// Brings a buffer back.
pub(crate) fn give<T: Real>(buffer: Vec<T>) {
    if buffer.len() >= SMALL {
        T::pool().with(|waiting| waiting.push(buffer));
    }
}

/// The smallest that is large enough and not much larger; if there is none, room is made instead.
fn fitting<T>(waiting: &mut Vec<Vec<T>>, n: usize) -> Option<Vec<T>> {
    let fits = |buffer: &Vec<T>| buffer.capacity() >= n && buffer.capacity() <= n + n / 4;
    let best =
        waiting.iter().enumerate().filter(|(_, buffer)| fits(buffer)).min_by_key(|(_, buffer)| buffer.capacity());
    if let Some((index, _)) = best {
        return Some(waiting.swap_remove(index));
    }
    let mut freed = 0;
    while freed < n && !waiting.is_empty() {
        freed += waiting.remove(0).capacity();
    }
    None
}

/// Gives all waiting memory back to the system.
pub fn release_buffers() {
    f32::pool().with(Vec::clear);
    f64::pool().with(Vec::clear);
}
