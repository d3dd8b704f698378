//! `rouge`: ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum as Google's `rouge_score` computes them (F-measures).
//!
//! Tokens are runs of ASCII letters and digits of the lower-cased text; with `use_stemmer`, Porter's
//! stemmer (with NLTK's extensions) shortens those of more than three letters. ROUGE-L takes a
//! text as one sequence; ROUGE-Lsum takes each line as a sentence and the union of the common
//! subsequences. With `multiple_references` the reference is a JSON list of texts, and the best
//! F-measure of each kind counts.

mod porter;
mod rouge;

use luthier_plugin::json::{Value, json};
use luthier_plugin::{
    Aggregation, Batch, Context, Databases, Error, Metric, MetricDescriptor, Options, Output, columns_batch,
    export_metric, text,
};

/// Columns, which are outputs.
const COLUMNS: [&str; 4] = ["rouge1", "rouge2", "rougeL", "rougeLsum"];
/// Longest text compared, in tokens: the work is the product of both lengths.
const MAX_TOKENS: usize = 8192;

/// The opened metric.
pub struct Rouge {
    use_stemmer: bool,
    measure: &'static str,
    multiple_references: bool,
}

impl Metric for Rouge {
    fn describe() -> MetricDescriptor {
        let outputs = [
            (COLUMNS[0], "overlap of words"),
            (COLUMNS[1], "overlap of pairs of words"),
            (COLUMNS[2], "longest common subsequence of words"),
            (COLUMNS[3], "union of the longest common subsequences of lines"),
        ];
        let outputs = outputs
            .map(|(name, description)| Output::new(name, description, Aggregation::Mean).between(0.0, 1.0))
            .to_vec();
        MetricDescriptor {
            config_schema: json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "use_stemmer": { "type": "boolean", "default": false },
                    "measure": { "enum": rouge::MEASURES, "default": "fmeasure" },
                    "multiple_references": {
                        "type": "boolean", "default": false,
                        "description": "the reference is a JSON list of texts; the best of them counts",
                    },
                },
            }),
            ..MetricDescriptor::with_outputs(
                "rouge",
                "0.1.0",
                "ROUGE-1, -2, -L and -Lsum, as rouge_score computes them",
                &["prediction", "reference"],
                outputs,
            )
        }
    }

    fn open(config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        let mut options = Options::new(&config)?;
        let metric = Rouge {
            use_stemmer: options.boolean("use_stemmer", false),
            measure: options.choice("measure", "fmeasure", &rouge::MEASURES),
            multiple_references: options.boolean("multiple_references", false),
        };
        options.finish()?;
        Ok(metric)
    }

    fn score(&mut self, rows: &Batch) -> Result<Batch, Error> {
        let (predictions, references) = (rows.utf8("prediction")?, rows.utf8("reference")?);
        let scores: Vec<_> = (0..rows.rows).map(|row| self.row(predictions.text(row), references.text(row))).collect();
        Ok(columns_batch(&COLUMNS, &scores))
    }
}

export_metric!(Rouge);

impl Rouge {
    fn row(&self, prediction: &str, reference: &str) -> Result<Vec<f64>, String> {
        let references = text::references(reference, self.multiple_references)?;
        let prediction = rouge::Text::new(prediction, self.use_stemmer);
        let references: Vec<rouge::Text> =
            references.iter().map(|reference| rouge::Text::new(reference, self.use_stemmer)).collect();
        let longest = references.iter().chain([&prediction]).map(rouge::Text::len).max().unwrap_or(0);
        if longest > MAX_TOKENS {
            return Err(format!("too-long: {longest} tokens, at most {MAX_TOKENS}"));
        }
        let kind = |score: fn(&rouge::Text, &rouge::Text) -> rouge::Score| {
            let scores = references.iter().map(|reference| score(reference, &prediction));
            let best = scores.reduce(|best, score| if score.f() > best.f() { score } else { best });
            best.map_or(0.0, |best| best.measure(self.measure))
        };
        Ok(vec![kind(rouge::words), kind(rouge::pairs), kind(rouge::longest), kind(rouge::longest_by_line)])
    }
}

#[cfg(test)]
mod tests;
