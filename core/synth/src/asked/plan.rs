//! What is asked for, in which order.

use luthier_protocol::spec::GenerationSpec;

use crate::template::Seed;

/// So many requests in a row may bring nothing new before asking ends.
pub const MAX_BARREN_REQUESTS: u32 = 20;

/// What to ask a model for.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Rows to be kept.
    pub wanted: u32,
    /// Taken in turn; none: no topic.
    pub topics: Vec<String>,
    /// Passages of documents, taken in turn; none: no document.
    pub documents: Vec<String>,
    /// Rows asked at a time.
    pub per_request: u32,
    /// Requests sent at a time.
    pub concurrency: usize,
    /// Rows whose text has at least this much in common with a kept one (F-measure of the longest common
    /// subsequence of words) are near duplicates; 0 keeps them.
    pub near_duplicates: f64,
    /// Asking ends once so many tokens have been used.
    pub max_tokens: Option<u64>,
    /// How answers are generated, unless the template says otherwise.
    pub generation: GenerationSpec,
}

impl Plan {
    /// The requests from number `first` on: enough for `missing` rows, at most as many as are sent
    /// together. `recent` gives what was kept last of a topic.
    pub(super) fn seeds(&self, first: usize, missing: u64, recent: impl Fn(&str) -> Vec<String>) -> Vec<Seed> {
        let mut seeds = Vec::new();
        let mut left = missing;
        while left > 0 && seeds.len() < self.concurrency.max(1) {
            let number = first + seeds.len();
            let n_rows = u64::from(self.per_request.max(1)).min(left);
            let turn = |items: &[String]| -> String {
                if items.is_empty() { String::new() } else { items[number % items.len()].clone() }
            };
            let topic = turn(&self.topics);
            seeds.push(Seed {
                request_id: format!("request-{number}"),
                number: number as u64,
                avoid: recent(&topic),
                topic,
                document: turn(&self.documents),
                n_rows: n_rows as u32,
            });
            left -= n_rows;
        }
        seeds
    }
}
