//! Support for journeys that cross crates: a project of its own, the real binaries, small models.

pub mod hub_server;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// A temporary project with an engine of its own, which ends with it.
pub struct Project {
    dir: tempfile::TempDir,
    // Short path on purpose: a unix socket's path has at most 107 bytes.
    runtime: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl Project {
    /// An empty project.
    pub fn new() -> Result<Project> {
        let dir = tempfile::tempdir()?;
        let private = std::fs::Permissions::from_mode(0o700);
        let runtime = tempfile::Builder::new().prefix("lu-").permissions(private).tempdir_in("/tmp")?;
        Ok(Project { dir, runtime, env: Vec::new() })
    }

    /// The same project with a variable in the environment of everything it starts.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Project {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Where its engine's socket, log and pid lie.
    pub fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// Write a file of the project.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// `luthier ARGS` in the project, ready to run.
    pub fn luthier(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary("luthier"));
        command
            .args(args)
            .current_dir(self.path())
            .env("LUTHIER_RUNTIME_DIR", self.runtime())
            .env("LUTHIER_IDLE_S", "20")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Run `luthier ARGS` to its end.
    pub fn run(&self, args: &[&str]) -> Result<Output> {
        Ok(self.luthier(args).output()?)
    }

    /// Standard output of `luthier ARGS`, which must succeed.
    pub fn stdout(&self, args: &[&str]) -> Result<String> {
        let out = self.run(args)?;
        if !out.status.success() {
            bail!("luthier {args:?} ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
        }
        Ok(String::from_utf8(out.stdout)?)
    }

    /// The one JSON object that `luthier ARGS` prints.
    pub fn json(&self, args: &[&str]) -> Result<Value> {
        let text = self.stdout(args)?;
        serde_json::from_str(&text).with_context(|| format!("luthier {args:?} printed no single JSON object: {text}"))
    }

    /// Exit code and standard error of `luthier ARGS`, which must fail.
    pub fn failure(&self, args: &[&str]) -> Result<(i32, String)> {
        let out = self.run(args)?;
        let code = out.status.code().context("ended by a signal")?;
        if code == 0 {
            bail!("luthier {args:?} succeeded: {}", String::from_utf8_lossy(&out.stdout));
        }
        Ok((code, String::from_utf8(out.stderr)?))
    }

    /// Start `luthier ARGS` and leave it running.
    pub fn start(&self, args: &[&str]) -> Result<Child> {
        Ok(self.luthier(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// The engine's process id, from `luthier device`.
    pub fn engine_pid(&self) -> Result<u32> {
        let pid = self.json(&["device", "--json"])?["pid"].as_u64().context("device names no pid")?;
        Ok(u32::try_from(pid)?)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // Only an engine that is there: asking for the device would start one.
        if self.runtime().join("engine.sock").exists()
            && let Ok(pid) = self.engine_pid()
        {
            let _ = signal("TERM", pid);
        }
    }
}

/// `kill -SIGNAL PID`.
pub fn signal(name: &str, pid: u32) -> Result<()> {
    let status = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status()?;
    if !status.success() {
        bail!("kill -{name} {pid} ended with {status}");
    }
    Ok(())
}

/// Poll until `ready` gives a value. The limit is generous: machines are noisy.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> Result<T> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(120) {
        if let Some(value) = ready() {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("waited 120 s for {what}")
}

/// A binary of the workspace, beside the running test (`target/debug/deps/..`).
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let debug = test.ancestors().find(|dir| dir.ends_with("debug")).unwrap_or(Path::new("target/debug"));
    debug.join(name)
}

/// The built-in model's files in the repository.
pub fn pico_assets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/engine/assets/pico")
}

/// A small random Llama in the Hugging Face layout, with pico's tokenizer but nothing else of pico.
pub fn tiny_llama(dir: &Path, seed: u64) -> Result<()> {
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocab_size()?,
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
        "hidden_act": "silu",
        "eos_token_id": 0,
        "torch_dtype": "float32",
    });
    let config = luthier_model::ModelConfig::from_json(&config.to_string())?;
    luthier_model::Model::init(config, seed).save(dir, luthier_model::SaveDtype::F32)?;
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(pico_assets().join(name), dir.join(name))?;
    }
    Ok(())
}

fn vocab_size() -> Result<u64> {
    let config: Value = serde_json::from_str(&std::fs::read_to_string(pico_assets().join("config.json"))?)?;
    config["vocab_size"].as_u64().context("pico's config.json names no vocab_size")
}
