//! A template plugin as synthesis, prompting and answer extraction see it.

mod asking;
mod descriptor;
mod synthesis;

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use luthier_data::{Answer, AnswerExtractor, Message, PromptRenderer};
use luthier_synth::{Asking, ModelOutput, ParsedOutput, Seed, TaskTemplate, TemplateDescriptor, Verdict};
use serde_json::Value;
use wasmtime::component::ResourceAny;

use crate::bindings::data::{self, LogicalType};
use crate::bindings::template::TemplatePluginAny;
use crate::bindings::template::exports::luthier::plugin::template as wit;
use crate::call::{Guest, Receipt};
use crate::columns::{Check, Expected, texts, to_guest};
use crate::limits::NO_ROWS;
use crate::plugin::{Context, Description, Plugin, World, refused};
use crate::{Error, text};

pub(crate) use descriptor::check_descriptor;
use descriptor::fingerprint;
pub use synthesis::ParsedRows;

/// An opened template.
pub struct TemplatePlugin {
    plugin: Plugin,
    config: Value,
    context: Context,
    databases: BTreeMap<String, PathBuf>,
    descriptor: TemplateDescriptor,
    row_schema: Vec<Expected>,
    fingerprint: String,
    guest: Guest,
    instance: TemplatePluginAny,
    pipeline: ResourceAny,
}

impl TemplatePlugin {
    pub(crate) fn open(
        plugin: &Plugin,
        config: &Value,
        context: Context,
        databases: &BTreeMap<String, PathBuf>,
    ) -> Result<Self, Error> {
        let (Description::Template { descriptor, row_schema }, World::Template(pre)) =
            (&plugin.inner.description, &plugin.inner.world)
        else {
            return Err(plugin.wrong_kind("template"));
        };
        let mut guest = plugin.guest(&context, databases);
        let (text, guest_context) = (config.to_string(), context.to_guest(guest.limits()));
        let (instance, pipeline) = guest.call("open", NO_ROWS, |store| {
            let instance = pre.instantiate(&mut *store)?;
            let pipeline = instance.luthier_plugin_template().pipeline().call_open(store, &text, &guest_context)?;
            Ok((instance, pipeline))
        })?;
        let pipeline = pipeline.map_err(|error| refused(&guest, "open", error))?;
        Ok(Self {
            plugin: plugin.clone(),
            config: config.clone(),
            context,
            databases: databases.clone(),
            descriptor: (**descriptor).clone(),
            row_schema: row_schema.clone(),
            fingerprint: fingerprint(plugin.audit(), &descriptor.config_schema, config),
            guest,
            instance,
            pipeline,
        })
    }

    /// The same template from its beginning: the seed's first row, no memory of earlier calls. Also
    /// the way on after an error that ended this one.
    pub fn reopen(&self) -> Result<Self, Error> {
        Self::open(&self.plugin, &self.config, self.context.clone(), &self.databases)
    }

    /// Fuel of all calls so far: the same for the same calls on any machine.
    pub fn fuel_used(&self) -> u64 {
        self.guest.receipt().fuel
    }

    /// What all calls so far took.
    pub fn receipt(&self) -> Receipt {
        self.guest.receipt()
    }

    pub(crate) fn row_columns(&self) -> &[Expected] {
        &self.row_schema
    }

    /// Log lines since the last time, oldest first.
    pub fn take_log(&mut self) -> Vec<String> {
        self.guest.take_log()
    }

    /// The next `n` rows; fewer if the template ran out.
    pub fn generate_rows(&mut self, n: u32) -> Result<RecordBatch, Error> {
        let mut parts: Vec<RecordBatch> = Vec::new();
        let mut left = n;
        loop {
            let asked = left.min(self.guest.limits().batch_rows);
            let part = self.generate_call(asked)?;
            let made = part.num_rows() as u32;
            left -= made;
            parts.push(part);
            if made < asked || left == 0 {
                break;
            }
        }
        let schema = parts.first().map(RecordBatch::schema).unwrap_or_else(|| arrow_schema::Schema::empty().into());
        arrow_select::concat::concat_batches(&schema, &parts)
            .map_err(|error| Error::Runtime { detail: error.to_string() })
    }

