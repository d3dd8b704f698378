//! Stop strings in text that grows token by token.
//!
//! ```
//! use luthier_data::StopMatcher;
//! let mut matcher = StopMatcher::new(&[";".into()]);
//! assert!(matcher.check("SELECT 1").is_none());
//! assert_eq!(matcher.check("SELECT 1; SELECT 2").unwrap().cut, 8);
//! ```

/// Where a stop string occurred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopMatch {
    /// Byte offset of the stop string: the completion is `&text[..cut]`.
    pub cut: usize,
    /// The stop string.
    pub stop: String,
}

/// Finds the first of several stop strings. One matcher follows one growing text.
#[derive(Debug, Clone)]
pub struct StopMatcher {
    stops: Vec<String>,
    longest: usize,
    /// Bytes already searched.
    searched: usize,
}

impl StopMatcher {
    /// Empty strings are no stop strings.
    pub fn new(stops: &[String]) -> Self {
        let stops: Vec<String> = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        let longest = stops.iter().map(String::len).max().unwrap_or(0);
        StopMatcher { stops, longest, searched: 0 }
    }

    /// Looks at the whole text so far, of which only the new end is searched. Of several stop
    /// strings the one that begins first counts, of those the longest.
    ///
    /// The tail of decoded text may change when a character is completed by the next token; so many
    /// bytes before the end are searched again.
    pub fn check(&mut self, text: &str) -> Option<StopMatch> {
        /// Bytes of a replacement character and of the longest UTF-8 sequence it may stand for.
        const UNSTABLE_TAIL: usize = 4 * 3;
        let mut from = self.searched.saturating_sub(self.longest + UNSTABLE_TAIL).min(text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        self.searched = text.len();
        let found = self.stops.iter().filter_map(|stop| Some((from + text[from..].find(stop.as_str())?, stop)));
        let (cut, stop) = found.min_by_key(|(cut, stop)| (*cut, usize::MAX - stop.len()))?;
        Some(StopMatch { cut, stop: stop.clone() })
    }

    /// How much of the text can no longer become part of a stop string: what may be streamed.
    pub fn settled(&self, text: &str) -> usize {
        let mut settled = text.len();
        for stop in &self.stops {
            let overlap = (1..stop.len().min(text.len() + 1))
                .rev()
                .find(|n| stop.is_char_boundary(*n) && text.ends_with(&stop[..*n]));
            settled = settled.min(text.len() - overlap.unwrap_or(0));
        }
        settled
    }
}

#[cfg(test)]
mod tests;
