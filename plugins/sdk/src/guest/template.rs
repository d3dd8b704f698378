//! Exports a [`Template`].

use std::cell::RefCell;
use std::marker::PhantomData;

use super::convert::{batch_in, batch_out, config_in, context_in, error_out, spec_out};
use super::imports::Capabilities;
use crate::bindings::metric::luthier::plugin::data::{Batch as WitBatch, Error as WitError};
use crate::bindings::template::exports::luthier::plugin::template as wit;
use crate::template::{dedup_batch, messages_batch, verdicts_batch};
use crate::{Answer, Batch, Column, Stages, Template, Utf8Column};

/// The component's exports.
pub struct TemplateGuest<T, C>(PhantomData<(T, C)>);

/// An opened template. The host calls from one thread and never re-enters.
pub struct Pipeline<T, C>(RefCell<T>, PhantomData<C>);

impl<T: Template + 'static, C: Capabilities> wit::Guest for TemplateGuest<T, C> {
    type Pipeline = Pipeline<T, C>;

    fn describe() -> wit::Descriptor {
        super::report_panics();
        let descriptor = T::describe();
        let roles = descriptor.roles;
        wit::Descriptor {
            id: descriptor.id,
            version: descriptor.version,
            summary: descriptor.summary,
            config_schema: descriptor.config_schema.to_string(),
            row_schema: descriptor.row_schema.into_iter().map(spec_out).collect(),
            roles: wit::Roles { prompt: roles.prompt, target: roles.target, group: roles.group },
            stages: stages_out(descriptor.stages),
            output_formats: descriptor.output_formats,
            metrics: descriptor.metrics,
            databases: descriptor
                .databases
                .into_iter()
                .map(|database| wit::NamedScript { name: database.name, script: database.script })
                .collect(),
        }
    }
}

impl<T: Template + 'static, C: Capabilities> wit::GuestPipeline for Pipeline<T, C> {
    fn open(config: String, ctx: wit::Context) -> Result<wit::Pipeline, WitError> {
        super::report_panics();
        let template = config_in(&config)
            .and_then(|config| T::open(config, context_in(ctx), C::databases()))
            .map_err(error_out)?;
        Ok(wit::Pipeline::new(Self(RefCell::new(template), PhantomData)))
    }

    fn generate(&self, n: u32) -> Result<WitBatch, WitError> {
        self.0.borrow_mut().generate(n).map(batch_out).map_err(error_out)
    }

    fn prompt(&self, rows: WitBatch, shots: WitBatch) -> Result<WitBatch, WitError> {
        let conversations = self.0.borrow_mut().prompt(&batch_in(rows), &batch_in(shots)).map_err(error_out)?;
        Ok(batch_out(messages_batch(&conversations)))
    }

    fn extract(&self, completions: Vec<String>) -> Result<Vec<wit::Answer>, WitError> {
        let answers = self.0.borrow_mut().extract(&completions).map_err(error_out)?;
        Ok(answers
            .into_iter()
            .map(|answer| match answer {
                Answer::Found(text) => wit::Answer::Found(text),
                Answer::Missing(reason) => wit::Answer::Missing(reason),
            })
            .collect())
    }

    fn synthesis_prompts(&self, seeds: WitBatch) -> Result<WitBatch, WitError> {
        self.0.borrow_mut().synthesis_prompts(&batch_in(seeds)).map(batch_out).map_err(error_out)
    }

    fn parse(&self, outputs: WitBatch) -> Result<wit::Parsed, WitError> {
        let parsed = self.0.borrow_mut().parse(&batch_in(outputs)).map_err(error_out)?;
        Ok(wit::Parsed { rows: batch_out(parsed.rows), rejects: batch_out(parsed.rejects) })
    }

    fn validate(&self, rows: WitBatch) -> Result<WitBatch, WitError> {
        let verdicts = self.0.borrow_mut().validate(&batch_in(rows)).map_err(error_out)?;
        Ok(batch_out(verdicts_batch(&verdicts)))
    }

    fn dedup_keys(&self, rows: WitBatch) -> Result<WitBatch, WitError> {
        let keys = self.0.borrow_mut().dedup_keys(&batch_in(rows)).map_err(error_out)?;
        Ok(batch_out(dedup_batch(&keys)))
    }

    fn render(&self, rows: WitBatch, format: String) -> Result<WitBatch, WitError> {
        let records = self.0.borrow_mut().render(&batch_in(rows), &format).map_err(error_out)?;
        let texts = records.iter().map(ToString::to_string);
        let column = Column::Json(Utf8Column::from_texts(texts));
        Ok(batch_out(Batch::new(records.len()).with("record", column)))
    }
}

fn stages_out(stages: Stages) -> wit::Stages {
    [
        (stages.generate, wit::Stages::GENERATE),
        (stages.synthesis_prompts, wit::Stages::SYNTHESIS_PROMPTS),
        (stages.parse, wit::Stages::PARSE),
        (stages.validate, wit::Stages::VALIDATE),
        (stages.dedup, wit::Stages::DEDUP),
        (stages.render, wit::Stages::RENDER),
    ]
    .into_iter()
    .filter(|(present, _)| *present)
    .fold(wit::Stages::empty(), |all, (_, stage)| all | stage)
}
