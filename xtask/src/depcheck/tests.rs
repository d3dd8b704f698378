use serde_json::{Value, json};

use super::check;

/// A workspace of the given members (name, dependencies) over third-party crates.
fn metadata(packages: &[(&str, &str, &[&str])], members: &[&str]) -> Value {
    let kind = json!([{ "kind": null }]);
    json!({
        "packages": packages.iter().map(|(name, path, _)| json!({
            "id": name, "name": name, "manifest_path": path })).collect::<Vec<_>>(),
        "workspace_members": members,
        "resolve": { "nodes": packages.iter().map(|(name, _, deps)| json!({
            "id": name,
            "deps": deps.iter().map(|dep| json!({ "pkg": dep, "dep_kinds": kind })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>() },
    })
}

#[test]
fn a_clean_graph_has_no_problems() {
    let graph = metadata(
        &[("luthier-data", "/r/core/data", &["luthier-protocol"]), ("luthier-protocol", "/r/core/protocol", &[])],
        &["luthier-data", "luthier-protocol"],
    );
    assert_eq!(check(&graph).unwrap(), Vec::<String>::new());
}

#[test]
fn a_forbidden_direction_is_named() {
    let graph = metadata(
        &[("luthier-model", "/r/core/model", &["luthier-data"]), ("luthier-data", "/r/core/data", &[])],
        &["luthier-model", "luthier-data"],
    );
    let problems = check(&graph).unwrap();
    assert_eq!(problems, ["luthier-model depends on luthier-data; it may depend on: none of ours"]);
}

#[test]
fn a_banned_crate_is_found_through_others() {
    let graph = metadata(
        &[
            ("luthier-eval", "/r/core/eval", &["helper"]),
            ("helper", "/registry/helper", &["candle-core"]),
            ("candle-core", "/registry/candle-core", &[]),
        ],
        &["luthier-eval"],
    );
    let problems = check(&graph).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("candle-core, reached through luthier-eval → helper"), "{problems:?}");
}

#[test]
fn a_plugin_may_import_the_sdk_only_and_strangers_are_refused() {
    let graph = metadata(
        &[
            ("luthier-exact-match", "/r/plugins/exact-match", &["luthier-eval"]),
            ("luthier-eval", "/r/core/eval", &[]),
            ("luthier-mystery", "/r/core/mystery", &[]),
        ],
        &["luthier-exact-match", "luthier-eval", "luthier-mystery"],
    );
    let problems = check(&graph).unwrap();
    assert!(problems.iter().any(|problem| problem.starts_with("luthier-exact-match depends on luthier-eval")));
    assert!(problems.iter().any(|problem| problem.starts_with("luthier-mystery: not in depcheck's table")));
}
