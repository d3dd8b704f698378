//! First-party components, built by `cargo xtask guests` and embedded.

/// Id and component of every plugin that comes with luthier.
pub fn builtins() -> &'static [(&'static str, &'static [u8])] {
    &[
        ("text-to-sql", include_bytes!("../../text-to-sql/text-to-sql.wasm")),
        ("execution-accuracy", include_bytes!("../../execution-accuracy/execution-accuracy.wasm")),
        ("exact-match", include_bytes!("../../exact-match/exact-match.wasm")),
    ]
}

/// The component of one of them.
pub fn builtin(id: &str) -> Option<&'static [u8]> {
    builtins().iter().find(|(builtin, _)| *builtin == id).map(|(_, bytes)| *bytes)
}
