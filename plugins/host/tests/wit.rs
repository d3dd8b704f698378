//! The interface keeps its word: what was frozen still fits (the policy of wit/README.md, as a check).
//!
//! wit-component has a check of its own behind a feature that would rebuild wasmtime's macros; this one names what broke.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use wit_parser::{FunctionKind, Handle, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldItem, WorldKey};

/// An interface as a table: of each item its full shape in words.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    package: String,
    /// `data.batch` → `record { rows: u32, … }`
    items: BTreeMap<String, String>,
    functions: BTreeMap<String, BTreeSet<String>>,
    imports: BTreeMap<String, BTreeSet<String>>,
    exports: BTreeMap<String, BTreeSet<String>>,
}

impl Shape {
    fn read(text: &str) -> Shape {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("plugin.wit", text).unwrap_or_else(|error| panic!("{error:#}"));
        let mut shape = Shape { package: resolve.packages[package].name.to_string(), ..Shape::default() };
        for (name, id) in &resolve.packages[package].interfaces {
            shape.interface(&resolve, name, *id);
        }
        for (name, id) in &resolve.packages[package].worlds {
            let world = &resolve.worlds[*id];
            let imports = world.imports.iter().map(|(key, item)| part(&resolve, key, item)).collect();
            let exports = world.exports.iter().map(|(key, item)| part(&resolve, key, item)).collect();
            shape.imports.insert(name.clone(), imports);
            shape.exports.insert(name.clone(), exports);
        }
        shape
    }

    fn interface(&mut self, resolve: &Resolve, name: &str, id: InterfaceId) {
        let interface = &resolve.interfaces[id];
        for (item, ty) in &interface.types {
            self.items.insert(format!("{name}.{item}"), definition(resolve, *ty));
        }
        for (item, function) in &interface.functions {
            self.items.insert(format!("{name}.{item}"), signature(resolve, function));
            self.functions.entry(name.to_owned()).or_default().insert(item.clone());
        }
    }

    /// Interfaces that some world exports.
    fn exported(&self) -> BTreeSet<&String> {
        self.exports.values().flatten().collect()
    }
}

fn part(resolve: &Resolve, key: &WorldKey, item: &WorldItem) -> String {
    let name = match key {
        WorldKey::Name(name) => name.clone(),
        WorldKey::Interface(id) => resolve.interfaces[*id].name.clone().unwrap_or_default(),
    };
    match item {
        WorldItem::Interface { .. } => name,
        WorldItem::Function(function) => format!("{name}: {}", signature(resolve, function)),
        WorldItem::Type { id, .. } => format!("type {name} = {}", definition(resolve, *id)),
    }
}

fn signature(resolve: &Resolve, function: &wit_parser::Function) -> String {
    let kind = match function.kind {
        FunctionKind::Freestanding => "func".to_owned(),
        FunctionKind::Method(id) => format!("method of {}", named(resolve, id)),
        FunctionKind::Static(id) => format!("static of {}", named(resolve, id)),
        FunctionKind::Constructor(id) => format!("constructor of {}", named(resolve, id)),
        ref other => panic!("{other:?}: the interface has no asynchronous functions"),
    };
    let params: Vec<String> =
        function.params.iter().map(|param| format!("{}: {}", param.name, spelled(resolve, &param.ty))).collect();
    let result = function.result.map_or("nothing".to_owned(), |ty| spelled(resolve, &ty));
    format!("{kind}({}) -> {result}", params.join(", "))
}

fn named(resolve: &Resolve, id: TypeId) -> String {
    resolve.types[id].name.clone().unwrap_or_default()
}

/// A type where it is used: by name if it has one; what the name means is compared where it is defined.
fn spelled(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => match &resolve.types[*id].name {
            Some(name) => name.clone(),
            None => definition(resolve, *id),
        },
        other => format!("{other:?}").to_lowercase(),
    }
}

