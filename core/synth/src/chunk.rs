//! Documents in passages: every character is in one, and each begins after the one before.

/// Characters of a passage.
pub const PASSAGE: usize = 1000;
/// Characters that a passage repeats of the one before.
pub const OVERLAP: usize = 100;
/// A passage ends at the last of these, if there is one in its second half.
const ENDS: [&str; 5] = ["\n\n", "\n", ". ", "! ", "? "];

/// Passages of at most `size` characters, each with `overlap` of the one before; ends at a paragraph,
/// a line or a sentence where one ends in its second half.
pub fn passages(document: &str, size: usize, overlap: usize) -> Vec<String> {
    let characters: Vec<char> = document.chars().collect();
    let passage = |(begin, end)| characters[begin..end].iter().collect::<String>();
    let passages = spans(&characters, size, overlap).into_iter().map(passage);
    passages.filter(|passage| !passage.trim().is_empty()).collect()
}

/// First and last character of each passage.
fn spans(characters: &[char], size: usize, overlap: usize) -> Vec<(usize, usize)> {
    let size = size.max(2);
    let overlap = overlap.min((size - 1) / 2);
    let mut spans = Vec::new();
    let mut begin = 0;
    while begin < characters.len() {
        let limit = (begin + size).min(characters.len());
        let end = if limit == characters.len() { limit } else { end_of(characters, begin, limit) };
        spans.push((begin, end));
        if end == characters.len() {
            break;
        }
        // A passage is longer than half its size, the overlap is not: the next one begins later.
        begin = end - overlap;
    }
    spans
}

fn end_of(characters: &[char], begin: usize, limit: usize) -> usize {
    let half = begin + (limit - begin) / 2 + 1;
    let found = ENDS.iter().find_map(|mark| {
        let mark: Vec<char> = mark.chars().collect();
        (half..limit).rev().find(|&end| end >= mark.len() && characters[end - mark.len()..end] == mark[..])
    });
    found.unwrap_or(limit)
}

#[cfg(test)]
mod tests;
