//! `pass-at-k`: the chance that one of k samples passes its tests, estimated without bias from the n
//! samples of each prompt (Chen et al. 2021, *Evaluating large language models trained on code*).
//!
//! ```text
//! pass@k = mean over prompts of  1 − C(n − c, k) / C(n, k),   c of the n samples pass
//! ```
//!
//! A sample passes if the program runs and its row's `tests` run after it, in a fresh sandboxed
//! interpreter, within a budget of fuel; the verdict is made outside of the interpreter. Where the prompt
//! ends in an open function (HumanEval), an answer may be its body or the whole function, and a test
//! `check(candidate)` is called with it; MBPP's list of assertions is run as it is. A reference
//! that does not pass its own tests gives its prompt no score (`gold-…`): nothing can be said about
//! predictions by tests that the right answer fails. A prompt with fewer samples than k has none either.
//! Ask for n samples with `samples = n` and a temperature above 0.

mod estimator;

use std::collections::BTreeMap;

use luthier_plugin::exec::{self, ExecBudget, ExecError, ExecStatus};
use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric,
};
use luthier_python_source as python;

/// The only output.
const OUTPUT: &str = "pass-at-k";

/// The opened metric.
pub struct PassAtK {
    k: u64,
    language: String,
    check_reference: bool,
    budget: ExecBudget,
}

impl Metric for PassAtK {
    fn describe() -> MetricDescriptor {
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "k": { "type": "integer", "minimum": 1, "default": 1 },
                    "language": { "enum": ["python"], "default": "python" },
                    "fuel": {
                        "type": "integer", "minimum": 1_000_000,
                        "description": "of each program; about 7 billion are one second",
                    },
                    "check_reference": {
                        "type": "boolean", "default": true,
                        "description": "rows whose reference fails its own tests have no score",
                    },
                },
            }),
            // The samples of one prompt come together, and are resampled together.
            group_by: Some("prompt".to_owned()),
            ..MetricDescriptor::with_outputs(
                "pass-at-k",
                "0.1.0",
                "chance that one of k samples passes its tests",
                &["prompt", "prediction", "reference", "tests"],
                vec![Output::new(OUTPUT, "unbiased estimate, mean over prompts", Aggregation::Mean).between(0.0, 1.0)],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let default = ExecBudget::default();
        let metric = PassAtK {
            k: options.integer("k", 1, 1..=1_000_000),
            language: options.choice("language", "python", &["python"]).to_owned(),
            check_reference: options.boolean("check_reference", true),
            budget: ExecBudget { fuel: options.integer("fuel", default.fuel, 1_000_000..=u64::MAX), ..default },
        };
        options.finish()?;
        Ok(metric)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (prompts, predictions) = (rows.utf8("prompt")?, rows.utf8("prediction")?);
        let (references, tests) = (rows.utf8("reference")?, rows.utf8("tests")?);
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for row in 0..rows.rows {
            groups.entry(prompts.text(row)).or_default().push(row);
        }
        let mut scores = vec![Err("not-scored".to_owned()); rows.rows];
        for group in groups.values() {
            let first = group[0];
            let samples: Vec<&str> = group.iter().map(|row| predictions.text(*row)).collect();
            let prompt = prompts.text(first);
            let score = self.group(prompt, &samples, references.text(first), &python::tests(prompt, tests.text(first)));
            for row in group {
                scores[*row] = score.clone().map(|score| vec![score]);
            }
        }
        Ok(columns_batch(&[OUTPUT], &scores))
    }
}

export_metric!(PassAtK);

impl PassAtK {
    /// The estimate of one prompt.
    fn group(&self, prompt: &str, samples: &[&str], reference: &str, tests: &str) -> Result<f64, String> {
        if tests.trim().is_empty() {
            return Err("no-tests".to_owned());
        }
        let n = samples.len() as u64;
        if n < self.k {
            return Err(format!("too-few-samples: {n} for k = {}", self.k));
        }
        if self.check_reference && self.run(prompt, reference, tests)? != ExecStatus::Passed {
            return Err("gold-fails".to_owned());
        }
        // Samples of one prompt repeat each other; each program runs once.
        let mut verdicts: BTreeMap<&str, bool> = BTreeMap::new();
        let mut n_passed = 0;
        for sample in samples {
            let passed = match verdicts.get(sample) {
                Some(passed) => *passed,
                None => !sample.trim().is_empty() && self.run(prompt, sample, tests)? == ExecStatus::Passed,
            };
            verdicts.insert(sample, passed);
            n_passed += u64::from(passed);
        }
        Ok(estimator::pass_at_k(n, n_passed, self.k))
    }

    fn run(&self, prompt: &str, answer: &str, tests: &str) -> Result<ExecStatus, String> {
        match exec::run(&self.language, &python::program(prompt, answer), tests, self.budget) {
            Ok(outcome) => Ok(outcome.status),
            Err(ExecError::UnsupportedLanguage(message)) => Err(format!("no-interpreter: {message}")),
            Err(ExecError::Budget(message)) => Err(format!("budget: {message}")),
        }
    }
}

#[cfg(test)]
mod tests;
