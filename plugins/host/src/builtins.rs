//! First-party components, built by `cargo xtask guests` and embedded.

/// Id and component of every plugin that comes with luthier.
pub fn builtins() -> &'static [(&'static str, &'static [u8])] {
    &[
        ("text-to-sql", include_bytes!("../../text-to-sql/text-to-sql.wasm")),
        ("execution-accuracy", include_bytes!("../../execution-accuracy/execution-accuracy.wasm")),
        ("exact-match", include_bytes!("../../exact-match/exact-match.wasm")),
        ("f1", include_bytes!("../../f1/f1.wasm")),
        ("precision-recall-f1", include_bytes!("../../precision-recall-f1/precision-recall-f1.wasm")),
        ("bleu", include_bytes!("../../bleu/bleu.wasm")),
        ("chrf", include_bytes!("../../chrf/chrf.wasm")),
        ("rouge", include_bytes!("../../rouge/rouge.wasm")),
        ("levenshtein", include_bytes!("../../levenshtein/levenshtein.wasm")),
        ("regex", include_bytes!("../../regex/regex.wasm")),
        ("json-validity", include_bytes!("../../json-validity/json-validity.wasm")),
        ("pass-at-k", include_bytes!("../../pass-at-k/pass-at-k.wasm")),
        ("perplexity", include_bytes!("../../perplexity/perplexity.wasm")),
        ("bits-per-byte", include_bytes!("../../bits-per-byte/bits-per-byte.wasm")),
        ("multiple-choice", include_bytes!("../../multiple-choice/multiple-choice.wasm")),
        ("custom", include_bytes!("../../custom/custom.wasm")),
        ("code-generation", include_bytes!("../../code-generation/code-generation.wasm")),
    ]
}

/// The component of one of them.
pub fn builtin(id: &str) -> Option<&'static [u8]> {
    builtins().iter().find(|(builtin, _)| *builtin == id).map(|(_, bytes)| *bytes)
}
