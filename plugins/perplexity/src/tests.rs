use luthier_plugin::{Column, Float64Column, Int64Column, NoDatabases};

use super::*;

fn integers(values: [i64; 2]) -> Column {
    Column::Int64(values.into_iter().map(Some).collect::<Int64Column>())
}

#[test]
fn sums_give_the_perplexity_of_the_corpus() {
    let mut metric = Perplexity::open(Value::Null, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let loglikelihoods: Float64Column = [Some(-6.0), Some(-2.0)].into_iter().collect();
    let rows = Batch::new(2)
        .with_texts("reference", ["two words", "ä"])
        .with("loglikelihood", Column::Float64(loglikelihoods))
        .with("n-tokens", integers([3, 1]))
        .with("n-bytes", integers([9, 2]));
    let batch = metric.score(&rows).unwrap();
    let sum = |name: &str| (0..2).map(|row| batch.float64(name).unwrap().get(row).unwrap()).sum::<f64>();
    for (output, column, expected) in [
        ("perplexity", "tokens", 2.0),
        ("word-perplexity", "words", 8.0 / 3.0),
        ("byte-perplexity", "bytes", 8.0 / 11.0),
    ] {
        let found = metric.reduce(output, &[vec![sum(COLUMNS[0]), sum(column)]]).unwrap()[0];
        assert!((found - f64::exp(expected)).abs() < 1e-12, "{output}: {found}");
    }
    assert!(metric.reduce("bleu", &[]).is_err());
}

#[test]
fn an_empty_reference_has_no_score() {
    let mut metric = Perplexity::open(Value::Null, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let loglikelihoods: Float64Column = [Some(-6.0), None].into_iter().collect();
    let rows = Batch::new(2)
        .with_texts("reference", [" ", "x"])
        .with("loglikelihood", Column::Float64(loglikelihoods))
        .with("n-tokens", integers([1, 1]))
        .with("n-bytes", integers([1, 1]));
    let batch = metric.score(&rows).unwrap();
    let errors = batch.utf8("error").unwrap();
    assert_eq!((errors.text(0), errors.text(1)), ("empty-reference", "no-loglikelihood"));
}
