use super::*;

fn chosen(files: &[&str]) -> Result<Vec<String>, HubProblem> {
    first(&files.iter().map(|file| file.to_string()).collect::<Vec<_>>())
}

#[test]
fn only_what_is_needed_is_taken() {
    let files = [
        "README.md",
        "config.json",
        "tokenizer.json",
        "tokenizer.model",
        "model.safetensors",
        "pytorch_model.bin",
        "onnx/model.onnx",
        "consolidated.safetensors",
        "model.safetensors.index.json",
        "flax_model.msgpack",
    ];
    assert_eq!(chosen(&files).unwrap(), ["config.json", "tokenizer.json", "model.safetensors"]);
    let adapter = ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin", "optimizer.pt"];
    assert_eq!(chosen(&adapter).unwrap(), ["adapter_config.json", "adapter_model.safetensors"]);
    let sharded = ["config.json", "model.safetensors.index.json", "model-00001-of-00002.safetensors"];
    assert_eq!(chosen(&sharded).unwrap(), ["config.json", "model.safetensors.index.json"]);
}

#[test]
fn pickles_are_refused_by_name() {
    let problem = chosen(&["config.json", "pytorch_model.bin"]).unwrap_err();
    assert!(matches!(&problem, HubProblem::Pickle { files } if files == "pytorch_model.bin"), "{problem}");
    let problem = chosen(&["adapter_config.json", "adapter_model.bin"]).unwrap_err();
    assert!(problem.to_string().contains("adapter_model.bin"), "{problem}");
    let problem = chosen(&["README.md", "m-Q4_K_M.gguf"]).unwrap_err();
    assert!(problem.to_string().contains("m-Q4_K_M.gguf"), "{problem}");
}

#[test]
fn shards_are_siblings() {
    let dir = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(dir.path().join("model.safetensors.index.json"), text).unwrap();
    write(r#"{"weight_map": {"a": "m-1.safetensors", "b": "m-2.safetensors", "c": "m-1.safetensors"}}"#);
    assert_eq!(shards(dir.path()).unwrap(), ["m-1.safetensors", "m-2.safetensors"]);
    for bad in ["../m.safetensors", "/etc/passwd", "a/b.safetensors", "m.bin", ".m.safetensors", "a\\b.safetensors"] {
        write(&serde_json::json!({"weight_map": {"a": bad}}).to_string());
        assert!(shards(dir.path()).is_err(), "{bad}");
    }
}
