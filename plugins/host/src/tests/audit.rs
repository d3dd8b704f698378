use super::support::{HOSTILE, host, limits};
use crate::{Error, Host, HostConfig, Kind, Limits};

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(format!("(component {text})")).unwrap()
}

fn load_error(bytes: &[u8]) -> Error {
    let error = host().load(bytes).err().unwrap();
    // The host still loads.
    host().load(&row_metric("i32.const 0", NAN, "1")).unwrap();
    error
}

#[test]
fn a_plugin_is_what_it_exports_and_may_what_it_imports() {
    let audit = host().audit(crate::builtin("execution-accuracy").unwrap()).unwrap();
    assert_eq!((audit.kind, audit.world), (Kind::Metric, "metric-plugin-sql"));
    assert!(audit.imports.contains(&"luthier:plugin/sql@0.1.0".to_owned()));
    assert!(audit.digest.starts_with("sha256:") && audit.digest.len() == 71);
    let audit = host().audit(crate::builtin("exact-match").unwrap()).unwrap();
    assert_eq!((audit.kind, audit.world), (Kind::RowMetric, "row-metric"));
}

#[test]
fn wasi_is_refused_in_the_authors_words() {
    let bytes = component(
        r#"(import "wasi:filesystem/types@0.2.3" (instance))
           (import "wasi:cli/environment@0.2.3" (instance))"#,
    );
    assert_eq!(
        load_error(&bytes).to_string(),
        "plugin asks for wasi:filesystem/types@0.2.3, wasi:cli/environment@0.2.3; luthier gives plugins no WASI; \
         build for wasm32-unknown-unknown instead of wasm32-wasip1 or wasip2 (Python: componentize-py --stub-wasi)"
    );
}

#[test]
fn other_imports_and_versions_are_refused() {
    for (text, error) in [
        (
            r#"(import "acme:net/http@1.0.0" (instance))"#,
            "plugin asks for acme:net/http@1.0.0; luthier gives plugins luthier:plugin/log, sql and exec, and nothing else",
        ),
        (
            r#"(import "luthier:plugin/files@0.1.0" (instance))"#,
            "plugin asks for luthier:plugin/files@0.1.0; luthier:plugin@0.1 has no such interface",
        ),
        (
            r#"(import "luthier:plugin/log@0.2.0" (instance))"#,
            "plugin is built for luthier:plugin/log@0.2.0; this host speaks luthier:plugin@0.1.0",
        ),
        (
            r#"(instance $i) (export "luthier:plugin/metric@0.3.1" (instance $i))"#,
            "plugin is built for luthier:plugin/metric@0.3.1; this host speaks luthier:plugin@0.1.0",
        ),
        (
            r#"(instance $i) (export "acme:tool/run" (instance $i))"#,
            "plugin exports acme:tool/run; expected luthier:plugin/metric, luthier:plugin/template, or the functions \
             describe and score-row",
        ),
        (
            "",
            "plugin exports nothing; expected luthier:plugin/metric, luthier:plugin/template, or the functions describe and score-row",
        ),
    ] {
        assert_eq!(load_error(&component(text)).to_string(), error);
    }
}

#[test]
fn imports_of_nested_components_are_not_the_plugins() {
    let bytes = component(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance)))"#);
    assert!(matches!(load_error(&bytes), Error::NoWorld { .. }));
}

#[test]
fn the_right_names_with_wrong_types_do_not_fit() {
    let bytes = component(r#"(instance $i) (export "luthier:plugin/metric@0.1.0" (instance $i))"#);
    let error = load_error(&bytes).to_string();
    assert!(error.starts_with("plugin does not fit the world metric-plugin: "), "{error}");
}

#[test]
fn bytes_that_are_no_component_are_refused() {
    let module = wat::parse_str("(module)").unwrap();
    assert!(matches!(load_error(&module), Error::CoreModule));
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh\n", &[0xff; 100]] {
        assert!(matches!(load_error(bytes), Error::Malformed { .. }), "{bytes:?}");
    }
    let limits = Limits { component_bytes: 1_000, ..limits() };
    let host = Host::new(HostConfig { limits, ..HostConfig::default() }).unwrap();
    let error = host.load(HOSTILE).err().unwrap().to_string();
    assert!(error.ends_with("the limit is 1000 bytes"), "{error}");
}

