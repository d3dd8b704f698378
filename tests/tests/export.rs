//! Merged and exported models are what they were made of, or nothing is kept.

use std::path::Path;

use anyhow::{Context, Result};
use luthier_tests::{Project, tiny_llama};
use serde_json::{Value, json};

/// A project with a tiny model, data, and an adapter `learn` that changes what the model says.
fn trained() -> Result<Project> {
    let project = Project::new()?;
    tiny_llama(&project.path().join("mine"), 3)?;
    let rows: String =
        (0..60).map(|n| format!("{{\"prompt\": \"say {n}\", \"completion\": \"{n} it is\"}}\n")).collect();
    project.write("pairs.jsonl", &rows)?;
    project.write(
        "learn.toml",
        "model = \"mine\"\ndata = \"pairs.jsonl\"\n[lora]\nr = 4\n[train]\nmax_steps = 12\nlearning_rate = 2e-2\n",
    )?;
    project.json(&["finetune", "learn.toml", "--json"])?;
    Ok(project)
}

fn ask(project: &Project, model: &str) -> Result<String> {
    project.stdout(&["ask", model, "--prompt", "say 7", "--max-new-tokens", "8"])
}

/// Nothing half-written lies in a directory.
fn no_leftovers(dir: &Path) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        assert!(!name.starts_with(".writing-") && !name.starts_with(".replaced-"), "{name}");
    }
    Ok(())
}

#[test]
fn a_merged_model_answers_as_base_and_adapter() -> Result<()> {
    let project = trained()?;
    assert_ne!(ask(&project, "mine")?, ask(&project, "learn")?, "the adapter does something");
    let merged = project.json(&["merge", "learn", "as", "whole", "--json"])?;
    let proof = &merged["proof"];
    assert!(proof["max_difference"].as_f64() < proof["max_difference_limit"].as_f64(), "{merged}");
    assert!(
        proof["n_positions"].as_u64() > Some(50) && proof["prompts"].as_str().context("p")?.contains("test"),
        "{merged}"
    );
    assert_eq!(ask(&project, "whole")?, ask(&project, "learn")?);
    // A whole model like any other.
    project.json(&["load", "whole", "--json"])?;
    let (_, stderr) = project.failure(&["merge", "learn", "as", "whole"])?;
    assert!(stderr.contains("whole") && stderr.contains("exists"), "{stderr}");
    project.stdout(&["merge", "learn", "as", "whole", "--overwrite"])?;
    let (_, stderr) = project.failure(&["merge", "mine", "as", "other"])?;
    assert!(stderr.contains("adapter"), "{stderr}");
    no_leftovers(&project.path().join(".luthier/models"))
}

#[test]
fn every_format_comes_back_as_what_it_was() -> Result<()> {
    let project = trained()?;
    let wanted = ask(&project, "learn")?;
    let cases: [(&[&str], &str, &str); 6] = [
        (&["--to", "safetensors"], "model.safetensors", "F32"),
        (&["--to", "safetensors", "--dtype", "BF16"], "model.safetensors", "BF16"),
        (&["--for", "vllm"], "adapter_model.safetensors", "F32"),
        (&["--to", "gguf", "--quant", "F32"], "learn-F32.gguf", "F32"),
        (&["--to", "gguf", "--quant", "Q8_0"], "learn-Q8_0.gguf", "Q8_0"),
        (&["--quant", "Q4_K_M"], "learn-Q4_K_M.gguf", "Q4_K_M"),
    ];
    for (number, (options, file, dtype)) in (0..).zip(cases) {
        let out = format!("out-{number}");
        let mut args = vec!["export", "learn", "--out", &out, "--json"];
        args.extend(options);
        let exported = project.json(&args)?;
        assert_eq!(exported["dtype"], dtype, "{exported}");
        let dir = project.path().join(&out);
        assert!(dir.join(file).is_file(), "{file} in {exported}");
        let record: Value = serde_json::from_str(&std::fs::read_to_string(dir.join("luthier-export.json"))?)?;
        assert_same_proof(&record["proof"], &exported["proof"]);
        let loaded = if file.ends_with(".gguf") { format!("{out}/{file}") } else { out.clone() };
        let answer = ask(&project, &loaded)?;
        if dtype == "F32" {
            assert_eq!(answer, wanted, "{options:?}");
        }
        let (_, stderr) = project.failure(&args)?;
        assert!(stderr.contains("exists"), "{stderr}");
    }
    no_leftovers(project.path())
}