    fn generate_call(&mut self, n: u32) -> Result<RecordBatch, Error> {
        let (instance, pipeline) = (&self.instance, self.pipeline);
        let found = self
            .guest
            .call("generate", n as usize, |store| {
                instance.luthier_plugin_template().pipeline().call_generate(store, pipeline, n)
            })?
            .map_err(|error| refused(&self.guest, "generate", error))?;
        let check = self.check("generate");
        if found.rows > n {
            return Err(check.error(format!("at most {n} rows"), format!("{} rows", found.rows)));
        }
        check.batch(found, None, &self.row_schema)
    }

    /// Conversations, each ending with the turn to answer.
    pub fn prompts(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>, Error> {
        let shots = to_guest(&self.known_columns(shots, &[])?, &self.row_schema)?;
        let rows = self.known_columns(rows, &self.descriptor.prompt_columns)?;
        let mut conversations = Vec::with_capacity(rows.num_rows());
        for part in self.parts(&rows) {
            let (instance, pipeline, batch) = (&self.instance, self.pipeline, to_guest(&part, &self.row_schema)?);
            let found = self
                .guest
                .call("prompt", part.num_rows() + shots.rows as usize, |store| {
                    instance.luthier_plugin_template().pipeline().call_prompt(store, pipeline, &batch, &shots)
                })?
                .map_err(|error| refused(&self.guest, "prompt", error))?;
            let check = self.check("prompt");
            let expected = [Expected::new("messages", LogicalType::Json)];
            let found = check.batch(found, Some(part.num_rows()), &expected)?;
            for (row, document) in texts(&found, "messages").iter().enumerate() {
                conversations.push(messages(&check, row, document)?);
            }
        }
        Ok(conversations)
    }

    /// The answers in completions.
    pub fn answers(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error> {
        let mut answers = Vec::with_capacity(completions.len());
        for part in completions.chunks(self.guest.limits().batch_rows.max(1) as usize) {
            let (instance, pipeline) = (&self.instance, self.pipeline);
            let found = self
                .guest
                .call("extract", part.len(), |store| {
                    instance.luthier_plugin_template().pipeline().call_extract(store, pipeline, part)
                })?
                .map_err(|error| refused(&self.guest, "extract", error))?;
            if found.len() != part.len() {
                let (expected, finding) = (format!("{} answers", part.len()), format!("{} answers", found.len()));
                return Err(self.check("extract").error(expected, finding));
            }
            let limit = self.guest.limits().text_bytes;
            answers.extend(found.into_iter().map(|answer| match answer {
                wit::Answer::Found(answer) => Answer::Found(answer),
                wit::Answer::Missing(reason) => Answer::Missing(text::clean(&reason, limit)),
            }));
        }
        Ok(answers)
    }

    pub(crate) fn verdicts(&mut self, rows: &RecordBatch) -> Result<Vec<Verdict>, Error> {
        let expected = [
            Expected::new("keep", LogicalType::Boolean),
            Expected::new("code", LogicalType::Utf8),
            Expected::new("message", LogicalType::Utf8),
        ];
        let mut verdicts = Vec::with_capacity(rows.num_rows());
        let limit = self.guest.limits().text_bytes;
        for found in self.by_rows("validate", rows, &expected, |instance, store, pipeline, batch| {
            instance.luthier_plugin_template().pipeline().call_validate(store, pipeline, batch)
        })? {
            let (codes, messages) = (texts(&found, "code"), texts(&found, "message"));
            let Some(keep) = found.column_by_name("keep").and_then(|column| column.as_boolean_opt()) else { continue };
            verdicts.extend(keep.values().iter().zip(codes).zip(messages).map(|((keep, code), message)| Verdict {
                keep,
                code: text::clean(&code, 64),
                message: text::clean(&message, limit),
            }));
        }
        Ok(verdicts)
    }

    /// Of each row the key of its exact duplicates, and the text of its near ones (empty for none).
    pub fn dedup(&mut self, rows: &RecordBatch) -> Result<Vec<(String, String)>, Error> {
        let expected =
            [Expected::new("exact-key", LogicalType::Utf8), Expected::new("near-text", LogicalType::Utf8).optional()];
        let found = self.by_rows("dedup-keys", rows, &expected, |instance, store, pipeline, batch| {
            instance.luthier_plugin_template().pipeline().call_dedup_keys(store, pipeline, batch)
        })?;
        let pairs = found.iter().flat_map(|part| {
            let near = texts(part, "near-text").into_iter().chain(std::iter::repeat(String::new()));
            texts(part, "exact-key").into_iter().zip(near).collect::<Vec<_>>()
        });
        Ok(pairs.collect())
    }

    fn keys(&mut self, rows: &RecordBatch) -> Result<Vec<String>, Error> {
        Ok(self.dedup(rows)?.into_iter().map(|(exact, _)| exact).collect())
    }

    /// Calls a stage with rows in and as many rows out, in parts.
    fn by_rows(
        &mut self,
        call: &'static str,
        rows: &RecordBatch,
        expected: &[Expected],
        stage: impl Fn(
            &TemplatePluginAny,
            &mut wasmtime::Store<crate::state::State>,
            ResourceAny,
            &data::Batch,
        ) -> wasmtime::Result<Result<data::Batch, data::Error>>
        + Sync,
    ) -> Result<Vec<RecordBatch>, Error> {
        let rows = self.known_columns(rows, &[])?;
        self.parts(&rows)
            .into_iter()
            .map(|part| {
                let (instance, pipeline, batch) = (&self.instance, self.pipeline, to_guest(&part, &self.row_schema)?);
                let found = self
                    .guest
                    .call(call, part.num_rows(), |store| stage(instance, store, pipeline, &batch))?
                    .map_err(|error| refused(&self.guest, call, error))?;
                self.check(call).batch(found, Some(part.num_rows()), expected)
            })
            .collect()
    }

    /// The columns that the template declared, as far as they are there; `required` must be.
    fn known_columns(&self, rows: &RecordBatch, required: &[String]) -> Result<RecordBatch, Error> {
        let schema = rows.schema();
        if let Some(column) = required.iter().find(|column| schema.index_of(column).is_err()) {
            return Err(Error::MissingColumn {
                plugin: self.descriptor.id.clone(),
                column: column.clone(),
                columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            });
        }
        let positions: Vec<_> =
            self.row_schema.iter().filter_map(|column| schema.index_of(&column.name).ok()).collect();
        rows.project(&positions).map_err(|error| Error::Runtime { detail: error.to_string() })
    }

    fn parts(&self, rows: &RecordBatch) -> Vec<RecordBatch> {
        let size = self.guest.limits().batch_rows.max(1) as usize;
        (0..rows.num_rows()).step_by(size).map(|start| rows.slice(start, size.min(rows.num_rows() - start))).collect()
    }

    fn check(&self, call: &'static str) -> Check<'_> {
        Check { plugin: self.guest.plugin(), call, limits: self.guest.limits() }
    }

    fn target_texts(&self, rows: &RecordBatch) -> Result<Vec<String>, Error> {
        let target = self.descriptor.target_column.as_ref().ok_or_else(|| Error::Unsupported {
            plugin: self.descriptor.id.clone(),
            feature: "training on a template without a target".to_owned(),
        })?;
        let column = rows.column_by_name(target).ok_or_else(|| Error::MissingColumn {
            plugin: self.descriptor.id.clone(),
            column: target.clone(),
            columns: rows.schema().fields().iter().map(|field| field.name().clone()).collect(),
        })?;
        let wrong_type = |found: String| Error::ColumnType {
            column: target.clone(),
            expected: "text without nulls".to_owned(),
            found,
        };
        let column = arrow_cast::cast(column, &DataType::Utf8).map_err(|error| wrong_type(error.to_string()))?;
        if column.null_count() > 0 {
            return Err(wrong_type(format!("{} nulls", column.null_count())));
        }
        Ok(column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect())
    }

    fn renderer_error(&self, error: Error) -> luthier_data::Error {
        luthier_data::Error::Renderer {
            what: format!("template `{}`", self.descriptor.id),
            finding: error.to_string(),
            source: Some(Box::new(error)),
        }
    }

    fn template_error(&self, stage: &'static str, error: Error) -> luthier_synth::Error {
        match error {
            Error::Interrupted { .. } => luthier_synth::Error::Interrupted,
            error => {
                luthier_synth::Error::Template { template: self.descriptor.id.clone(), stage, source: Box::new(error) }
            }
        }
    }
}

impl TaskTemplate for TemplatePlugin {
    fn descriptor(&self) -> &TemplateDescriptor {
        &self.descriptor
    }

    fn generate(&mut self, n: u32) -> Result<RecordBatch, luthier_synth::Error> {
        self.generate_rows(n).map_err(|error| self.template_error("generate", error))
    }

    fn validate(&mut self, rows: &RecordBatch) -> Result<Vec<Verdict>, luthier_synth::Error> {
        self.verdicts(rows).map_err(|error| self.template_error("validate", error))
    }

    fn dedup_keys(&mut self, rows: &RecordBatch) -> Result<Vec<String>, luthier_synth::Error> {
        self.keys(rows).map_err(|error| self.template_error("dedup_keys", error))
    }

    fn dedup_pairs(&mut self, rows: &RecordBatch) -> Result<Vec<(String, String)>, luthier_synth::Error> {
        self.dedup(rows).map_err(|error| self.template_error("dedup_keys", error))
    }

    fn synthesis_prompts(&mut self, seeds: &[Seed]) -> Result<Vec<Asking>, luthier_synth::Error> {
        self.askings(seeds).map_err(|error| self.template_error("synthesis_prompts", error))
    }

    fn parse(&mut self, output: &ModelOutput) -> Result<ParsedOutput, luthier_synth::Error> {
        self.parsed(output).map_err(|error| self.template_error("parse", error))
    }
}

impl PromptRenderer for TemplatePlugin {
    fn render(&mut self, rows: &RecordBatch, shots: &RecordBatch) -> Result<Vec<Vec<Message>>, luthier_data::Error> {
        self.prompts(rows, shots).map_err(|error| self.renderer_error(error))
    }

    fn targets(&mut self, rows: &RecordBatch) -> Result<Vec<String>, luthier_data::Error> {
        self.target_texts(rows).map_err(|error| self.renderer_error(error))
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

impl AnswerExtractor for TemplatePlugin {
    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, luthier_data::Error> {
        self.answers(completions).map_err(|error| self.renderer_error(error))
    }
}

fn messages(check: &Check<'_>, row: usize, document: &str) -> Result<Vec<Message>, Error> {
    let messages: Vec<Message> = serde_json::from_str(document)
        .map_err(|error| check.error("a list of {\"role\", \"content\"}", format!("{error} at row {row}")))?;
    if let Some(message) = messages.iter().find(|m| !matches!(m.role.as_str(), "system" | "user" | "assistant")) {
        let role = text::clean(&message.role, 64);
        return Err(check.error("the role system, user or assistant", format!("`{role}` at row {row}")));
    }
    if messages.last().is_none_or(|message| message.role == "assistant") {
        return Err(check.error("messages that end with the turn to answer", format!("others at row {row}")));
    }
    Ok(messages)
}
