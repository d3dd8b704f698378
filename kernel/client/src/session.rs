//! The connections of this process: opened with the first request, used again by the next.

use std::sync::{Mutex, PoisonError};

use luthier_protocol::{Event, Failure, Request, Response};

use crate::engine::{ConnectOptions, Connection, connect_or_spawn};
use crate::{Result, cell, interrupt};

/// Connections that nobody uses at the moment; one per request that runs at the same time.
static IDLE: Mutex<Vec<Connection>> = Mutex::new(Vec::new());

/// Ask the engine for something, for the project of the working directory. Progress goes to the
/// cell's status line, warnings to standard error; an interrupt cancels the request.
pub fn request(request: Request) -> Result<Response> {
    request_with(request, &mut show)
}

/// As [`request`], with an ear for events of one's own.
pub fn request_with(request: Request, on_event: &mut dyn FnMut(Event)) -> Result<Response> {
    let mut connection = take()?;
    let answer = connection.request(request, on_event, Some(interrupt::flag()));
    give_back(connection);
    cell::status("");
    Ok(answer?)
}

/// Use a connection that was made elsewhere (over `ssh` to `luthier-engine --stdio`, say) for requests
/// about its project, instead of the engine of this machine.
pub fn adopt(connection: Connection) {
    give_back(connection);
}

/// A connection for the project of the working directory.
pub(crate) fn take() -> Result<Connection, Failure> {
    let options = ConnectOptions::from_env(".");
    let project = options.project_root();
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    match idle.iter().position(|connection| std::path::Path::new(connection.project_dir()) == project) {
        Some(position) => Ok(idle.swap_remove(position)),
        None => {
            drop(idle);
            connect_or_spawn(options)
        }
    }
}

/// Keep a connection for the next request; one that broke renews itself then.
pub(crate) fn give_back(connection: Connection) {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
}

/// What a person sees while a request runs.
pub(crate) fn show(event: Event) {
    match event {
        Event::Step(step) => cell::status(&format!(
            "step {}/{}  loss {:.4}  {:.0} tokens/s",
            step.global_step, step.total_steps, step.loss, step.tokens_per_second
        )),
        Event::Progress { stage, done, total: Some(total) } => cell::status(&format!("{stage} {done}/{total}")),
        Event::Progress { stage, done, total: None } => cell::status(&format!("{stage} {done}")),
        Event::RunStarted { run, resumed_from: Some(step), .. } => {
            cell::status(&format!("run {run} goes on after step {step}"));
        }
        Event::RunStarted { run, .. } => cell::status(&format!("run {run} started")),
        Event::Warning { message } => eprintln!("warning: {message}"),
        Event::Evaluated(_) | Event::Checkpoint { .. } | Event::Text { .. } => {}
    }
}
