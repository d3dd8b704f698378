//! Rust cells through the real compiler: what a person sees when a cell works, fails, is interrupted or
//! dies. One compiler serves all tests, one after the other; the first waits for the prelude.

#![allow(clippy::disallowed_methods, reason = "files of a test need no atomic writer")]

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use luthier_kernel::rust_cell::{RustCells, RustCellsConfig, RustFailure, RustOutput};

struct Cells {
    rust: RustCells,
}

struct Ran {
    result: Result<(), RustFailure>,
    outputs: Vec<RustOutput>,
}

fn cells() -> MutexGuard<'static, Cells> {
    static CELLS: OnceLock<Mutex<Cells>> = OnceLock::new();
    let cells = CELLS.get_or_init(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-cells");
        let project_dir = root.join("project");
        std::fs::create_dir_all(&project_dir).unwrap();
        let config = RustCellsConfig {
            project_dir,
            runtime_dir: Some(root.join("run")),
            prelude_dir: Some(root.join("prelude")),
            warm_up_after: None,
        };
        let rust = RustCells::start_with(config, Some(PathBuf::from(env!("CARGO_BIN_EXE_luthier"))));
        Mutex::new(Cells { rust })
    });
    cells.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cells {
    fn run(&self, code: &str) -> Ran {
        let mut outputs = Vec::new();
        let result = self.rust.execute(code, &mut |output| {
            if !matches!(output, RustOutput::Status(_)) {
                outputs.push(output);
            }
        });
        Ran { result, outputs }
    }

    #[track_caller]
    fn ok(&self, code: &str) -> Vec<RustOutput> {
        let ran = self.run(code);
        if let Err(failure) = &ran.result {
            panic!("{code}\n{}", failure.traceback.join("\n"));
        }
        ran.outputs
    }

    #[track_caller]
    fn fails(&self, code: &str) -> (RustFailure, String) {
        let ran = self.run(code);
        let failure = ran.result.expect_err("the cell should fail");
        let traceback = uncolored(&failure.traceback.join("\n"));
        (failure, traceback)
    }
}

