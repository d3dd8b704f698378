//! `regex`: whether the prediction matches a pattern, or whether what a pattern finds in it is the
//! reference.
//!
//! * `pattern` alone: 1 if the prediction has a match, else 0 (`whole = true`: it is the match).
//! * `pattern` and `compare = true`: what the pattern finds (its first group, if it has one) is
//!   compared with the reference, white space at the ends aside; with `take = "last"` the last match.
//!   Without a match the row scores 0. This is the usual "#### (\\d+)" of GSM8K.
//! * no `pattern`: the reference is the pattern, row by row.
//!
//! Patterns are those of the Rust crate `regex-lite`: linear time, Unicode characters, ASCII classes.

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, RowScore, export_metric, score_batch, text,
};
use regex_lite::{Regex as Pattern, RegexBuilder};

/// A compiled pattern takes at most so many bytes.
const SIZE_LIMIT: usize = 1 << 20;

/// The opened metric.
pub struct Regex {
    pattern: Option<Pattern>,
    ignore_case: bool,
    whole: bool,
    compare: bool,
    last: bool,
}

impl Metric for Regex {
    fn describe() -> MetricDescriptor {
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "pattern": { "type": "string", "description": "without it, each reference is a pattern" },
                    "ignore_case": { "type": "boolean", "default": false },
                    "whole": { "type": "boolean", "default": false, "description": "the prediction is the match" },
                    "compare": {
                        "type": "boolean", "default": false,
                        "description": "what is found is compared with the reference",
                    },
                    "take": { "enum": ["first", "last"], "default": "first" },
                },
            }),
            ..MetricDescriptor::proportion(
                "regex",
                "0.1.0",
                "share of predictions that match a pattern",
                &["prediction", "reference"],
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let ignore_case = options.boolean("ignore_case", false);
        let whole = options.boolean("whole", false);
        let compare = options.boolean("compare", false);
        let last = options.choice("take", "first", &["first", "last"]) == "last";
        let pattern = match options.text("pattern").map(|pattern| compile(pattern, ignore_case)) {
            Some(Err(error)) => {
                options.issue("pattern", error);
                None
            }
            Some(Ok(pattern)) => Some(pattern),
            None => None,
        };
        if compare && config.get("pattern").is_none() {
            options.issue("compare", "needs a `pattern`");
        }
        if compare && whole {
            options.issue("whole", "says nothing where what is found is compared");
        }
        options.finish()?;
        Ok(Regex { pattern, ignore_case, whole, compare, last })
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let scores: Vec<_> = (0..rows.rows).map(|row| self.row(predictions.text(row), references.text(row))).collect();
        Ok(score_batch("score", &scores))
    }
}

export_metric!(Regex);

impl Regex {
    fn row(&self, prediction: &str, reference: &str) -> RowScore {
        let matches = match &self.pattern {
            Some(pattern) if self.compare => self.found(pattern, prediction).is_some_and(|found| {
                let (found, expected) = (text::strip(found), text::strip(reference));
                if self.ignore_case { found.to_lowercase() == expected.to_lowercase() } else { found == expected }
            }),
            Some(pattern) => self.is_match(pattern, prediction),
            None => match compile(reference, self.ignore_case) {
                Ok(pattern) => self.is_match(&pattern, prediction),
                Err(error) => return RowScore::Error(format!("reference-pattern: {error}")),
            },
        };
        RowScore::Score(f64::from(matches))
    }

    fn is_match(&self, pattern: &Pattern, prediction: &str) -> bool {
        if !self.whole {
            return pattern.is_match(prediction);
        }
        pattern.find_iter(prediction).any(|found| found.range() == (0..prediction.len()))
    }

    fn found<'t>(&self, pattern: &Pattern, prediction: &'t str) -> Option<&'t str> {
        let mut all = pattern.captures_iter(prediction);
        let captures = if self.last { all.last() } else { all.next() }?;
        Some(captures.get(1).or_else(|| captures.get(0))?.as_str())
    }
}

fn compile(pattern: &str, ignore_case: bool) -> Result<Pattern, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .size_limit(SIZE_LIMIT)
        .build()
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
