use super::*;

/// Keys and values of a command.
type Words = &'static [(&'static str, &'static str)];

fn plan(words: &[(&str, &str)], is_adapter: bool) -> Result<Plan, Error> {
    let mut spec = ExportSpec::default();
    for (key, value) in words {
        let value = Some((*value).to_owned());
        match *key {
            "to" => spec.to = value,
            "dtype" => spec.dtype = value,
            "quant" => spec.quant = value,
            _ => spec.consumer = value,
        }
    }
    Plan::new(&spec, "bf16", is_adapter)
}

#[test]
fn words_become_formats() {
    let format = |words: &[(&str, &str)]| plan(words, true).unwrap().format;
    assert_eq!(format(&[]), Format::Safetensors(SaveDtype::Bf16), "as the base is stored");
    assert_eq!(format(&[("dtype", "f32")]), Format::Safetensors(SaveDtype::F32));
    assert_eq!(format(&[("quant", "q4_k_m")]), Format::Gguf(Quant::Q4KM));
    assert_eq!(format(&[("to", "gguf")]), Format::Gguf(Quant::F16));
    assert_eq!(format(&[("for", "vllm")]), Format::Peft);
    assert_eq!(format(&[("for", "vllm"), ("to", "safetensors")]), Format::Safetensors(SaveDtype::Bf16));
    assert_eq!(format(&[("for", "llama.cpp")]), Format::Gguf(Quant::F16));
    assert_eq!(plan(&[("for", "vllm")], false).unwrap().format, Format::Safetensors(SaveDtype::Bf16));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases: [(Words, bool, &str); 8] = [
        (&[("to", "onnx")], true, "onnx"),
        (&[("for", "ollama")], true, "ollama"),
        (&[("dtype", "int8")], true, "int8"),
        (&[("quant", "Q3_X")], true, "Q3_X"),
        (&[("to", "safetensors"), ("quant", "Q8_0")], true, "quant"),
        (&[("to", "gguf"), ("dtype", "F32")], true, "dtype"),
        (&[("to", "peft")], false, "without an adapter"),
        (&[("to", "gguf"), ("for", "vllm")], true, "vllm"),
    ];
    for (words, is_adapter, expected) in cases {
        let error = plan(words, is_adapter).unwrap_err().to_string();
        assert!(error.contains(expected), "{words:?}: {error}");
    }
}
