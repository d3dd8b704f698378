//! Everything a run may depend on besides its rows and its configuration.

/// What the host says about the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Names the run in log lines; results must not depend on it.
    pub run_id: String,
    /// The only source of randomness.
    pub seed: u64,
    /// BCP 47 tag, as `en`.
    pub locale: String,
    /// The host sends no batch with more rows, and accepts none.
    pub max_batch_rows: u32,
    /// The host sends no batch with more bytes, and accepts none.
    pub max_batch_bytes: u32,
}

impl Context {
    /// A context for native use: the given seed, English, wide limits.
    pub fn with_seed(seed: u64) -> Self {
        Self { run_id: String::new(), seed, locale: "en".to_owned(), max_batch_rows: 65_536, max_batch_bytes: 64 << 20 }
    }
}
