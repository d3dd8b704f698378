//! `%%evaluate NAME`: generate answers for every row of a split, and score them.

use std::collections::BTreeMap;

use luthier_protocol::{
    Request, Response,
    response::{Evaluation, ScoreRow, Signature},
    spec::EvaluateSpec,
};
use serde_json::{Value, json};

use super::{Action, Command, Key, Kind, Names, Positional, Problem, Values, ask, generation, plain_json, spec};
use crate::display;

/// The definition.
pub static COMMAND: Command = Command {
    name: "evaluate",
    summary: "score models on the same rows, with intervals and comparisons",
    docs: "The first of `models` is the baseline. Every mean comes with n, coverage and an interval; comparisons are \
           paired on the same rows. A row that could not be scored is an error, never a zero.",
    example: "%%evaluate shop-eval\ndata = \"shop\"\nmodels = [\"pico\", { model = \"pico\", num_fewshot = 4 }, \"shop-sql\"]\nmetrics = [\"execution-accuracy\"]",
    positionals: &[Positional::optional("name", "NAME", Names::Free, "Name of the evaluation.")],
    keys: &KEYS,
    has_body: true,
    lower,
    render: |response| match response {
        Response::Evaluated(evaluation) => Some(display::scores::evaluation(evaluation)),
        _ => None,
    },
    json,
};

const KEYS: [Key; 26] = {
    let [max_new_tokens, temperature, top_k, top_p, stop, seed] = generation::TABLE;
    let [base_url, api_key_env, timeout_s, attempts, pause_s, concurrency, input_price, output_price] =
        generation::PROVIDER;
    [
        Key::new("model", Kind::Arm, "", "One model or adapter."),
        Key::new("models", Kind::Arms, "", "Several, compared on the same rows; the first is the baseline."),
        Key::required("data", Kind::Text, "A dataset, or a file."),
        Key::new("split", Kind::Text, "test", "The split to score."),
        Key::new("metrics", Kind::Metrics, "", "Metric plugins; the template's own if absent, else exact-match."),
        Key::new("metric", Kind::Text, "", "A single metric plugin."),
        Key::new("by", Kind::Text, "", "Column that divides the report; `part` if the dataset has one."),
        Key::new("limit", Kind::Count, "", "Score at most this many rows of each part."),
        Key::new("confidence", Kind::Number, "0.95", "Level of the intervals."),
        Key::new("seed", Kind::Count, "0", "Seed of example choice and bootstrap."),
        Key::new("predictions", Kind::Text, "", "Also write every prediction to this Parquet file."),
        Key::new("samples", Kind::Count, "1", "Answers drawn for each prompt, at a temperature above 0."),
        base_url,
        api_key_env,
        timeout_s,
        attempts,
        pause_s,
        concurrency,
        input_price,
        output_price,
        max_new_tokens,
        temperature,
        top_k,
        top_p,
        stop,
        seed,
    ]
};

fn lower(values: &Values) -> Result<Action, Problem> {
    let mut values = values.clone();
    if let Some(metric) = values.shift_remove("metric") {
        if values.contains_key("metrics") {
            return Err(Problem::at("/metric", "give `metric` or `metrics`, not both"));
        }
        values.insert("metrics".into(), json!([metric]));
    }
    let evaluation: EvaluateSpec = spec(&values)?;
    match (evaluation.model.is_some(), evaluation.models.len()) {
        (true, 0) => {}
        (true, _) => return Err(Problem::at("/model", "give `model` or `models`, not both")),
        (false, 0) => {
            return Err(Problem {
                hint: Some("models = [\"pico\", \"my-adapter\"]".into()),
                ..Problem::at("/models", "`evaluate` needs `model` or `models`")
            });
        }
        (false, _) => {}
    }
    if !(evaluation.confidence > 0.0 && evaluation.confidence < 1.0) {
        return Err(Problem::at(
            "/confidence",
            format!("`confidence` lies between 0 and 1, found {}", evaluation.confidence),
        ));
    }
    ask(Request::Evaluate(evaluation))
}

fn json(response: &Response) -> Value {
    match response {
        Response::Evaluated(evaluation) => evaluation_json(evaluation),
        other => plain_json(other),
    }
}

/// Rows for scripts; each signature is spelled out once, under its id.
fn evaluation_json(evaluation: &Evaluation) -> Value {
    let signatures: BTreeMap<&str, &Signature> =
        evaluation.rows.iter().map(|row| (row.signature.id.as_str(), &row.signature)).collect();
    json!({
        "name": evaluation.name,
        "rows": evaluation.rows.iter().map(row_json).collect::<Vec<_>>(),
        "comparisons": evaluation.comparisons,
        "signatures": signatures,
        "predictions": evaluation.predictions,
        "seconds": evaluation.seconds,
    })
}

fn row_json(row: &ScoreRow) -> Value {
    json!({
        "model": row.model,
        "metric": row.metric,
        "part": row.part,
        "mean": row.mean,
        "low": row.low,
        "high": row.high,
        "n": row.n,
        "coverage": row.coverage,
        "errors": row.errors,
        "signature": display::scores::signature_line(&row.signature),
    })
}
