use super::*;

fn spec(method: Method, lora: LoraSpec) -> FinetuneSpec {
    FinetuneSpec { method, lora, ..FinetuneSpec::default() }
}

#[test]
fn a_method_becomes_its_settings() {
    let config = |method| adapter_config(&spec(method, LoraSpec::default())).unwrap();
    assert_eq!(config(Method::Full), None);
    assert_eq!(config(Method::Lora), Some(AdapterConfig::default()));
    assert_eq!(config(Method::Qlora), Some(AdapterConfig::default()));
    assert!(config(Method::Rslora).unwrap().use_rslora);
    assert!(config(Method::Dora).unwrap().use_dora);
    assert_eq!(config(Method::Pissa).unwrap().init, LoraInit::Pissa);
    let ia3 = config(Method::Ia3).unwrap();
    assert_eq!((ia3.kind, ia3.target_modules.len()), (AdapterKind::Ia3, 0));
}

#[test]
fn settings_that_a_method_does_not_have_are_refused_by_name() {
    let check = |method, lora, what: &str| {
        let error = adapter_config(&spec(method, lora)).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    check(Method::Ia3, LoraSpec { r: 4, ..LoraSpec::default() }, "r is");
    check(Method::Ia3, LoraSpec { alpha: 4.0, ..LoraSpec::default() }, "alpha");
    check(Method::Full, LoraSpec { layers: vec![0], ..LoraSpec::default() }, "layers");
    check(Method::Lora, LoraSpec { double_quant: false, ..LoraSpec::default() }, "double_quant");
}
