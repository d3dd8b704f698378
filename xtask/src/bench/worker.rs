//! One side as a process: a request goes in as a line, the answer comes out as a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A side that has loaded its workload.
pub(super) struct Worker {
    name: String,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What it said about itself when it was ready.
    pub(super) hello: Value,
}

/// One timed round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) seconds: f64,
    pub(super) n_tokens: f64,
    /// Loss of each step; empty for generation.
    pub(super) losses: Vec<f64>,
    /// First new token of each answer; empty for training.
    pub(super) first_ids: Vec<u64>,
}

impl Worker {
    pub(super) fn start(name: &str, command: &mut Command) -> Result<Worker> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let requests = child.stdin.take().context("a worker without standard input")?;
        let answers = BufReader::new(child.stdout.take().context("a worker without standard output")?);
        let mut worker = Worker { name: name.to_owned(), child, requests, answers, hello: Value::Null };
        worker.hello = worker.answer()?;
        Ok(worker)
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        // Libraries print what they like; answers are objects.
        while !line.starts_with('{') {
            line.clear();
            let n = self.answers.read_line(&mut line)?;
            ensure!(n > 0, "{} ended without an answer (its messages are above)", self.name);
        }
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}").with_context(|| format!("{} has ended", self.name))?;
        self.requests.flush()?;
        self.answer()
    }

    /// The workload once.
    pub(super) fn round(&mut self) -> Result<Round> {
        let answer = self.ask(&json!({"do": "round"}))?;
        let numbers = |key: &str| answer[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        Ok(Round {
            seconds: answer["seconds"].as_f64().context("a round without seconds")?,
            n_tokens: answer["n_tokens"].as_f64().context("a round without tokens")?,
            losses: numbers("losses"),
            first_ids: answer["first_ids"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect(),
        })
    }

    /// `(seconds, FLOPs)` of the frozen matrices' products of a round.
    pub(super) fn roofline(&mut self) -> Result<(f64, f64)> {
        let answer = self.ask(&json!({"do": "roofline"}))?;
        let number = |key: &str| answer[key].as_f64().with_context(|| format!("a roofline without {key}"));
        Ok((number("seconds")?, number("flops")?))
    }

    /// What each op takes of a round: name, calls, seconds, FLOPs; and the seconds of the whole round.
    pub(super) fn profile(&mut self) -> Result<Value> {
        self.ask(&json!({"do": "profile"}))
    }

    pub(super) fn set_threads(&mut self, n: usize) -> Result<()> {
        self.ask(&json!({"do": "threads", "n": n})).map(drop)
    }

    /// Peak resident memory so far.
    pub(super) fn peak_mib(&mut self) -> Result<f64> {
        let answer = self.ask(&json!({"do": "memory"}))?;
        Ok(answer["peak_rss_kib"].as_f64().unwrap_or(0.0) / 1024.0)
    }

    /// Resident memory before the model was loaded.
    pub(super) fn idle_mib(&self) -> f64 {
        self.hello["idle_rss_kib"].as_f64().unwrap_or(0.0) / 1024.0
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = writeln!(self.requests, "{}", json!({"do": "quit"}));
        let _ = self.requests.flush();
        let _ = self.child.wait();
    }
}
