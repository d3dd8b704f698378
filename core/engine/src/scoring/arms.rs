//! What is compared: models and adapters, with or without examples in the prompt.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use luthier_data::{Dataset, Message};
use luthier_eval::{Likelihood, Prediction, Questions};
use luthier_lm::GenerateRequest;
use luthier_protocol::Event;
use luthier_protocol::response::Signature;
use luthier_protocol::spec::{ArmSpec, EvaluateSpec, GenerationSpec};

use super::likelihood;
use crate::Error;
use crate::answering::{Answering, is_remote};
use crate::clock::Stopwatch;
use crate::engine::BUILD;
use crate::error::AtExt;
use crate::service::Context;
use crate::task::{self, Task};

/// Progress is told at most this often.
const TELL_INTERVAL_S: f64 = 0.25;

/// One arm, ready to answer.
pub(crate) struct Arm {
    /// Label in the report.
    pub(crate) label: String,
    pub(crate) num_fewshot: usize,
    answering: Answering,
    /// Where a server answers.
    server: String,
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
        let base_url = table.base_url.as_deref().or(spec.base_url.as_deref().filter(|_| is_remote(&table.model)));
        let answering = Answering::open(context, &table.model, base_url, &spec.provider).at(pointer)?;
        let server = match &answering {
            Answering::Local(opened) => {
                task::check_renderer(opened, &task.fingerprint()).at(pointer)?;
                String::new()
            }
            Answering::Remote(remote, name) => format!("{name} at {}", remote.server()),
        };
        let shots = task::shots(dataset, table.num_fewshot, spec.seed).at(pointer)?;
        let label = table.name.unwrap_or(table.model);
        Ok(Arm { label, num_fewshot: table.num_fewshot, answering, server, shots })
    }

    /// What this arm makes of each row: `needs.samples` answers of each, in order.
    pub(crate) fn predict(
        &mut self,
        context: Context<'_>,
        rows: &RecordBatch,
        questions: &Questions,
        task: &mut Task,
        generation: &GenerationSpec,
        needs: Needs,
    ) -> Result<Vec<Prediction>, Error> {
        let conversations = task.render(rows, &self.shots)?;
        let mut predictions = match needs.text {
            true => self.generate(context, &conversations, task, generation, needs.samples)?,
            false => vec![Prediction::unasked(); conversations.len() * needs.samples],
        };
        if needs.likelihood {
            let mut meter = Meter::new(context, &format!("{}, likelihoods", self.label));
            let mut tell = |done, total| meter.tell(done, total);
            let found = likelihood::likelihoods(
                &mut self.answering,
                &conversations,
                questions,
                needs.choices,
                &mut tell,
                context.cancel(),
            );
            let found = found.map_err(|error| explain(error, &self.label))?;
            for (prediction, found) in predictions.chunks_mut(needs.samples).zip(found) {
                prediction.iter_mut().for_each(|sample| sample.likelihood = Likelihood::clone(&found));
            }
        }
        Ok(predictions)
    }

    fn generate(
        &mut self,
        context: Context<'_>,
        conversations: &[Vec<Message>],
        task: &mut Task,
        generation: &GenerationSpec,
        samples: usize,
    ) -> Result<Vec<Prediction>, Error> {
        let requests = self.requests(conversations, generation, samples)?;
        let mut meter = Meter::new(context, &self.label);
        let mut model = self.answering.model();
        let completions = model.generate(&requests, &mut |done, total| meter.tell(done, total), context.cancel());
        let completions = completions.map_err(|error| explain(error.into(), &self.label))?;
        let texts: Vec<String> =
            completions.iter().filter_map(|result| result.as_ref().ok()).map(|done| done.text.clone()).collect();
        let mut answers = task.extract(&texts)?.into_iter().zip(texts);
        Ok(completions
            .iter()
            .map(|completion| match (completion, completion.is_ok().then(|| answers.next()).flatten()) {
                (Ok(_), Some((answer, text))) => Prediction::extracted(text, answer),
                (Err(error), _) => Prediction::failed(error.code()),
                (Ok(_), None) => Prediction::failed("model-error"),
            })
            .collect())
    }

    /// Samples of one prompt differ in nothing but their seed.
    fn requests(
        &self,
        conversations: &[Vec<Message>],
        generation: &GenerationSpec,
        samples: usize,
    ) -> Result<Vec<GenerateRequest>, Error> {
        let mut requests = Vec::with_capacity(conversations.len() * samples);
        for turns in conversations {
            let prompt = self.answering.prompt(turns)?;
            requests.extend((0..samples as u64).map(|sample| GenerateRequest {
                prompt: prompt.clone(),
                generation: GenerationSpec { seed: generation.seed.wrapping_add(sample), ..generation.clone() },
            }));
        }
        Ok(requests)
    }

    /// Everything that this arm's numbers depend on, besides the metric.
    pub(crate) fn signature(&self, data: &str, task: &Task, spec: &EvaluateSpec) -> Signature {
        let (weights, adapter, tokenizer, template) = match &self.answering {
            Answering::Local(opened) => (
                opened.base.fingerprint.clone(),
                opened.adapter_fingerprint.clone(),
                opened.base.prompter.tokenizer.fingerprint().to_owned(),
                opened.base.prompter.template.fingerprint(),
            ),
            // What a server runs is known by its name alone.
            Answering::Remote(..) => (self.server.clone(), String::new(), String::new(), ""),
        };
        let mut generation = serde_json::to_string(&spec.generation).unwrap_or_default();
        if spec.samples > 1 {
            generation.push_str(&format!(" samples {}", spec.samples));
        }
        Signature {
            id: String::new(),
            data: data.to_owned(),
            prompt_template: crate::hash::parts([task.fingerprint().as_bytes(), template.as_bytes()]),
            plugin: String::new(),
            weights,
            adapter,
            tokenizer,
            generation,
            num_fewshot: self.num_fewshot,
            seed: spec.seed,
            engine: BUILD.to_owned(),
            local: false,
        }
    }
}

fn explain(error: Error, label: &str) -> Error {
    match error {
        Error::LanguageModel(luthier_lm::Error::Interrupted) => {
            Error::Interrupted { saved: format!("while {label} was answering; no score was stored"), advice: None }
        }
        error => error,
    }
}

/// What metrics need of every arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Generated text.
    pub(crate) text: bool,
    /// Log-likelihoods of the references.
    pub(crate) likelihood: bool,
    /// Log-likelihoods of each row's choices.
    pub(crate) choices: bool,
    /// Answers per prompt.
    pub(crate) samples: usize,
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
