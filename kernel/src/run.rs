//! Runs one parsed command: lowers it, asks the engine, shows progress, renders the result. Shared by
//! cells and the command line.

use std::{sync::atomic::AtomicBool, time::Instant};

use luthier_protocol::{Event, Failure, FailureKind, Response};

use crate::{
    cell::{Diagnostic, Invocation},
    command::{Action, Problem},
    display::{self, MimeBundle, progress::Progress},
    engine::Engine,
    screen::Screen,
};

/// What a command came to.
#[derive(Debug)]
pub enum Outcome {
    /// Something to show that needed no engine.
    Shown(MimeBundle),
    /// The engine's answer.
    Answered(Box<Response>),
}

/// Why a command came to nothing.
#[derive(Debug)]
pub enum Failed {
    /// The command itself is wrong.
    Command(Diagnostic),
    /// The engine said no. The run's id, if one had started.
    Engine(Box<Failure>, Option<String>),
}

/// Run one command. Progress goes to `screen`; the result is returned, for whoever wants it as
/// a display or as JSON.
pub fn run(
    invocation: &Invocation,
    engine: &Engine,
    cancel: &AtomicBool,
    screen: &mut dyn Screen,
) -> Result<Outcome, Failed> {
    let lowered = (invocation.command.lower)(&invocation.values);
    let request = match lowered.map_err(|problem| Failed::Command(place(problem, invocation)))? {
        Action::Show(bundle) => return Ok(Outcome::Shown(bundle)),
        Action::Ask(request) => *request,
    };
    let mut progress = Progress::new(title(invocation), Instant::now());
    let mut run_id = None;
    let answer = engine.request(
        request,
        &mut |event| {
            if let Event::RunStarted { run, .. } = &event {
                run_id = Some(run.clone());
            }
            progress.on_event(&event, Instant::now(), screen);
        },
        cancel,
    );
    let ending = answer.as_ref().err().map(|failure| match failure.kind {
        FailureKind::Interrupted => "interrupted",
        _ => "failed",
    });
    progress.finish(ending, Instant::now(), screen);
    match answer {
        Ok(response) => Ok(Outcome::Answered(Box::new(response))),
        Err(failure) => Err(Failed::Engine(Box::new(failure), run_id)),
    }
}

/// The display of an outcome.
pub fn render(invocation: &Invocation, outcome: Outcome) -> MimeBundle {
    match outcome {
        Outcome::Shown(bundle) => bundle,
        Outcome::Answered(response) => {
            (invocation.command.render)(&response).unwrap_or_else(|| display::fallback(&response))
        }
    }
}

/// A failure with the place in the text that it names.
pub fn diagnostic(failure: &Failure, invocation: &Invocation) -> Diagnostic {
    let diagnostic = Diagnostic {
        hint: failure.hint.clone(),
        ..Diagnostic::new(failure.kind.ename(), display::text::clean(&failure.message))
    };
    match &failure.location {
        Some(location) => diagnostic.at(invocation.locate(&location.pointer)),
        None => diagnostic,
    }
}

fn place(problem: Problem, invocation: &Invocation) -> Diagnostic {
    let Problem { message, hint, pointer } = problem;
    Diagnostic { hint, ..Diagnostic::new("InvalidRequest", message) }.at(invocation.locate(&pointer))
}

/// `finetune shop-sql`: what the progress line is about.
fn title(invocation: &Invocation) -> String {
    let named = ["name", "run", "model", "data"].into_iter().find_map(|key| invocation.values.get(key)?.as_str());
    match named {
        Some(name) => format!("{} {name}", invocation.command.name),
        None => invocation.command.name.to_owned(),
    }
}
