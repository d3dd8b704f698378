//! The stages of a template that a language model takes part in.

use arrow_array::RecordBatch;

use super::TemplatePlugin;
use crate::Error;
use crate::bindings::data::LogicalType;
use crate::columns::{Expected, texts, to_guest};
use crate::plugin::refused;

/// What a template made of a language model's outputs.
#[derive(Debug, Clone)]
pub struct ParsedRows {
    /// New rows, with the template's columns.
    pub rows: RecordBatch,
    /// What could not be used: `source-row` (int64), `code`, `message`, `raw-excerpt`.
    pub rejects: RecordBatch,
}

impl TemplatePlugin {
    /// What a language model is asked: columns `request-id`, `messages` (JSON), `params` (JSON).
    /// `seeds` say what for: `request-id`, `topic`, `document`, `n-rows` (int64), `avoid` (JSON).
    pub fn synthesis_prompts(&mut self, seeds: &RecordBatch) -> Result<RecordBatch, Error> {
        let declared = [Expected::new("n-rows", LogicalType::Int64), Expected::new("avoid", LogicalType::Json)];
        let seeds = to_guest(seeds, &declared)?;
        let (instance, pipeline) = (&self.instance, self.pipeline);
        let found = self
            .guest
            .call("synthesis-prompts", seeds.rows as usize, |store| {
                instance.luthier_plugin_template().pipeline().call_synthesis_prompts(store, pipeline, &seeds)
            })?
            .map_err(|error| refused(&self.guest, "synthesis-prompts", error))?;
        let expected = [
            Expected::new("request-id", LogicalType::Utf8),
            Expected::new("messages", LogicalType::Json),
            Expected::new("params", LogicalType::Json).optional(),
        ];
        let check = self.check("synthesis-prompts");
        let found = check.batch(found, None, &expected)?;
        for (row, document) in texts(&found, "messages").iter().enumerate() {
            super::messages(&check, row, document)?;
        }
        Ok(found)
    }

    /// Rows out of a language model's outputs: columns in `request-id`, `output`, `finish-reason`.
    pub fn parse_outputs(&mut self, outputs: &RecordBatch) -> Result<ParsedRows, Error> {
        let n_rows = outputs.num_rows();
        let declared = ["request-id", "output", "finish-reason"].map(|name| Expected::new(name, LogicalType::Utf8));
        let batch = to_guest(outputs, &declared)?;
        let (instance, pipeline) = (&self.instance, self.pipeline);
        let found = self
            .guest
            .call("parse", n_rows, |store| {
                instance.luthier_plugin_template().pipeline().call_parse(store, pipeline, &batch)
            })?
            .map_err(|error| refused(&self.guest, "parse", error))?;
        let check = self.check("parse");
        let rows = check.batch(found.rows, None, &self.row_schema)?;
        let rejects = [
            Expected::new("source-row", LogicalType::Int64),
            Expected::new("code", LogicalType::Utf8),
            Expected::new("message", LogicalType::Utf8),
            Expected::new("raw-excerpt", LogicalType::Utf8),
        ];
        let rejects = check.batch(found.rejects, None, &rejects)?;
        Ok(ParsedRows { rows, rejects })
    }

    /// One JSON document per row, in one of the template's output formats.
    pub fn records(&mut self, rows: &RecordBatch, format: &str) -> Result<Vec<String>, Error> {
        let format = format.to_owned();
        let expected = [Expected::new("record", LogicalType::Json)];
        let found = self.by_rows("render", rows, &expected, |instance, store, pipeline, batch| {
            instance.luthier_plugin_template().pipeline().call_render(store, pipeline, batch, &format)
        })?;
        Ok(found.iter().flat_map(|part| texts(part, "record")).collect())
    }
}