fn definition(resolve: &Resolve, id: TypeId) -> String {
    let of = |ty: &Type| spelled(resolve, ty);
    let maybe = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), of);
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            let fields = record.fields.iter().map(|field| format!("{}: {}", field.name, of(&field.ty)));
            format!("record {{ {} }}", fields.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| format!("{}({})", case.name, maybe(&case.ty)));
            format!("variant {{ {} }}", cases.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Enum(cases) => {
            format!("enum {{ {} }}", cases.cases.iter().map(|case| case.name.clone()).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Flags(flags) => {
            format!("flags {{ {} }}", flags.flags.iter().map(|flag| flag.name.clone()).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Tuple(tuple) => format!("tuple<{}>", tuple.types.iter().map(of).collect::<Vec<_>>().join(", ")),
        TypeDefKind::Option(ty) => format!("option<{}>", of(ty)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", maybe(&result.ok), maybe(&result.err)),
        TypeDefKind::List(ty) => format!("list<{}>", of(ty)),
        TypeDefKind::Handle(Handle::Own(id)) => format!("own<{}>", named(resolve, *id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => format!("borrow<{}>", named(resolve, *id)),
        TypeDefKind::Resource => "resource".to_owned(),
        // `use data.{batch}`: the name, as it is defined there.
        TypeDefKind::Type(ty) => format!("= {}", of(ty)),
        other => panic!("{other:?}: a form that the interface does not use"),
    }
}

/// What of the policy `now` breaks.
fn breaks(frozen: &Shape, now: &Shape) -> Vec<String> {
    let mut found = Vec::new();
    let minor = |package: &str| package.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    if minor(&frozen.package) != minor(&now.package) {
        found.push(format!("the package is {}, frozen as {}", now.package, frozen.package));
    }
    for (name, shape) in &frozen.items {
        match now.items.get(name) {
            None => found.push(format!("{name} is gone")),
            Some(other) if other != shape => found.push(format!("{name} is {other}, frozen as {shape}")),
            Some(_) => {}
        }
    }
    for interface in frozen.exported() {
        let empty = BTreeSet::new();
        let old = frozen.functions.get(interface).unwrap_or(&empty);
        for new in now.functions.get(interface).unwrap_or(&empty).difference(old) {
            found.push(format!("{interface}.{new} is new in an interface that plugins export"));
        }
    }
    for (world, old) in &frozen.imports {
        let Some(new) = now.imports.get(world) else {
            found.push(format!("the world {world} is gone"));
            continue;
        };
        found.extend(old.difference(new).map(|import| format!("the world {world} no longer imports {import}")));
    }
    for (world, old) in &frozen.exports {
        if now.exports.get(world).is_some_and(|new| new != old) {
            found.push(format!("the world {world} exports other things"));
        }
    }
    found
}

fn wit() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn current() -> String {
    std::fs::read_to_string(wit().join("plugin.wit")).unwrap()
}

#[test]
fn everything_frozen_still_fits() {
    let now = Shape::read(&current());
    let mut n_frozen = 0;
    for entry in std::fs::read_dir(wit()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(minor) = name.strip_prefix("since-") else { continue };
        n_frozen += 1;
        let frozen = Shape::read(&std::fs::read_to_string(entry.path().join("plugin.wit")).unwrap());
        assert!(frozen.package.contains(&format!("@{minor}.")), "{name} holds {}", frozen.package);
        if now.package.contains(&format!("@{minor}.")) {
            assert_eq!(breaks(&frozen, &now), Vec::<String>::new(), "against {name}; see wit/README.md");
        }
    }
    assert!(n_frozen > 0, "no frozen copy");
}

/// The check can fail, and lets through what the policy allows.
#[test]
fn a_change_is_judged_by_the_policy() {
    let text = current();
    let frozen = Shape::read(&text);
    let judged = |from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        breaks(&frozen, &Shape::read(&text.replace(from, to)))
    };
    for (from, to, finding) in [
        ("record row-issue { row: u32,", "record row-issue { row: u64,", "data.row-issue is record { row: u64"),
        ("enum level { trace,", "enum level { all, trace,", "log.level is enum { all"),
        ("log: func(level: level, message: string);", "", "log.log is gone"),
        ("flags stages { generate,", "flags stages { plan, generate,", "template.stages is flags { plan"),
        (
            "validate: func(rows: batch)",
            "validate: func(rows: list<batch>)",
            "template.[method]pipeline.validate is method",
        ),
        (
            "  describe: func() -> descriptor;\n\n  resource session",
            "  describe: func() -> descriptor;\n  more: func();\n\n  resource session",
            "metric.more is new in an interface that plugins export",
        ),
        (
            "world metric-plugin-sql { import log; import sql;",
            "world metric-plugin-sql { import sql;",
            "the world metric-plugin-sql no longer imports log",
        ),
        (
            "export score-row: func(prediction: string,",
            "export score-row: func(answer: string,",
            "the world row-metric exports other",
        ),
        ("package luthier:plugin@0.1.0", "package luthier:plugin@0.2.0", "the package is luthier:plugin@0.2.0"),
    ] {
        let found = judged(from, to);
        assert!(found.iter().any(|line| line.starts_with(finding)), "{finding}: {found:?}");
    }
    for (from, to) in [
        (
            "world metric-plugin { import log;",
            "interface clock { now: func() -> u64; }\nworld metric-plugin { import log;",
        ),
        ("interface log {", "interface log {\n  flush: func();"),
        ("world metric-plugin { import log;", "world metric-plugin { import log; import exec;"),
        ("package luthier:plugin@0.1.0", "package luthier:plugin@0.1.1"),
    ] {
        assert_eq!(judged(from, to), Vec::<String>::new(), "{to}");
    }
}
