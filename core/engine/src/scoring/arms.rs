//! What is compared: models and adapters, with or without examples in the prompt.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use luthier_data::{Dataset, Message};
use luthier_eval::Prediction;
use luthier_lm::{GenerateRequest, LanguageModel};
use luthier_protocol::Event;
use luthier_protocol::response::Signature;
use luthier_protocol::spec::{ArmSpec, EvaluateSpec, GenerationSpec};

use crate::Error;
use crate::clock::Stopwatch;
use crate::engine::BUILD;
use crate::error::AtExt;
use crate::generation::{LocalModel, PromptForm};
use crate::models::{self, Opened};
use crate::service::Context;
use crate::task::{self, Task};

/// Progress is told at most this often.
const TELL_INTERVAL_S: f64 = 0.25;

/// One arm, ready to answer.
pub(crate) struct Arm {
    /// Label in the report.
    pub(crate) label: String,
    pub(crate) num_fewshot: usize,
    opened: Opened,
    shots: RecordBatch,
}

impl Arm {
    /// All arms of a spec, the baseline first. Whatever is wrong with one is found here.
    pub(crate) fn open_all(
        context: Context<'_>,
        spec: &EvaluateSpec,
        dataset: &Dataset,
        task: &Task,
    ) -> Result<Vec<Arm>, Error> {
        let (specs, pointer): (Vec<&ArmSpec>, _) = match (&spec.model, spec.models.as_slice()) {
            (Some(model), []) => (vec![model], "/model"),
            (None, models) if !models.is_empty() => (models.iter().collect(), "/models"),
            (None, _) => return Err(Error::invalid("model", "missing", "`model` or `models`")).at("/model"),
            (Some(_), _) => {
                return Err(Error::invalid("model", "given beside `models`", "one of the two")).at("/model");
            }
        };
        let mut labels = BTreeSet::new();
        let mut arms = Vec::with_capacity(specs.len());
        for arm in specs {
            let arm = Arm::open(context, arm, spec, dataset, task, pointer)?;
            if !labels.insert(arm.label.clone()) {
                let found = format!("{:?} twice", arm.label);
                return Err(Error::invalid("the labels of the arms", found, "different ones: set `name`")).at(pointer);
            }
            arms.push(arm);
        }
        Ok(arms)
    }

    fn open(
        context: Context<'_>,
        arm: &ArmSpec,
        spec: &EvaluateSpec,
        dataset: &Dataset,
        task: &Task,
        pointer: &'static str,
    ) -> Result<Arm, Error> {
        let table = arm.table();
        let resolved = context.resolver().resolve(&table.model).at(pointer)?;
        let opened = models::open(&context.engine.loaded, &resolved).at(pointer)?;
        task::check_renderer(&opened, &task.fingerprint()).at(pointer)?;
        let shots = task::shots(dataset, table.num_fewshot, spec.seed).at(pointer)?;
        let label = table.name.unwrap_or(table.model);
        Ok(Arm { label, num_fewshot: table.num_fewshot, opened, shots })
    }

    /// What this arm makes of each row.
    pub(crate) fn predict(
        &self,
        context: Context<'_>,
        rows: &RecordBatch,
        task: &mut Task,
        generation: &GenerationSpec,
    ) -> Result<Vec<Prediction>, Error> {
        let conversations = task.render(rows, &self.shots)?;
        let requests = self.requests(&conversations, generation)?;
        let mut model = LocalModel::new(&self.opened, PromptForm::Rendered);
        let mut meter = Meter::new(context, &self.label);
        let completions = model.generate(&requests, &mut |done, total| meter.tell(done, total), context.cancel());
        let completions = completions.map_err(|error| match error {
            luthier_lm::Error::Interrupted => interrupted(&self.label),
            error => error.into(),
        })?;
        let texts: Vec<String> =
            completions.iter().filter_map(|result| result.as_ref().ok()).map(|done| done.text.clone()).collect();
        let mut answers = task.extract(&texts)?.into_iter().zip(texts);
        Ok(completions
            .iter()
            .map(|completion| match (completion, completion.is_ok().then(|| answers.next()).flatten()) {
                (Ok(_), Some((answer, text))) => Prediction::extracted(text, answer),
                (Err(luthier_lm::Error::TooLong { .. }), _) => Prediction::failed("too-long"),
                _ => Prediction::failed("model-error"),
            })
            .collect())
    }

    fn requests(
        &self,
        conversations: &[Vec<Message>],
        generation: &GenerationSpec,
    ) -> Result<Vec<GenerateRequest>, Error> {
        let prompter = &self.opened.base.prompter;
        let request = |messages: &Vec<Message>| -> Result<GenerateRequest, Error> {
            Ok(GenerateRequest { prompt: prompter.render(messages)?, generation: generation.clone() })
        };
        conversations.iter().map(request).collect()
    }

    /// Everything that this arm's numbers depend on, besides the metric.
    pub(crate) fn signature(&self, data: &str, task: &Task, spec: &EvaluateSpec) -> Signature {
        let base = &self.opened.base;
        let template = base.prompter.template.fingerprint();
        Signature {
            id: String::new(),
            data: data.to_owned(),
            prompt_template: crate::hash::parts([task.fingerprint().as_bytes(), template.as_bytes()]),
            plugin: String::new(),
            weights: base.fingerprint.clone(),
            adapter: self.opened.adapter_fingerprint.clone(),
            tokenizer: base.prompter.tokenizer.fingerprint().to_owned(),
            generation: serde_json::to_string(&spec.generation).unwrap_or_default(),
            num_fewshot: self.num_fewshot,
            seed: spec.seed,
            engine: BUILD.to_owned(),
            local: false,
        }
    }
}

fn interrupted(label: &str) -> Error {
    Error::Interrupted { saved: format!("while {label} was answering; no score was stored"), advice: None }
}

/// Tells how far an arm is, not too often.
struct Meter<'a> {
    context: Context<'a>,
    stage: String,
    since_told: Option<Stopwatch>,
}

impl<'a> Meter<'a> {
    fn new(context: Context<'a>, label: &str) -> Meter<'a> {
        Meter { context, stage: format!("evaluate {label}"), since_told: None }
    }

    fn tell(&mut self, done: usize, total: usize) {
        let recent = self.since_told.is_some_and(|since| since.seconds() < TELL_INTERVAL_S);
        if recent && done < total {
            return;
        }
        self.since_told = Some(self.context.engine.clock().stopwatch());
        let (stage, done, total) = (self.stage.clone(), done as u64, Some(total as u64));
        self.context.call.event(Event::Progress { stage, done, total });
    }
}
