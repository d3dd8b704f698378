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
