/// Where generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopMatch {
    /// Byte offset of the cut: the text before the stop string.
    pub cut: usize,
    /// The stop string.
    pub stop: String,
}

/// Looks for stop strings in text that grows.
#[derive(Debug, Clone)]
pub struct StopMatcher {
    stops: Vec<String>,
}

impl StopMatcher {
    /// Empty strings are ignored.
    pub fn new(stops: &[String]) -> Self {
        StopMatcher {
            stops: stops.to_vec(),
        }
    }
    /// Looks at the whole text so far.
    pub fn check(&mut self, text: &str) -> Option<StopMatch> {
        let _ = (text, &self.stops);
        unimplemented!()
    }
}
