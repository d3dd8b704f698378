//! A template that asks language models, as synthesis sees it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use luthier_synth::{Asking, ModelOutput, ParsedOutput, Reject, Seed};
use serde_json::Value;

use super::{TemplatePlugin, messages};
use crate::columns::texts;
use crate::{Error, text};

impl TemplatePlugin {
    /// One question per seed, in their order.
    pub(super) fn askings(&mut self, seeds: &[Seed]) -> Result<Vec<Asking>, Error> {
        let found = self.synthesis_prompts(&table(seeds)?)?;
        let check = self.check("synthesis-prompts");
        let ids = texts(&found, "request-id");
        if ids.len() != seeds.len() || ids.iter().zip(seeds).any(|(id, seed)| *id != seed.request_id) {
            let expected = format!("the {} requests that were asked for, in their order", seeds.len());
            return Err(check.error(expected, format!("{} others", ids.len())));
        }
        let params = match found.column_by_name("params") {
            Some(_) => texts(&found, "params"),
            None => vec!["null".to_owned(); seeds.len()],
        };
        let mut askings = Vec::with_capacity(seeds.len());
        for (row, (document, params)) in texts(&found, "messages").iter().zip(params).enumerate() {
            let turn = |turn: luthier_data::Message| luthier_synth::Message { role: turn.role, content: turn.content };
            askings.push(Asking {
                messages: messages(&check, row, document)?.into_iter().map(turn).collect(),
                params: serde_json::from_str(&params).unwrap_or(Value::Null),
            });
        }
        Ok(askings)
    }

    /// The rows in one answer.
    pub(super) fn parsed(&mut self, output: &ModelOutput) -> Result<ParsedOutput, Error> {
        let column = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let outputs = RecordBatch::try_from_iter([
            ("request-id", column(&output.request_id)),
            ("output", column(&output.output)),
            ("finish-reason", column(&output.finish_reason)),
        ])
        .map_err(|error| Error::Runtime { detail: error.to_string() })?;
        let found = self.parse_outputs(&outputs)?;
        let limit = 64;
        let (codes, reasons) = (found.rejects.column_by_name("code"), found.rejects.column_by_name("message"));
        let text_at = |column: Option<&ArrayRef>, row: usize| {
            column.and_then(|column| column.as_string_opt::<i32>()).map_or("", |column| column.value(row)).to_owned()
        };
        let reject = |row: usize| Reject {
            code: text::clean(&text_at(codes, row), limit),
            message: text::clean(&text_at(reasons, row), 4 * limit),
        };
        Ok(ParsedOutput { rejects: (0..found.rejects.num_rows()).map(reject).collect(), rows: found.rows })
    }
}

/// Seeds as the columns that `synthesis-prompts` reads.
fn table(seeds: &[Seed]) -> Result<RecordBatch, Error> {
    let column =
        |value: fn(&Seed) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter_values(seeds.iter().map(value))) };
    let avoid = seeds.iter().map(|seed| Value::from(seed.avoid.clone()).to_string());
    RecordBatch::try_from_iter([
        ("request-id", column(|seed| &seed.request_id)),
        ("topic", column(|seed| &seed.topic)),
        ("document", column(|seed| &seed.document)),
        ("n-rows", Arc::new(Int64Array::from_iter_values(seeds.iter().map(|seed| i64::from(seed.n_rows)))) as ArrayRef),
        ("avoid", Arc::new(StringArray::from_iter_values(avoid)) as ArrayRef),
    ])
    .map_err(|error| Error::Runtime { detail: error.to_string() })
}
