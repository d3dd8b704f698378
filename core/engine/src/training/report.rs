//! Other programs that watch a run: TensorBoard, MLflow. What goes wrong there is said once and
//! stops nothing.

mod tensorboard;

use luthier_protocol::Event;
use luthier_protocol::spec::FinetuneSpec;

use crate::project::Project;
use crate::store::RunStatus;

/// Somebody who is told what a run says.
trait Watcher {
    /// One event. After an error nothing more is told.
    fn event(&mut self, event: &Event, unix_ms: u64) -> Result<(), String>;
    /// The run has ended.
    fn end(&mut self, status: RunStatus, unix_ms: u64) -> Result<(), String>;
    /// What to call it in a warning.
    fn name(&self) -> &'static str;
}

/// All that a recipe asks for.
#[derive(Default)]
pub(super) struct Watchers {
    watchers: Vec<Box<dyn Watcher>>,
}

impl Watchers {
    /// Those of a recipe; those that cannot begin are named in the warnings.
    pub(super) fn open(project: &Project, spec: &FinetuneSpec, run: &str, unix_ms: u64) -> (Watchers, Vec<String>) {
        let mut watchers = Watchers::default();
        let mut warnings = Vec::new();
        if let Some(dir) = &spec.train.tensorboard {
            match tensorboard::EventFile::create(&project.resolve(dir).join(run), unix_ms) {
                Ok(file) => watchers.watchers.push(Box::new(file)),
                Err(error) => warnings.push(format!("TensorBoard is told nothing: {error}")),
            }
        }
        (watchers, warnings)
    }

    /// Tell all; what went wrong.
    pub(super) fn event(&mut self, event: &Event, unix_ms: u64) -> Vec<String> {
        self.each(|watcher| watcher.event(event, unix_ms))
    }

    /// The run has ended.
    pub(super) fn end(&mut self, status: RunStatus, unix_ms: u64) -> Vec<String> {
        self.each(|watcher| watcher.end(status, unix_ms))
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn Watcher) -> Result<(), String>) -> Vec<String> {
        let mut warnings = Vec::new();
        self.watchers.retain_mut(|watcher| match tell(watcher.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                warnings.push(format!("{} is told no more of this run: {error}", watcher.name()));
                false
            }
        });
        warnings
    }
}

/// Numbers of an event by name: `train/loss`, `eval/loss`, `train/rewards/margins`; with their step.
fn scalars(event: &Event) -> Option<(u64, Vec<(String, f64)>)> {
    let named = |prefix: &str, fixed: &[(&str, f64)], metrics: &std::collections::BTreeMap<String, f64>| {
        let fixed = fixed.iter().map(|(name, value)| (format!("{prefix}/{name}"), *value));
        fixed.chain(metrics.iter().map(|(name, value)| (format!("{prefix}/{name}"), *value))).collect()
    };
    match event {
        Event::Step(step) => {
            let fixed = [
                ("loss", step.loss),
                ("learning_rate", step.learning_rate),
                ("grad_norm", step.grad_norm),
                ("epoch", step.epoch),
                ("tokens_per_second", step.tokens_per_second),
            ];
            Some((step.global_step, named("train", &fixed, &step.metrics)))
        }
        Event::Evaluated(evaluation) => {
            Some((evaluation.global_step, named("eval", &[("loss", evaluation.loss)], &evaluation.metrics)))
        }
        _ => None,
    }
}
