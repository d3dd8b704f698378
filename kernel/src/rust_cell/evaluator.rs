//! The process that compiles cells: evcxr with its rust-analyzer, one cell at a time. A process of its
//! own because evcxr needs its directory in the environment, prints where it likes, takes a gigabyte,
//! and must not take the notebook with it when it panics.
//!
//! Commands come in on standard input, results go out on standard output (see [`super::wire`]).

mod context;
mod interrupt;
mod question;
mod record;

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc;

use super::wire::{self, FromEvaluator, ToEvaluator};
use super::{RustFailure, RustOutput, failure};
use context::Context;
use interrupt::Interrupter;
use question::Questions;
use record::{Outcome, Record};

/// Does not return.
pub(super) fn run() -> ! {
    let (sender, jobs) = mpsc::channel();
    let record = Arc::new(Record::default());
    let interrupter = Arc::new(Interrupter::new(Arc::clone(&record)));
    let questions = Arc::new(Questions::default());
    let (reader_interrupter, reader_questions) = (Arc::clone(&interrupter), Arc::clone(&questions));
    std::thread::spawn(move || read_commands(&sender, &reader_interrupter, &reader_questions));
    let mut evaluator = Evaluator { context: None, record, interrupter, questions };
    while let Ok(job) = jobs.recv() {
        evaluator.handle(job);
    }
    // The kernel is gone; a cell that still runs goes with us.
    drop(evaluator);
    #[expect(clippy::exit, reason = "rust-analyzer's threads never end by themselves")]
    std::process::exit(0)
}

fn read_commands(jobs: &mpsc::Sender<ToEvaluator>, interrupter: &Arc<Interrupter>, questions: &Questions) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let job = match wire::parse(&line) {
            Ok(ToEvaluator::Interrupt) => {
                interrupter.interrupt();
                continue;
            }
            Ok(ToEvaluator::Answer { line }) => {
                questions.answer(line, interrupter);
                continue;
            }
            Ok(job) => job,
            Err(text) => {
                eprintln!("the Rust evaluator cannot read {text:?}");
                continue;
            }
        };
        // Here and not when its turn comes: an interrupt may follow at once.
        if let ToEvaluator::Execute { id, .. } = &job {
            interrupter.begin(*id);
        }
        if jobs.send(job).is_err() {
            return;
        }
    }
    super::processes::kill_descendants_except(None);
    #[expect(clippy::exit, reason = "the kernel is gone, and a running cell would keep the main thread busy")]
    std::process::exit(0)
}

/// Say something to the kernel.
fn say(message: &FromEvaluator) {
    let mut stdout = std::io::stdout().lock();
    // A kernel that is gone is noticed on standard input.
    let _ = stdout.write_all(wire::line(message).as_bytes()).and_then(|()| stdout.flush());
}

fn output(output: RustOutput) {
    say(&FromEvaluator::Output { output });
}

fn status(text: impl Into<String>) {
    output(RustOutput::Status(text.into()));
}

struct Evaluator {
    /// None before the first cell, and after evcxr failed beyond repair.
    context: Option<Context>,
    record: Arc<Record>,
    interrupter: Arc<Interrupter>,
    questions: Arc<Questions>,
}

impl Evaluator {
    fn handle(&mut self, job: ToEvaluator) {
        match job {
            ToEvaluator::Execute { id, code } => {
                let failure = self.execute(&code).err();
                self.interrupter.end(id);
                status("");
                say(&FromEvaluator::Executed { id, failure });
            }
            ToEvaluator::Complete { id, code, cursor } => {
                let completions = self.context.as_mut().and_then(|context| context.complete(&code, cursor));
                say(&FromEvaluator::Completed { id, completions });
            }
            ToEvaluator::Inspect { id, code, cursor } => {
                let text = self.context.as_mut().and_then(|context| context.inspect(&code, cursor));
                say(&FromEvaluator::Inspected { id, text });
            }
            // Answered where they are read: a cell runs meanwhile.
            ToEvaluator::Interrupt | ToEvaluator::Answer { .. } => {}
        }
    }

    fn execute(&mut self, code: &str) -> Result<(), RustFailure> {
        if self.context.is_none() {
            self.context = Some(
                Context::start(&self.record, &self.interrupter, &self.questions)
                    .map_err(|failure| self.relabel(failure))?,
            );
        }
        let Some(context) = &mut self.context else { return Ok(()) };
        context.attach_if_needed();
        if code.trim().is_empty() {
            return Ok(());
        }
        self.record.begin();
        status("Compiling");
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| context.execute(code)));
        let Ok(result) = result else {
            self.context = None;
            super::processes::kill_descendants_except(None);
            let what = "evcxr or rust-analyzer failed on this cell: the cell's process was started again";
            return Err(failure::plain("InternalError", what, Some("all variables and definitions are lost")));
        };
        context.sync();
        let outcome = self.record.finish();
        let failed = context.failure(result, &outcome, code, self.interrupter.interrupted());
        failed.map_or(Ok(()), Err)
    }

    /// Killing a compiler that builds the prelude looks like a broken one.
    fn relabel(&self, failure: RustFailure) -> RustFailure {
        match self.interrupter.interrupted() {
            true => failure::plain("Interrupted", "interrupted while the Rust compiler was being prepared", None),
            false => failure,
        }
    }
}
