//! Crate directions and third-party bans, read from `cargo metadata` against the table below
//! (explained in ARCHITECTURE.md). Dev-dependencies are free: a test may use what it likes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// One row of the table.
struct Rule {
    name: &'static str,
    /// Crates of ours that it may depend on directly.
    may: &'static [&'static str],
    /// Prefixes of third-party crates that must not appear anywhere below it.
    never: &'static [&'static str],
}

const JUPYTER: &str = "jupyter-";

const RULES: &[Rule] = &[
    Rule {
        name: "luthier-protocol",
        may: &[],
        never: &["tokio", "candle-", "wasmtime", "arrow-", "parquet", JUPYTER, "evcxr"],
    },
    Rule {
        name: "luthier-data",
        may: &["luthier-protocol"],
        never: &["candle-", "wasmtime", JUPYTER, "evcxr", "tokio"],
    },
    Rule { name: "luthier-model", may: &[], never: &["arrow-", "wasmtime", JUPYTER, "evcxr", "tokio"] },
    Rule {
        name: "luthier-train",
        may: &["luthier-data", "luthier-model"],
        never: &["wasmtime", JUPYTER, "evcxr", "tokio"],
    },
    Rule { name: "luthier-lm", may: &["luthier-protocol"], never: &["candle-", "wasmtime", JUPYTER, "evcxr"] },
    Rule {
        name: "luthier-synth",
        may: &["luthier-data", "luthier-lm", "luthier-protocol"],
        never: &["candle-", "wasmtime", JUPYTER, "evcxr"],
    },
    Rule {
        name: "luthier-eval",
        may: &["luthier-data", "luthier-lm", "luthier-protocol"],
        never: &["candle-", "wasmtime", JUPYTER, "evcxr"],
    },
    Rule {
        name: "luthier-plugin-host",
        may: &[
            "luthier-data",
            "luthier-synth",
            "luthier-eval",
            "luthier-protocol",
            "luthier-plugin",
            "luthier-plugin-build",
        ],
        never: &["candle-", JUPYTER, "evcxr", "tokio"],
    },
    Rule {
        name: "luthier-engine",
        may: &[
            "luthier-protocol",
            "luthier-data",
            "luthier-model",
            "luthier-train",
            "luthier-lm",
            "luthier-synth",
            "luthier-eval",
            "luthier-plugin-host",
            "luthier-plugin-build",
        ],
        never: &[JUPYTER, "evcxr", "tokio"],
    },
    Rule { name: "luthier", may: &["luthier-protocol"], never: &["tokio", "candle-", "wasmtime", "parquet"] },
    Rule {
        name: "luthier-kernel",
        may: &["luthier-protocol", "luthier"],
        never: &["candle-", "wasmtime", "parquet", "tokenizers"],
    },
    Rule { name: "luthier-plugin-build", may: &[], never: &["tokio", "wasmtime", "candle-", "arrow-", JUPYTER] },
    Rule { name: "luthier-plugin", may: &[], never: &["tokio", "wasmtime", "candle-", "arrow-", "parquet", JUPYTER] },
];

/// Crates that may import anything.
const FREE: &[&str] = &["luthier-tests", "luthier-benches", "luthier-pico", "xtask"];

pub(crate) fn run() -> Result<()> {
    let text = shell::output(shell::cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let problems = check(&serde_json::from_str(&text)?)?;
    if problems.is_empty() {
        shell::say("depcheck: every crate keeps to the table");
        return Ok(());
    }
    bail!("{}", problems.join("\n"))
}

/// All violations in a `cargo metadata` document, in the table's order.
fn check(metadata: &Value) -> Result<Vec<String>> {
    let graph = Graph::read(metadata)?;
    let mut problems = Vec::new();
    for member in &graph.members {
        if FREE.contains(&member.as_str()) {
            continue;
        }
        match rule_for(member, &graph) {
            Some(rule) => problems.extend(graph.violations(member, &rule)),
            None => problems.push(format!("{member}: not in depcheck's table; add a row with what it may import")),
        }
    }
    Ok(problems)
}

/// The table's row; a guest (anything else under `plugins/` or `tests/guests/`) may import the SDK only.
fn rule_for(member: &str, graph: &Graph) -> Option<Rule> {
    if let Some(rule) = RULES.iter().find(|rule| rule.name == member) {
        return Some(Rule { name: rule.name, may: rule.may, never: rule.never });
    }
    let is_guest = |path: &String| path.contains("/plugins/") || path.contains("/tests/guests/");
    let is_plugin = graph.manifests.get(member).is_some_and(is_guest);
    is_plugin.then_some(Rule {
        name: "plugin",
        may: &["luthier-plugin", "luthier-python-source"],
        never: &["tokio", "wasmtime", "candle-", "arrow-", "parquet", JUPYTER],
    })
}

/// Who depends on whom outside tests.
struct Graph {
    members: BTreeSet<String>,
    manifests: BTreeMap<String, String>,
    /// By package id: name, and ids of normal dependencies.
    nodes: BTreeMap<String, (String, Vec<String>)>,
}

impl Graph {
    fn read(metadata: &Value) -> Result<Graph> {
        let packages = metadata["packages"].as_array().context("no packages in cargo metadata")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let names: BTreeMap<String, String> =
            packages.iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let manifests =
            packages.iter().map(|package| (text(&package["name"]), text(&package["manifest_path"]))).collect();
        let members = metadata["workspace_members"]
            .as_array()
            .context("no workspace_members in cargo metadata")?
            .iter()
            .filter_map(|id| names.get(id.as_str()?).cloned())
            .collect();
        let mut nodes = BTreeMap::new();
        for node in metadata["resolve"]["nodes"].as_array().context("no resolve in cargo metadata")? {
            let id = text(&node["id"]);
            let deps = node["deps"].as_array().map(Vec::as_slice).unwrap_or_default();
            let normal = deps.iter().filter(|dep| is_normal(dep)).map(|dep| text(&dep["pkg"])).collect();
            nodes.insert(id.clone(), (names.get(&id).cloned().unwrap_or_default(), normal));
        }
        Ok(Graph { members, manifests, nodes })
    }

    fn violations(&self, member: &str, rule: &Rule) -> Vec<String> {
        let mut problems = Vec::new();
        let Some((id, (_, direct))) = self.nodes.iter().find(|(_, (name, _))| name == member) else {
            return problems;
        };
        for dep in direct.iter().filter_map(|dep| self.nodes.get(dep)).map(|(name, _)| name) {
            if self.members.contains(dep) && !rule.may.contains(&dep.as_str()) {
                problems.push(format!("{member} depends on {dep}; it may depend on: {}", list(rule.may)));
            }
        }
        for (name, path) in self.below(id) {
            if rule.never.iter().any(|banned| name.starts_with(banned)) && !self.members.contains(&name) {
                problems.push(format!("{member} must never import {name}, reached through {}", path.join(" → ")));
            }
        }
        problems
    }

    /// Everything below a package, each with one path that leads there.
    fn below(&self, start: &str) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let mut seen = BTreeSet::from([start.to_owned()]);
        let mut queue = vec![(start.to_owned(), Vec::new())];
        while let Some((id, path)) = queue.pop() {
            let Some((name, deps)) = self.nodes.get(&id) else { continue };
            let mut here = path.clone();
            here.push(name.clone());
            for dep in deps.iter().filter(|dep| seen.insert((*dep).clone())) {
                queue.push((dep.clone(), here.clone()));
            }
            if id != start {
                found.insert(name.clone(), path);
            }
        }
        found
    }
}

fn is_normal(dep: &Value) -> bool {
    dep["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none of ours".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
