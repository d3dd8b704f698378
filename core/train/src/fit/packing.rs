//! Packing: sequences of different lengths into rows of equal size, so that every micro-batch has
//! about the same number of tokens. Nothing is cut, and sequences of a row never see each other: the
//! model takes a row as what it is, several sequences, each with positions of its own.
//!
//! Best fit decreasing: the longest first, each into the fullest row that still has room. The number
//! of rows depends on the lengths alone, so that every epoch has as many.

use std::collections::BTreeMap;

/// Rows of at most `capacity` tokens, as places in `order`'s sequences of these `lengths`. A sequence
/// that is longer has a row of its own. Of equal lengths, the first in `order` comes first.
pub(super) fn pack(order: &[usize], lengths: &[usize], capacity: usize) -> Vec<Vec<usize>> {
    let mut decreasing: Vec<usize> = order.to_vec();
    decreasing.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut rows: Vec<Vec<usize>> = Vec::new();
    // Rows by the room that they have left, oldest first.
    let mut open: BTreeMap<usize, std::collections::VecDeque<usize>> = BTreeMap::new();
    for index in decreasing {
        let length = lengths[index];
        let fitting = open.range_mut(length..).next().map(|(&room, rows)| (room, rows.pop_front()));
        let (row, room) = match fitting {
            Some((room, Some(row))) => {
                rows[row].push(index);
                (row, room - length)
            }
            _ => {
                rows.push(vec![index]);
                (rows.len() - 1, capacity.saturating_sub(length))
            }
        };
        if let Some((used, _)) = fitting
            && open.get(&used).is_some_and(std::collections::VecDeque::is_empty)
        {
            open.remove(&used);
        }
        if room > 0 {
            open.entry(room).or_default().push_back(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests;
