//! `cargo xtask <task>`: everything that builds, checks or measures the project.
//!
//! Kept light on purpose: it is compiled before anything can be said to a newcomer, so the heavy
//! work (training pico, for one) lives in binaries that it starts.

mod bench;
mod depcheck;
mod guests;
mod interop;
mod notebooks;
mod oracles;
mod pico;
mod python;
mod quickstart;
mod shell;
mod test;
mod tidy;

const USAGE: &str = "\
usage: cargo xtask <task>

  quickstart            build, install into a virtual environment, run the quickstart notebook
  test                  formatting, clippy, depcheck, tidy, unit, journey and notebook tests
  test --only STEP      one of: fmt clippy depcheck tidy unit python notebooks
  tidy                  house rules that no other tool checks
  depcheck              crate directions and third-party bans (ARCHITECTURE.md)
  notebooks [--all]     execute notebooks with a real Jupyter client
  guests [--check]      build the first-party WASM components, or compare them with the committed ones
  pico <train|eval|…>   pre-train the built-in model from generated text
  bench peft|growth     time and memory beside PyTorch and PEFT (installs them from PyPI)
  interop [plugins]     compare with PyTorch, transformers and PEFT (installs them from PyPI)
  oracles [--check] [N] expected values from other implementations: rewrite, or compare
  oracles --table       measure ours against them: docs/architectures.md, docs/parity.md";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let outcome = match args.first().map(String::as_str) {
        Some("quickstart") => quickstart::run(),
        Some("test") => test::run(rest),
        Some("tidy") => tidy::run(),
        Some("depcheck") => depcheck::run(),
        Some("notebooks") => notebooks::run(rest),
        Some("guests") => guests::run(rest),
        Some("pico") => pico::run(rest),
        Some("bench") => bench::run(rest),
        Some("interop") => interop::run(rest),
        Some("oracles") => oracles::run(rest),
        Some("help" | "--help" | "-h") => {
            shell::say(USAGE);
            Ok(())
        }
        other => {
            eprintln!("{}\n\nunknown task: {}", USAGE, other.unwrap_or("(none)"));
            std::process::exit(2);
        }
    };
    if let Err(error) = outcome {
        eprintln!("xtask: {error:#}");
        std::process::exit(1);
    }
}