fn uncolored(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn stdout(outputs: &[RustOutput]) -> String {
    let text = |output: &RustOutput| match output {
        RustOutput::Stdout(text) => Some(text.clone()),
        _ => None,
    };
    outputs.iter().filter_map(text).collect()
}

fn plain_text(output: &RustOutput) -> &str {
    match output {
        RustOutput::Display(bundle) => bundle["text/plain"].as_str().unwrap(),
        other => panic!("{other:?} is no display"),
    }
}

#[test]
fn values_text_and_displays_come_in_order() {
    let cells = cells();
    assert!(cells.ok("for _ in 0..1 {}").is_empty());
    cells.ok("let greeting = String::from(\"hello\");");
    let outputs = cells.ok("println!(\"before\");\nprint!(\"no newline\");\ngreeting.len()");
    assert_eq!(stdout(&outputs), "before\nno newline");
    assert_eq!(plain_text(outputs.last().unwrap()), "5");
    let two = "fn show(n: u32) {\n\
        println!(\"EVCXR_BEGIN_CONTENT text/html\\n<b>{n}</b>\\nEVCXR_END_CONTENT\");\n\
        println!(\"EVCXR_BEGIN_CONTENT text/plain\\n{n}\\nEVCXR_END_CONTENT\");\n}\n\
        show(1);\nprintln!(\"between\");\nshow(2);\nshow(3);";
    let outputs = cells.ok(two);
    let kinds: Vec<String> = outputs
        .iter()
        .map(|output| match output {
            RustOutput::Display(bundle) => format!("{} {}", bundle["text/html"], bundle["text/plain"]),
            RustOutput::Stdout(text) => text.trim().to_owned(),
            other => panic!("{other:?}"),
        })
        .filter(|kind| !kind.is_empty())
        .collect();
    assert_eq!(kinds, ["\"<b>1</b>\" \"1\"", "between", "\"<b>2</b>\" \"2\"", "\"<b>3</b>\" \"3\""]);
}

#[test]
fn the_prelude_is_there_with_serde() {
    let cells = cells();
    cells.ok("use luthier::prelude::*;");
    cells.ok("#[derive(Debug, Serialize, Deserialize)]\nstruct Row { question: String }");
    let outputs = cells.ok("serde_json::to_string(&Row { question: \"é\".into() })?");
    assert_eq!(plain_text(&outputs[0]), "\"{\\\"question\\\":\\\"é\\\"}\"");
    let error = cells.fails("Train::default().epochs(\"three\")").0;
    assert_eq!(error.ename, "CompileError");
}

#[test]
fn a_panic_is_a_failure_at_its_line_and_keeps_variables() {
    let cells = cells();
    cells.ok("let kept = vec![1usize, 2, 3];");
    let (failure, traceback) = cells.fails("let first = kept[0];\nlet none = kept[first + 9];\n");
    assert_eq!(failure.ename, "Panic");
    assert!(failure.evalue.contains("index out of bounds"), "{failure:?}");
    assert!(traceback.contains("--> cell:2:") && traceback.contains("2 | let none = kept[first + 9];"), "{traceback}");
    assert!(!traceback.contains("stack backtrace"), "{traceback}");
    assert_eq!(plain_text(&cells.ok("kept.len()")[0]), "3");
}

#[test]
fn a_caught_panic_and_one_of_a_thread_are_told_and_no_failure() {
    let cells = cells();
    let outputs = cells.ok("let caught = std::panic::catch_unwind(|| panic!(\"inside\")).is_err();\nassert!(caught);");
    assert!(format!("{outputs:?}").contains("inside"), "{outputs:?}");
    let outputs = cells.ok("assert!(std::thread::spawn(|| panic!(\"elsewhere\")).join().is_err());");
    assert!(format!("{outputs:?}").contains("elsewhere"), "{outputs:?}");
}

#[test]
fn a_question_mark_is_a_failure_with_the_error_as_its_value() {
    let cells = cells();
    let ran = cells.run("println!(\"start\");\nlet n: i32 = \"seven\".parse()?;\nprintln!(\"never\");");
    let failure = ran.result.unwrap_err();
    assert_eq!((failure.ename.as_str(), failure.evalue.as_str()), ("Error", "invalid digit found in string"));
    // Said once, by the failure, and not as output as well.
    assert_eq!(ran.outputs.iter().map(|output| format!("{output:?}")).collect::<String>(), "Stdout(\"start\\n\")");
}

#[test]
fn compile_errors_come_together_with_places_and_advice() {
    let cells = cells();
    let (failure, traceback) = cells.fails("let a: i32 = \"text\";\nlet é = 1;\nlet b = undefined_name + é;");
    assert_eq!(failure.ename, "CompileError");
    assert!(traceback.contains("error[E0308]: mismatched types"), "{traceback}");
    assert!(traceback.contains("1 | let a: i32 = \"text\";"), "{traceback}");
    assert!(traceback.contains("cannot find value `undefined_name`"), "{traceback}");
    assert!(traceback.contains("cell:3:9"), "{traceback}");
    // Nothing was defined.
    assert!(cells.run("a").result.is_err());
}

#[test]
fn text_shows_while_the_cell_runs() {
    let cells = cells();
    let started = Instant::now();
    let mut first = None;
    let code = "print!(\"10 %\"); std::thread::sleep(std::time::Duration::from_millis(1500)); println!(\" done\");";
    let result = cells.rust.execute(code, &mut |output| {
        if matches!(output, RustOutput::Stdout(_)) {
            first.get_or_insert_with(Instant::now);
        }
    });
    let ended = Instant::now();
    assert!(result.is_ok());
    let lead = ended - first.expect("some text");
    assert!(lead > Duration::from_millis(1000), "text came {lead:?} before the end, {:?} in all", ended - started);
}

#[test]
fn a_soft_interrupt_keeps_variables() {
    let cells = cells();
    cells.ok("let precious = 41;");
    let code = "println!(\"looping\");\nloop {\n    luthier::interrupt::check()?;\n    \
        std::thread::sleep(std::time::Duration::from_millis(10));\n}";
    let ran = interrupted_when_it_prints(&cells, code);
    let failure = ran.result.unwrap_err();
    assert_eq!(failure.ename, "Interrupted");
    assert_eq!(plain_text(&cells.ok("precious + 1")[0]), "42");
}

#[test]
fn a_cell_that_does_not_listen_is_ended_and_the_loss_is_told() {
    let cells = cells();
    cells.ok("fn survivor() -> i32 { 7 }\nlet lost = 1;");
    let code = "println!(\"deaf\"); loop { std::thread::sleep(std::time::Duration::from_secs(1)); }";
    let failure = interrupted_when_it_prints(&cells, code).result.unwrap_err();
    assert_eq!(failure.ename, "Interrupted");
    assert!(failure.evalue.contains("variables are lost"), "{failure:?}");
    assert_eq!(plain_text(&cells.ok("survivor()")[0]), "7");
    assert!(cells.run("lost").result.is_err());
}

fn interrupted_when_it_prints(cells: &Cells, code: &str) -> Ran {
    let mut outputs = Vec::new();
    let result = cells.rust.execute(code, &mut |output| {
        if matches!(output, RustOutput::Stdout(_)) {
            cells.rust.interrupt();
        }
        outputs.push(output);
    });
    Ran { result, outputs }
}

#[test]
fn an_interrupt_while_compiling_ends_the_compilation() {
    let cells = cells();
    cells.ok("let before = 5;");
    let started = Instant::now();
    let mut interrupted = false;
    let result = cells.rust.execute("let mut v = vec![3, 1, 2]; v.sort(); v", &mut |output| {
        if matches!(&output, RustOutput::Status(text) if text == "Compiling") && !interrupted {
            interrupted = true;
            cells.rust.interrupt();
        }
    });
    assert_eq!(result.unwrap_err().ename, "Interrupted");
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(plain_text(&cells.ok("before")[0]), "5");
}

#[test]
fn a_dead_cell_process_is_explained_and_replaced() {
    let cells = cells();
    let (failure, _) = cells.fails("println!(\"bye\"); std::process::exit(3);");
    assert_eq!(failure.ename, "CellProcessLost");
    assert!(failure.evalue.contains("exited with status 3"), "{failure:?}");
    let (failure, _) = cells.fails("std::process::abort();");
    assert!(failure.evalue.contains("SIGABRT"), "{failure:?}");
    let (failure, traceback) = cells.fails("unsafe { std::ptr::null_mut::<u8>().write_volatile(1) };");
    assert_eq!(failure.ename, "CellProcessLost", "{traceback}");
    assert!(failure.evalue.contains("SIGSEGV") && !traceback.contains("lang_start"), "{traceback}");
    assert_eq!(plain_text(&cells.ok("1 + 1")[0]), "2");
}

#[test]
fn names_are_completed() {
    let cells = cells();
    cells.ok("let numbers = vec![1u8];");
    let code = "numbers.is_em";
    let completions = cells.rust.complete(code, code.len()).expect("the compiler is there and free");
    assert!(completions.matches.iter().any(|candidate| candidate == "is_empty"), "{completions:?}");
    assert_eq!(&code[completions.start..completions.end], "is_em");
}

#[test]
fn two_notebooks_run_beside_each_other() {
    let _first = cells();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-cells");
    let config = RustCellsConfig {
        project_dir: root.join("project"),
        runtime_dir: Some(root.join("run")),
        prelude_dir: Some(root.join("prelude")),
        warm_up_after: None,
    };
    let rust = RustCells::start_with(config, Some(PathBuf::from(env!("CARGO_BIN_EXE_luthier"))));
    let second = Cells { rust };
    assert_eq!(plain_text(&second.ok("6 * 7")[0]), "42");
    second.rust.shutdown();
}
