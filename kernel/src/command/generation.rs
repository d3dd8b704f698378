//! Keys of `GenerationSpec`, which `ask` takes at its top level and `evaluate` in a table.

use super::{Key, Kind};

/// At the top level.
pub const TOP: [Key; 6] = keys(["max_new_tokens", "temperature", "top_k", "top_p", "stop", "seed"]);

/// In `[generation]`.
pub const TABLE: [Key; 6] = keys([
    "generation.max_new_tokens",
    "generation.temperature",
    "generation.top_k",
    "generation.top_p",
    "generation.stop",
    "generation.seed",
]);

const fn keys(names: [&'static str; 6]) -> [Key; 6] {
    [
        Key::new(names[0], Kind::Count, "128", "Upper bound of new tokens."),
        Key::new(names[1], Kind::Number, "0.0", "0 takes the likeliest token (greedy); higher is more varied."),
        Key::new(names[2], Kind::Count, "0", "Sample among the k likeliest tokens; 0 keeps all."),
        Key::new(names[3], Kind::Number, "1.0", "Sample among the fewest tokens that have this much probability."),
        Key::new(names[4], Kind::List, "[]", "Generation ends before any of these texts."),
        Key::new(names[5], Kind::Count, "0", "Seed of the sampler."),
    ]
}

/// The server of `openai:NAME` models.
pub const PROVIDER: [Key; 8] = [
    Key::new("base_url", Kind::Text, "https://api.openai.com/v1", "Address of the server of openai:NAME models."),
    Key::new("provider.api_key_env", Kind::Text, "OPENAI_API_KEY", "Environment variable with the key."),
    Key::new("provider.timeout_s", Kind::Number, "120.0", "Longest wait for one answer, in seconds."),
    Key::new("provider.attempts", Kind::Count, "5", "How often one request is tried."),
    Key::new(
        "provider.pause_s",
        Kind::Number,
        "1.0",
        "Pause before the second attempt; doubled before each further one.",
    ),
    Key::new("provider.concurrency", Kind::Count, "4", "Requests at a time."),
    Key::new("provider.input_price", Kind::Number, "", "Price of a million tokens of prompts."),
    Key::new("provider.output_price", Kind::Number, "", "Price of a million tokens of answers."),
];
