//! Bad input gets a clear error, nothing is lost, and the next request works.

use anyhow::Result;
use luthier_tests::{Project, tiny_llama};

/// Runs, must fail with exit code 1 or 2, and must name all of `expected`.
fn refused(project: &Project, args: &[&str], expected: &[&str]) -> Result<()> {
    let (code, stderr) = project.failure(args)?;
    assert!(code == 1 || code == 2, "{args:?} ended with {code}: {stderr}");
    for part in expected {
        assert!(stderr.contains(part), "{args:?} does not name `{part}`:\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
    // The engine is there for the next one.
    project.stdout(&["device"])?;
    Ok(())
}

#[test]
fn recipes_point_at_the_fault() -> Result<()> {
    let project = Project::new()?;
    project.write("syntax.toml", "model = \"pico\"\ndata = = 3\n")?;
    refused(&project, &["finetune", "syntax.toml"], &["line 2", "data = = 3"])?;
    project.write("key.toml", "model = \"pico\"\ndata = \"d\"\n[train]\nlearning_rat = 1e-3\n")?;
    refused(&project, &["finetune", "key.toml"], &["learning_rat", "learning_rate", "4"])?;
    project.write("type.toml", "model = \"pico\"\ndata = \"d\"\n[lora]\nr = \"eight\"\n")?;
    refused(&project, &["finetune", "type.toml"], &["r", "4"])?;
    refused(&project, &["finetune", "absent.toml"], &["absent.toml"])?;
    let (code, stderr) = project.failure(&["finetun", "x.toml"])?;
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("finetune"), "the nearest command is named: {stderr}");
    Ok(())
}

#[test]
fn models_that_cannot_be_loaded_are_named() -> Result<()> {
    let project = Project::new()?;
    refused(&project, &["ask", "picco", "--prompt", "x"], &["picco", "pico"])?;

    let no_tokenizer = project.path().join("no-tokenizer");
    tiny_llama(&no_tokenizer, 1)?;
    std::fs::remove_file(no_tokenizer.join("tokenizer.json"))?;
    refused(&project, &["ask", "no-tokenizer", "--prompt", "x"], &["tokenizer.json"])?;

    let truncated = project.path().join("truncated");
    tiny_llama(&truncated, 1)?;
    let weights = truncated.join("model.safetensors");
    let bytes = std::fs::read(&weights)?;
    std::fs::write(&weights, &bytes[..bytes.len() / 2])?;
    refused(&project, &["ask", "truncated", "--prompt", "x"], &["model.safetensors"])?;

    std::fs::write(&weights, b"not safetensors at all")?;
    refused(&project, &["ask", "truncated", "--prompt", "x"], &["model.safetensors"])?;

    let foreign = project.path().join("foreign");
    tiny_llama(&foreign, 1)?;
    std::fs::write(foreign.join("config.json"), r#"{"model_type": "mamba2", "architectures": ["Mamba2ForCausalLM"]}"#)?;
    refused(&project, &["ask", "foreign", "--prompt", "x"], &["mamba2"])?;
    Ok(())
}

#[test]
fn data_that_cannot_be_used_is_named() -> Result<()> {
    let project = Project::new()?;
    let recipe = |data: &str| format!("model = \"pico\"\ndata = \"{data}\"\n[train]\nmax_steps = 1\n");

    project.write("broken.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"prompt\": \n")?;
    project.write("r1.toml", &recipe("broken.jsonl"))?;
    refused(&project, &["finetune", "r1.toml"], &["broken.jsonl:2", "data = \"broken.jsonl\""])?;

    project.write("columns.csv", "colour,size\nred,1\n")?;
    project.write("r2.toml", &recipe("columns.csv"))?;
    refused(&project, &["finetune", "r2.toml"], &["colour"])?;

    project.write("empty.jsonl", "")?;
    project.write("r3.toml", &recipe("empty.jsonl"))?;
    refused(&project, &["finetune", "r3.toml"], &["empty.jsonl"])?;

    // Nothing to learn: every completion is empty.
    let rows = "{\"prompt\": \"a\", \"completion\": \"\"}\n".repeat(20);
    project.write("masked.jsonl", &rows)?;
    project.write("r4.toml", &recipe("masked.jsonl"))?;
    refused(&project, &["finetune", "r4.toml"], &["masked"])?;

    project.write("not.parquet", "PAR1 this is not a Parquet file PAR1")?;
    project.write("r5.toml", &recipe("not.parquet"))?;
    refused(&project, &["finetune", "r5.toml"], &["not.parquet"])?;
    Ok(())
}
