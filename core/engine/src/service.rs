//! From a request to its answer: which thread serves it, what survives its client, and the one
//! match over all requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use luthier_protocol::{Event, Failure, FailureKind, Request, Response};

use crate::Error;
use crate::answering::is_remote;
use crate::call::Call;
use crate::commands;
use crate::engine::Engine;
use crate::hub::Watch;
use crate::models::{Reach, Resolved, Resolver};
use crate::project::Project;

/// Where a request is served.
pub(crate) enum Lane {
    /// In a thread of its own, at once.
    Own,
    /// By the worker that owns the device, in order.
    Device {
        /// What others are told they wait for.
        title: String,
    },
}

/// What serving a request needs.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) project: &'a Project,
    pub(crate) call: &'a Call,
}

impl Context<'_> {
    /// Call `work` with a resolver that downloads what is not in the hub's cache.
    pub(crate) fn resolve(&self, name: &str) -> Result<Resolved, Error> {
        self.with_watch(|watch| self.resolver(Reach::Download { watch }).resolve(name))
    }

    /// As [`Context::resolve`], and the hub is asked what a revision is now.
    pub(crate) fn resolve_fresh(&self, name: &str) -> Result<Resolved, Error> {
        self.with_watch(|watch| self.resolver(Reach::Refresh { watch }).resolve(name))
    }

    /// What is on this machine only: looking downloads nothing.
    pub(crate) fn resolve_here(&self, name: &str) -> Result<Resolved, Error> {
        self.resolver(Reach::Cache).resolve(name)
    }

    fn resolver<'a>(&'a self, reach: Reach<'a>) -> Resolver<'a> {
        Resolver { project: self.project, builtins: &self.engine.builtins, hub: &self.engine.hub, reach }
    }

    /// This request as somebody who waits for a transfer.
    pub(crate) fn with_watch<T>(&self, work: impl FnOnce(Watch<'_>) -> T) -> T {
        let progress = |stage: &str, done: u64, total: u64| {
            self.call.event(Event::Progress { stage: stage.to_owned(), done, total: Some(total) });
        };
        let warn = |message: String| self.call.warn(message);
        work(Watch { cancel: self.cancel(), progress: &progress, warn: &warn })
    }

    /// Set when the request should end.
    pub(crate) fn cancel(&self) -> &AtomicBool {
        self.call.cancel_token()
    }
}

/// Which thread serves a request: the device's for what computes with weights.
pub(crate) fn lane(request: &Request) -> Lane {
    let title = match request {
        Request::Load { model, .. } => format!("load {model}"),
        Request::Attach(spec) => format!("attach {}", spec.adapters.join(" ")),
        Request::Finetune(spec) => format!("finetune {}", spec.name.as_deref().unwrap_or(&spec.data)),
        Request::CheckTraining { .. } => "check training".to_owned(),
        Request::Resume { run } => format!("resume {run}"),
        Request::Ask(spec) => format!("ask {}", spec.model),
        Request::Evaluate(spec) => format!("evaluate {}", spec.name.as_deref().unwrap_or(&spec.data)),
        Request::Predict(spec) => format!("predict {}", spec.data),
        Request::Synthesize(spec) if spec.model.as_deref().is_some_and(|model| !is_remote(model)) => {
            format!("synthesize {}", spec.name.as_deref().unwrap_or(&spec.template))
        }
        Request::Export(spec) => format!("export {}", spec.model),
        Request::Merge(spec) => format!("merge {}", spec.adapter),
        _ => return Lane::Own,
    };
    Lane::Device { title }
}

/// Whether a request goes on when its client vanishes: runs do.
pub(crate) fn survives(request: &Request) -> bool {
    matches!(request, Request::Finetune(_) | Request::Resume { .. } | Request::Dataset(_) | Request::Synthesize(_))
}

/// Serve a request. A panic is a fault of ours and costs this request only.
pub(crate) fn answer(
    engine: &Arc<Engine>,
    project: Project,
    call: &Call,
    request: Request,
) -> Result<Response, Failure> {
    let context = Context { engine, project: &project, call };
    match catch_unwind(AssertUnwindSafe(|| handle(context, request))) {
        Ok(outcome) => outcome.map_err(|error| failure(error, context)),
        Err(panic) => Err(internal(panic.as_ref())),
    }
}

/// A plugin or a reader that was stopped half-way reports a fault of its own; what happened is that
/// somebody stopped it.
fn failure(error: Error, context: Context<'_>) -> Failure {
    let mut failure = Failure::from(error);
    let half_way = [FailureKind::Plugin, FailureKind::Data, FailureKind::Model].contains(&failure.kind);
    if half_way && context.cancel().load(std::sync::atomic::Ordering::SeqCst) {
        failure.kind = FailureKind::Interrupted;
    }
    failure
}

fn handle(context: Context<'_>, request: Request) -> Result<Response, Error> {
    match request {
        Request::Device => commands::device::describe(context),
        Request::Models => commands::catalog::models(context),
        Request::Adapters => commands::catalog::adapters(context),
        Request::Datasets => commands::catalog::datasets(context),
        Request::Runs => commands::catalog::runs(context),
        Request::RunRecord { run } => commands::records::show(context, &run),
        Request::RunDiff { run, against } => commands::records::diff(context, &run, &against),
        Request::Plugins => commands::catalog::plugins(context),
        Request::Plugin(request) => commands::plugin::plugin(context, request),
        Request::Leaderboard => commands::catalog::leaderboard(context),
        Request::Load { model, name, accept_base } => {
            commands::load::load(context, &model, name.as_deref(), accept_base)
        }
        Request::Attach(spec) => commands::attach::attach(context, &spec),
        Request::Detach { adapter } => commands::attach::detach(context, adapter.as_deref()),
        Request::Dataset(spec) => commands::dataset::dataset(context, spec),
        Request::Synthesize(spec) => commands::synthesize::synthesize(context, &spec),
        Request::Show(spec) => commands::show::show(context, &spec),
        Request::Review(spec) => commands::review::review(context, &spec),
        Request::Rows { data, split } => commands::rows::rows(context, &data, split.as_deref()),
        Request::Finetune(spec) => commands::finetune::finetune(context, spec),
        Request::CheckTraining { spec, recipe } => commands::check::training(context, spec, recipe.as_deref()),
        Request::Plan(spec) => commands::plan::plan(context, &spec),
        Request::Resume { run } => commands::finetune::resume(context, &run),
        Request::CancelRun { run } => commands::runs::cancel(context, &run),
        Request::Follow { run } => commands::runs::follow(context, &run),
        Request::Ask(spec) => commands::ask::ask(context, &spec),
        Request::Evaluate(spec) => commands::evaluate::evaluate(context, &spec),
        Request::Predict(spec) => commands::predict::predict(context, &spec),
        Request::RecordLocal { predictions, metric, scores } => {
            commands::predict::record_local(context, &predictions, &metric, &scores)
        }
        Request::Export(spec) => commands::export::export(context, &spec),
        Request::Merge(spec) => commands::export::merge(context, &spec),
        Request::Push(spec) => commands::hub::push(context, &spec),
        Request::Pull(spec) => commands::hub::pull(context, &spec),
        Request::Shutdown => {
            context.engine.presence().leave();
            Ok(Response::Done)
        }
    }
}

fn internal(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Failure::new(FailureKind::Internal, format!("the engine has a fault: {text}"))
        .hint("the engine goes on; its log (engine.log beside its socket) says where. Please report it")
}