#[test]
fn damaged_components_are_refused_or_run_and_never_more() {
    let host = host();
    let good = crate::builtin("exact-match").unwrap();
    let mut state = 7u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..12 {
        assert!(host.load(&good[..next(good.len())]).is_err(), "a truncated component");
        let mut flipped = good.to_vec();
        let at = next(flipped.len());
        flipped[at] ^= 1 << next(8);
        // A flip in a string or a constant leaves a valid component; what counts is that nothing crashes.
        let _ = host.load(&flipped);
    }
    host.load(good).unwrap();
}

/// A row metric whose `describe` and `score-row` are given in the text format. `$realloc` always
/// returns the address 4096.
fn row_metric(describe: &str, score_row: &str, memory: &str) -> Vec<u8> {
    component(&format!(
        r#"
        (import "luthier:plugin/data@0.1.0" (instance $data
            (type $issue (record (field "pointer" string) (field "message" string)))
            (export "issue" (type $issue-e (eq $issue)))
            (type $row-issue (record (field "row" u32) (field "column" (option string)) (field "code" string) (field "message" string)))
            (export "row-issue" (type $row-issue-e (eq $row-issue)))
            (type $error (variant
                (case "invalid-config" (list $issue-e)) (case "schema-mismatch" string)
                (case "invalid-rows" (list $row-issue-e)) (case "unsupported" string) (case "internal" string)))
            (export "error" (type (eq $error)))))
        (alias export $data "error" (type $error))
        (core module $m
            (memory (export "memory") {memory})
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
            (func (export "describe") (result i32) {describe})
            (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32) {score_row})
            (data (i32.const 0) "\10\00\00\00\6a\00\00\00")
            (data (i32.const 16) "{{\22id\22:\22wat\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22,\22aggregate\22:\22proportion\22,\22lower\22:0,\22upper\22:1}}"))
        (core instance $i (instantiate $m))
        (func $describe (result string)
            (canon lift (core func $i "describe") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
        (func $score-row (param "prediction" string) (param "reference" string) (param "config" string)
            (result (result f64 (error $error)))
            (canon lift (core func $i "score-row") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))))
        (export "describe" (func $describe))
        (export "score-row" (func $score-row))"#
    ))
}

/// Writes `(ok NaN)` at 512.
const NAN: &str =
    "(i32.store8 (i32.const 512) (i32.const 0)) (f64.store (i32.const 520) (f64.const nan)) i32.const 512";

#[test]
fn a_describe_that_does_not_end_is_stopped() {
    let error = load_error(&row_metric("(loop br 0) unreachable", NAN, "1")).to_string();
    assert!(error.ends_with("describe is out of fuel after 500000000 (limit 500000000)"), "{error}");
}

#[test]
fn a_descriptor_out_of_bounds_or_not_json_is_refused() {
    let outside = "(i32.store (i32.const 0) (i32.const 0x7fffffff)) i32.const 0";
    let error = load_error(&row_metric(outside, NAN, "1")).to_string();
    assert!(error.contains("describe trapped"), "{error}");
    let error = load_error(&row_metric("(i32.store8 (i32.const 16) (i32.const 91)) i32.const 0", NAN, "1"));
    assert!(matches!(error, Error::InvalidResult { call: "describe", .. }), "{error}");
}

#[test]
fn a_memory_that_starts_too_large_is_refused() {
    let error = load_error(&row_metric("i32.const 0", NAN, "60000")).to_string();
    assert!(error.contains("asked for 3932160000 bytes of memory (limit 67108864)"), "{error}");
}

#[test]
fn a_score_that_is_no_number_is_refused() {
    let plugin = host().load(&row_metric("i32.const 0", NAN, "1")).unwrap();
    assert_eq!((plugin.id(), plugin.audit().world), ("wat", "row-metric"));
    let mut metric = plugin.open_metric(&serde_json::json!({}), Default::default(), &Default::default()).unwrap();
    let rows = super::support::table(&[("prediction", &["a"]), ("reference", &["b"])]);
    assert_eq!(
        metric.score_rows(&rows).unwrap_err().to_string(),
        "plugin `wat`: score returned NaN at row 0; expected finite scores"
    );
}
