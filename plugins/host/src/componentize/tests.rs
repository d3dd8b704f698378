use serde_json::json;

use super::into_component;
use crate::{Context, Error, Host, HostConfig, Limits};

/// A metric as a C compiler leaves it: exports of a core module, no section that says what it is.
const METRIC: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
    (func (export "describe") (result i32) i32.const 0)
    (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32)
        (i32.store8 (i32.const 512) (i32.const 0)) (f64.store (i32.const 520) (f64.const 1)) i32.const 512)
    (data (i32.const 0) "\10\00\00\00\40\00\00\00")
    (data (i32.const 16) "{\22id\22:\22core\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22}        "))"#;

fn convert(text: &str) -> Result<Vec<u8>, Error> {
    into_component(wat::parse_str(text).unwrap(), &Limits::default())
}

#[test]
fn a_core_module_becomes_a_plugin_that_scores() {
    let component = convert(METRIC).unwrap();
    assert_eq!(component, convert(METRIC).unwrap(), "equal bytes, so an equal digest");
    let plugin = Host::new(HostConfig::default()).unwrap().load(&component).unwrap();
    assert_eq!(plugin.id(), "core");
    assert_eq!(plugin.audit().imports, ["luthier:plugin/data@0.1.0"], "the types of its errors, and nothing to call");
    plugin.open_metric(&json!({}), Context::default(), &Default::default()).unwrap();
    assert_eq!(into_component(component.clone(), &Limits::default()).unwrap(), component, "a component stays one");
}

#[test]
fn what_is_missing_is_named() {
    let message = |text: &str| convert(text).unwrap_err().to_string();
    assert_eq!(
        message(&METRIC.replace("cabi_realloc", "realloc")),
        "the module does not fit the world row-metric: it does not export cabi_realloc"
    );
    assert_eq!(
        message(&METRIC.replace("\"score-row\"", "\"score_row\"")),
        "the module does not fit the world row-metric: it does not export score-row"
    );
    let wrong_type = message(&METRIC.replace("(param i32 i32 i32 i32 i32 i32)", "(param i32 i32)"));
    assert!(wrong_type.starts_with("the module does not fit the world row-metric: "), "{wrong_type}");
    assert!(wrong_type.contains("score-row"), "{wrong_type}");
    assert!(matches!(convert("(module)"), Err(Error::CoreModule)));
    let wasi = METRIC.replace("(module", "(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func))");
    assert!(message(&wasi).starts_with("plugin asks for wasi_snapshot_preview1; luthier gives plugins"));
}

#[test]
fn damaged_modules_are_errors() {
    let module = wat::parse_str(METRIC).unwrap();
    for end in 8..module.len() {
        let _ = into_component(module[..end].to_vec(), &Limits::default()).map(|bytes| assert!(!bytes.is_empty()));
    }
    for at in 8..module.len() {
        for bit in 0..8 {
            let mut flipped = module.clone();
            flipped[at] ^= 1 << bit;
            let _ = into_component(flipped, &Limits::default());
        }
    }
}