/// Equal but for the last bit of a number that was printed and read once more.
fn assert_same_proof(record: &Value, printed: &Value) {
    let (record, printed) = (record.as_object().expect("a proof"), printed.as_object().expect("a proof"));
    assert_eq!(record.keys().collect::<Vec<_>>(), printed.keys().collect::<Vec<_>>());
    for (key, value) in record {
        match (value.as_f64(), printed[key].as_f64()) {
            (Some(a), Some(b)) => assert!((a - b).abs() <= 1e-12 * a.abs(), "{key}: {a}, {b}"),
            _ => assert_eq!(value, &printed[key], "{key}"),
        }
    }
}

#[test]
fn what_a_consumer_cannot_load_is_refused_before_anything_is_written() -> Result<()> {
    let project = trained()?;
    let refused = |args: &[&str], expected: &[&str]| -> Result<()> {
        let (_, stderr) = project.failure(args)?;
        for part in expected {
            assert!(stderr.contains(part), "{args:?}: no {part:?} in\n{stderr}");
        }
        Ok(())
    };
    refused(&["export", "learn", "--to", "gguf", "--for", "vllm", "--out", "o"], &["vllm", "safetensors or peft"])?;
    refused(&["export", "mine", "--to", "peft", "--out", "o"], &["without an adapter"])?;
    refused(&["export", "learn", "--to", "onnx", "--out", "o"], &["onnx"])?;
    refused(&["export", "learn", "--to", "gguf", "--quant", "Q9", "--out", "o"], &["Q9", "Q8_0"])?;
    refused(&["export", "absent", "--to", "gguf", "--out", "o"], &["absent"])?;
    let config = project.path().join(".luthier/adapters/learn/adapter_config.json");
    let mut wide: Value = serde_json::from_str(&std::fs::read_to_string(&config)?)?;
    wide["r"] = json!(1024);
    std::fs::write(&config, wide.to_string())?;
    refused(&["export", "learn", "--for", "vllm", "--out", "o"], &["1024", "512", "safetensors"])?;
    assert!(!project.path().join("o").exists());
    no_leftovers(project.path())
}

#[test]
fn a_directory_of_the_users_is_never_replaced() -> Result<()> {
    let project = trained()?;
    project.write("precious/notes.txt", "mine")?;
    let (_, stderr) = project.failure(&["export", "learn", "--out", "precious", "--overwrite"])?;
    assert!(stderr.contains("precious"), "{stderr}");
    assert!(project.path().join("precious/notes.txt").is_file());
    project.stdout(&["export", "learn", "--out", "again"])?;
    project.stdout(&["export", "learn", "--out", "again", "--dtype", "F16", "--overwrite"])?;
    Ok(())
}

#[test]
fn an_adapter_can_be_trained_on_a_gguf_file() -> Result<()> {
    let project = trained()?;
    project.stdout(&["export", "mine", "--to", "gguf", "--quant", "Q8_0", "--out", "q"])?;
    let info = project.json(&["load", "q/mine-Q8_0.gguf", "as", "small", "--json"])?;
    // Rows of 48 values hold no whole blocks of 32: most of this model stays in half precision.
    assert_eq!(info["dtype"], "f16", "{info}");
    project.write("more.toml", "model = \"small\"\ndata = \"pairs.jsonl\"\n[train]\nmax_steps = 2\n")?;
    project.json(&["finetune", "more.toml", "--json"])?;
    ask(&project, "more")?;
    Ok(())
}

#[test]
fn gguf_files_that_lie_are_refused() -> Result<()> {
    let project = Project::new()?;
    for (name, bytes) in
        [("empty.gguf", &b""[..]), ("short.gguf", b"GGUF\x03\0\0\0"), ("other.gguf", b"PK\x03\x04 zip")]
    {
        std::fs::write(project.path().join(name), bytes)?;
        let (_, stderr) = project.failure(&["load", name])?;
        assert!(stderr.contains(name) && stderr.contains("GGUF"), "{stderr}");
    }
    Ok(())
}

#[test]
fn an_adapter_on_another_base_is_refused_with_both_hashes_until_somebody_insists() -> Result<()> {
    let project = trained()?;
    let before = project.json(&["load", "mine", "--json"])?["fingerprint"].as_str().context("hash")?.to_owned();
    tiny_llama(&project.path().join("mine"), 99)?;
    let after = project.json(&["load", "mine", "--json"])?["fingerprint"].as_str().context("hash")?.to_owned();
    assert_ne!(before, after);
    let (_, stderr) = project.failure(&["ask", "learn", "--prompt", "say 7"])?;
    for part in [before.as_str(), after.as_str(), "--accept-base"] {
        assert!(stderr.contains(part), "{stderr}");
    }
    project.stdout(&["load", "learn", "--accept-base"])?;
    ask(&project, "learn")?;
    tiny_llama(&project.path().join("mine"), 100)?;
    assert!(project.failure(&["ask", "learn", "--prompt", "say 7"])?.1.contains("--accept-base"), "that base only");
    Ok(())
}
