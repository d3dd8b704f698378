//! `json-validity`: whether predictions are JSON, and whether they conform to a schema.
//!
//! The `schema` is JSON Schema: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`,
//! `minProperties`, `maxProperties`, `items`, `prefixItems`, `minItems`, `maxItems`, `uniqueItems`, `contains`,
//! `minLength`, `maxLength`, `pattern`, `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`,
//! `multipleOf`, `allOf`, `anyOf`, `oneOf`, `not`, `if`/`then`/`else`, and `$ref` into `#/$defs`. A schema with any
//! other keyword is refused: nothing is checked less than it says. Without a schema, what is valid conforms.
//!
//! With `extract = "anywhere"` the first JSON object or list in the text counts (of a fenced block, say);
//! otherwise the whole text must be JSON.

mod schema;

use luthier_plugin::json::{self, Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric, text,
};

use schema::Schema;

/// Columns, which are outputs.
const COLUMNS: [&str; 2] = ["valid", "conforms"];

/// The opened metric.
pub struct JsonValidity {
    schema: Option<Schema>,
    anywhere: bool,
}

impl Metric for JsonValidity {
    fn describe() -> MetricDescriptor {
        let output = |name, description| Output::new(name, description, Aggregation::Proportion).between(0.0, 1.0);
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "schema": { "type": ["object", "boolean"], "description": "a JSON Schema" },
                    "extract": { "enum": ["whole", "anywhere"], "default": "whole" },
                },
            }),
            ..MetricDescriptor::with_outputs(
                "json-validity",
                "0.1.0",
                "share of predictions that are JSON, and that conform to a schema",
                &["prediction"],
                vec![output(COLUMNS[0], "is JSON"), output(COLUMNS[1], "conforms to the schema")],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let anywhere = options.choice("extract", "whole", &["whole", "anywhere"]) == "anywhere";
        let schema = match options.value("schema").map(Schema::new) {
            Some(Err((pointer, message))) => {
                // The key is escaped again as a whole; a slash in a pointer must stay one.
                options.finish()?;
                return Err(Error::config(format!("/schema{pointer}"), message));
            }
            Some(Ok(schema)) => Some(schema),
            None => None,
        };
        options.finish()?;
        Ok(JsonValidity { schema, anywhere })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let predictions = rows.utf8("prediction")?;
        let score = |row: usize| -> Result<Vec<f64>, String> {
            let found = self.parse(predictions.text(row));
            let conforms =
                found.as_ref().is_some_and(|found| self.schema.as_ref().is_none_or(|schema| schema.accepts(found)));
            Ok(vec![f64::from(found.is_some()), f64::from(conforms)])
        };
        Ok(columns_batch(&COLUMNS, &(0..rows.rows).map(score).collect::<Vec<_>>()))
    }
}

export_metric!(JsonValidity);

impl JsonValidity {
    fn parse(&self, prediction: &str) -> Option<Value> {
        if !self.anywhere {
            return json::from_str(text::strip(prediction)).ok();
        }
        let starts = prediction.match_indices(['{', '[']).map(|(start, _)| start);
        starts
            .take(MAX_STARTS)
            .find_map(|start| json::Deserializer::from_str(&prediction[start..]).into_iter().next()?.ok())
    }
}

/// Places of a text at which JSON is looked for: each may cost its whole rest.
const MAX_STARTS: usize = 64;

#[cfg(test)]
mod tests;
