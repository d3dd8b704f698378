//! The whole job on a person's own model and data: nothing in the path knows about pico.

use anyhow::{Context, Result};
use luthier_tests::{Project, tiny_llama};

const PAIRS: usize = 60;

fn pairs() -> String {
    (0..PAIRS).map(|n| format!("{{\"prompt\": \"say {n}\", \"completion\": \"{n} it is\"}}\n")).collect()
}

#[test]
fn dataset_finetune_evaluate_on_a_directory_and_a_jsonl_file() -> Result<()> {
    let project = Project::new()?;
    tiny_llama(&project.path().join("mine"), 3)?;
    project.write("pairs.jsonl", &pairs())?;

    project.write("pairs.toml", "path = \"pairs.jsonl\"\n[splits]\ntrain = 0.8\ntest = 0.2\n")?;
    let dataset = project.json(&["dataset", "pairs.toml", "--json"])?;
    assert_eq!(dataset["n_rows"].as_u64(), Some(PAIRS as u64), "{dataset}");

    project.write(
        "learn.toml",
        "model = \"mine\"\ndata = \"pairs\"\n[lora]\nr = 4\n[train]\nmax_steps = 8\nlearning_rate = 1e-2\n",
    )?;
    let run = project.json(&["finetune", "learn.toml", "--json"])?;
    assert_eq!(run["steps"].as_u64(), Some(8), "{run}");
    assert!(run["final_loss"].as_f64().context("final_loss")?.is_finite());
    assert!(run["seconds"].as_f64().is_some() && run["run"].is_string(), "{run}");
    let adapter = project.path().join(run["adapter_dir"].as_str().context("adapter_dir")?);
    assert!(adapter.join("adapter_config.json").is_file() && adapter.join("adapter_model.safetensors").is_file());

    project
        .write("score.toml", "models = [\"mine\", \"learn\"]\ndata = \"pairs\"\n[generation]\nmax_new_tokens = 8\n")?;
    let report = project.json(&["evaluate", "score.toml", "--json"])?;
    let rows = report["rows"].as_array().context("rows")?;
    assert_eq!(rows.len(), 2, "{report}");
    for row in rows {
        for key in ["model", "metric", "part", "mean", "low", "high", "n", "coverage", "signature"] {
            assert!(!row[key].is_null(), "{key} is missing in {row}");
        }
        assert_eq!(row["metric"], "exact-match");
        let (low, mean, high) = (row["low"].as_f64(), row["mean"].as_f64(), row["high"].as_f64());
        assert!(low <= mean && mean <= high, "{row}");
    }
    assert_ne!(rows[0]["signature"], rows[1]["signature"], "the adapter is part of the signature");
    Ok(())
}

#[test]
fn ask_prints_the_completion_alone_and_greedy_text_is_stable() -> Result<()> {
    let project = Project::new()?;
    tiny_llama(&project.path().join("mine"), 4)?;
    let ask = ["ask", "mine", "--prompt", "once upon", "--temperature", "0", "--max-new-tokens", "6"];
    let first = project.stdout(&ask)?;
    assert!(!first.contains("once upon"), "the prompt is not repeated: {first:?}");
    assert_eq!(first, project.stdout(&ask)?);
    Ok(())
}

#[test]
fn a_csv_file_is_data_too() -> Result<()> {
    let project = Project::new()?;
    tiny_llama(&project.path().join("mine"), 5)?;
    let rows: String = (0..30).map(|n| format!("\"q {n}, please\",answer {n}\n")).collect();
    project.write("faq.csv", &format!("question,answer\n{rows}"))?;
    project.write("learn.toml", "model = \"mine\"\ndata = \"faq.csv\"\n[train]\nmax_steps = 2\n")?;
    let run = project.json(&["finetune", "learn.toml", "--json"])?;
    assert_eq!(run["steps"].as_u64(), Some(2), "{run}");
    Ok(())
}
