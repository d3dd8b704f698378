//! `exact-match`: 1 if the prediction is the reference, letter by letter, else 0.
//!
//! Surrounding white space never counts. The options are those of lm-evaluation-harness's
//! `exact_match`: `ignore_case`, `ignore_punctuation` (ASCII), `ignore_numbers` (the digits 0 to 9).

use luthier_plugin::json::{Value, json};
use luthier_plugin::{Error, Issue, RowMetric, RowMetricDescriptor, export_row_metric};

/// The metric.
pub struct ExactMatch;

#[derive(Debug, Clone, Copy, Default)]
struct Options {
    ignore_case: bool,
    ignore_punctuation: bool,
    ignore_numbers: bool,
}

impl RowMetric for ExactMatch {
    fn describe() -> RowMetricDescriptor {
        RowMetricDescriptor::new(
            "exact-match",
            "0.1.0",
            "share of predictions that are the reference, letter by letter",
        )
        .proportion()
        .config_schema(json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "ignore_case": { "type": "boolean", "default": false },
                "ignore_punctuation": { "type": "boolean", "default": false },
                "ignore_numbers": { "type": "boolean", "default": false },
            },
        }))
    }

    fn score_row(prediction: &str, reference: &str, config: &Value) -> Result<f64, Error> {
        let options = Options::parse(config)?;
        Ok(f64::from(options.normalize(prediction).trim() == options.normalize(reference).trim()))
    }
}

export_row_metric!(ExactMatch);

impl Options {
    fn parse(config: &Value) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut issues = Vec::new();
        let object = match config {
            Value::Null => return Ok(options),
            Value::Object(object) => object,
            other => return Err(Error::config("", format!("expected a table of options, found `{other}`"))),
        };
        for (key, value) in object {
            let option = match key.as_str() {
                "ignore_case" => &mut options.ignore_case,
                "ignore_punctuation" => &mut options.ignore_punctuation,
                "ignore_numbers" => &mut options.ignore_numbers,
                _ => {
                    issues.push(issue(
                        key,
                        "unknown option; there are ignore_case, ignore_punctuation, ignore_numbers".to_owned(),
                    ));
                    continue;
                }
            };
            match value {
                Value::Bool(value) => *option = *value,
                other => issues.push(issue(key, format!("expected true or false, found `{other}`"))),
            }
        }
        if issues.is_empty() { Ok(options) } else { Err(Error::InvalidConfig(issues)) }
    }

    fn normalize(self, text: &str) -> String {
        let kept = text.chars().filter(|c| {
            !(self.ignore_punctuation && c.is_ascii_punctuation() || self.ignore_numbers && c.is_ascii_digit())
        });
        if self.ignore_case { kept.flat_map(char::to_lowercase).collect() } else { kept.collect() }
    }
}

fn issue(key: &str, message: String) -> Issue {
    // RFC 6901: `~` and `/` are escaped in a JSON Pointer.
    Issue { pointer: format!("/{}", key.replace('~', "~0").replace('/', "~1")), message }
}

#[cfg(test)]
mod tests;
