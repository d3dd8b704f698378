//! How cost grows with the length of one sequence (ours alone): seconds per token should fit
//! `a + b * T`, memory per token should be constant.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::Options;
use super::worker::Worker;
use super::workload;
use crate::shell;

/// Tokens of the one sequence.
const LENGTHS: [usize; 6] = [1024, 2048, 4096, 8192, 16_384, 32_768];

pub(super) fn run(options: &Options) -> Result<()> {
    let work = shell::root().join("target/bench");
    shell::step("build", || {
        shell::run(shell::cargo().args(["build", "--locked", "-p", "luthier-benches", "--bin", "peft_ours"]))
    })?;
    let ours = shell::binary("peft_ours");
    let mut rows = Vec::new();
    shell::say("tokens   ms per token   MiB above the shortest per 1k tokens   peak MiB");
    for length in LENGTHS {
        let (dir, spec) = workload::long(length, &work)?;
        let path = dir.join("ours.json");
        std::fs::write(&path, serde_json::to_string(&spec)?)?;
        if !dir.join("model/model.safetensors").is_file() {
            shell::run(Command::new(&ours).arg(&path).arg("--write-model"))?;
        }
        let mut worker = Worker::start("ours", Command::new(&ours).arg(&path))?;
        let round = worker.round()?;
        let peak_mib = worker.peak_mib()?;
        rows.push((length as f64, 1e3 * round.seconds / round.n_tokens, peak_mib));
        let (first, last) = (rows[0], rows[rows.len() - 1]);
        let per_1k = if rows.len() > 1 { (last.2 - first.2) / (last.0 - first.0) * 1024.0 } else { f64::NAN };
        shell::say(&format!("{length:6}   {:12.3}   {per_1k:36.1}   {peak_mib:8.0}", last.1));
    }
    let (a, b, worst) = fit(&rows);
    shell::say(&format!("ms per token = {a:.3} + {b:.4} * (tokens / 1024); largest deviation {:.0} %", 100.0 * worst));
    if let Some(path) = &options.json {
        let rows: Vec<_> =
            rows.iter().map(|row| json!({"tokens": row.0, "ms_per_token": row.1, "peak_mib": row.2})).collect();
        std::fs::write(path, serde_json::to_string_pretty(&json!({"rows": rows, "a": a, "b": b, "worst": worst}))?)?;
    }
    Ok(())
}

/// Least squares of relative deviations for `y = a + b * x / 1024`; also the largest of them.
fn fit(rows: &[(f64, f64, f64)]) -> (f64, f64, f64) {
    let (mut s, mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(tokens, y, _) in rows {
        let (x, w) = (tokens / 1024.0, 1.0 / (y * y));
        s += w;
        sx += w * x;
        sy += w * y;
        sxx += w * x * x;
        sxy += w * x * y;
    }
    let b = (s * sxy - sx * sy) / (s * sxx - sx * sx);
    let a = (sy - b * sx) / s;
    let deviation = |&(tokens, y, _): &(f64, f64, f64)| ((a + b * tokens / 1024.0) / y - 1.0).abs();
    (a, b, rows.iter().map(deviation).fold(0.0, f64::max))
}
