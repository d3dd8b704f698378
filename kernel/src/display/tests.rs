use std::collections::BTreeMap;

use luthier_protocol::response::{
    Accounting, Asked, Comparison, DatasetInfo, Evaluation, Finetuned, ScoreRow, Shown, ShownToken, Signature,
};

use super::{MimeBundle, asked, dataset, finetune, help, html, scores, shown, text};
use crate::command;

/// Both forms, one below the other.
fn both(bundle: &MimeBundle) -> String {
    let rich = bundle.data().get("text/html").and_then(|html| html.as_str()).unwrap_or("(none)");
    format!("{}\n\n---- html ----\n{}", bundle.plain(), rich.replace("</tr>", "</tr>\n").replace("<div", "\n<div"))
}

fn row(model: &str, part: &str, mean: f64) -> ScoreRow {
    ScoreRow {
        model: model.into(),
        metric: "execution-accuracy".into(),
        part: part.into(),
        mean: Some(mean),
        low: Some((mean - 0.05).max(0.0)),
        high: Some((mean + 0.05).min(1.0)),
        n: 200,
        coverage: if model == "pico" { 0.99 } else { 1.0 },
        errors: if model == "pico" { BTreeMap::from([("the gold query failed".into(), 2)]) } else { BTreeMap::new() },
        interval: "wilson".into(),
        aggregation: "proportion".into(),
        higher_is_better: true,
        signature: Signature {
            id: format!("sig-{model}"),
            data: "sha256:aa".into(),
            seed: 7,
            engine: "0.1.0".into(),
            ..Signature::default()
        },
        evaluation: "shop-eval".into(),
    }
}

#[test]
fn an_evaluation_can_be_quoted_from_its_text() {
    let compared = |difference: f64, low, high, p| Comparison {
        metric: "execution-accuracy".into(),
        part: "seen-skeleton".into(),
        model: "shop-sql".into(),
        against: "pico".into(),
        difference,
        low,
        high,
        n: 198,
        wins: 140,
        losses: 4,
        p_value: Some(p),
        test: "mcnemar".into(),
        aggregation: "proportion".into(),
    };
    let evaluation = Evaluation {
        name: "shop-eval".into(),
        data: "shop".into(),
        split: "test".into(),
        confidence: 0.95,
        rows: vec![row("pico", "seen-skeleton", 0.11), row("shop-sql", "seen-skeleton", 0.815)],
        comparisons: vec![compared(0.69, 0.62, 0.75, 1e-9), compared(0.01, -0.02, 0.04, 0.4)],
        examples: Vec::new(),
        predictions: ".luthier/evaluations/shop-eval.parquet".into(),
        seconds: 41.2,
    };
    insta::assert_snapshot!(both(&scores::evaluation(&evaluation)));
}

#[test]
fn a_score_without_rows_is_no_zero() {
    let mut none = row("pico", "all", 0.0);
    (none.mean, none.low, none.high, none.coverage) = (None, None, None, 0.0);
    let text = scores::leaderboard(&[none]).plain().to_owned();
    assert!(text.contains("no score") && !text.contains("0.0 %  ["), "{text}");
}

#[test]
fn the_loss_mask_reads_without_color() {
    let token = |text: &str, target, special| ShownToken { id: 7, text: text.into(), target, special };
    let view = Shown {
        data: "shop".into(),
        split: Some("train".into()),
        n_rows: 3600,
        columns: vec!["question".into(), "sql".into()],
        rows: vec![vec!["how many?".into(), "select 1".into()]],
        tokens: vec![vec![
            token("<s>", false, true),
            token("how", false, false),
            token(" many?\n", false, false),
            token("select", true, false),
            token(" <1>", true, false),
            token("</s>", true, true),
        ]],
        lengths: None,
        findings: None,
    };
    insta::assert_snapshot!(both(&shown::shown(&view)));
}

#[test]
fn a_dataset_accounts_for_every_row() {
    let info = DatasetInfo {
        name: "shop".into(),
        fingerprint: "sha256:0123456789abcdef".into(),
        n_rows: 3900,
        splits: vec![("train".into(), 3500), ("test".into(), 400)],
        columns: vec![("question".into(), "Utf8".into()), ("sql".into(), "Utf8".into())],
        template: Some("text-to-sql".into()),
        source: "template text-to-sql, seed 0".into(),
        accounting: Accounting {
            requested: 4000,
            kept: 3900,
            rejected: BTreeMap::from([("duplicate".into(), 80), ("empty result".into(), 15)]),
            failed: BTreeMap::from([("does not run".into(), 5)]),
        },
        sample: vec![vec!["How many <b>customers</b>?".into(), "SELECT COUNT(*)\nFROM customer".into()]],
        warnings: vec!["3 rows are very long".into()],
    };
    insta::assert_snapshot!(both(&dataset::summary(&info)));
    insta::assert_snapshot!(dataset::list(&[info]).plain());
}

#[test]
fn a_finished_run_and_an_answer() {
    let report = Finetuned {
        run: "r-1".into(),
        name: "shop-sql".into(),
        adapter_dir: ".luthier/adapters/shop-sql".into(),
        steps: 300,
        final_loss: 0.0412,
        seconds: 75.3,
        n_trainable: 245_760,
        n_examples: 3500,
        n_target_tokens: 81_234,
        tokens_per_second: 4321.0,
        losses: vec![(1, 2.0), (150, 0.5), (300, 0.04)],
        eval_losses: Vec::new(),
        best_step: None,
        stopped_early: false,
        warnings: vec!["2 examples were dropped: longer than 512 tokens".into()],
    };
    let answer = Asked {
        model: "shop-sql".into(),
        rendered: "customer(id, name)\nHow many?".into(),
        completion: "SELECT COUNT(*) FROM customer;".into(),
        answer: Some("SELECT COUNT(*) FROM customer".into()),
        n_prompt_tokens: 31,
        n_new_tokens: 9,
        finish_reason: "stop".into(),
        seconds: 0.21,
    };
    insta::assert_snapshot!(format!("{}\n\n{}", finetune::report(&report).plain(), asked::asked(&answer).plain()));
}

#[test]
fn help_lists_and_explains() {
    insta::assert_snapshot!(help::overview(command::all()).plain());
    insta::assert_snapshot!(both(&help::command(command::find("show").unwrap())));
}

#[test]
fn text_of_models_cannot_take_over_the_page_or_the_terminal() {
    let hostile = "<script>alert(1)</script>\u{1b}[2J\u{1b}]0;title\u{7}\u{202e}evil\r\nnext\u{0}";
    assert_eq!(text::clean(hostile), "<script>alert(1)</script>\\u{202e}evil\nnext\u{fffd}");
    assert_eq!(html::escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
    assert!(!html::escape(hostile).contains('<'));
}

#[test]
fn tables_align_wide_characters_and_cut_long_cells() {
    let mut table = super::Table::new(["name", "#n"]);
    table.row(["日本".into(), "1".into()]);
    table.row(["x".repeat(100), "22".into()]);
    let lines: Vec<String> = table.to_text().lines().map(str::to_owned).collect();
    assert!(lines.iter().skip(2).all(|line| text::width(line) == text::width(&lines[1])), "{lines:#?}");
    assert!(lines[3].contains('…'));
}
