use luthier_plugin::{Column, Float64Column, Int64Column, NoDatabases};

use super::*;

#[test]
fn rows_give_bits_and_bytes() {
    let mut metric = BitsPerByte::open(Value::Null, Context::with_seed(0), Box::new(NoDatabases)).unwrap();
    let loglikelihoods: Float64Column = [Some(-2.0 * std::f64::consts::LN_2), Some(-1.0), None].into_iter().collect();
    let n_bytes: Int64Column = [Some(4), Some(0), Some(1)].into_iter().collect();
    let rows =
        Batch::new(3).with("loglikelihood", Column::Float64(loglikelihoods)).with("n-bytes", Column::Int64(n_bytes));
    let batch = metric.score(&rows).unwrap();
    assert_eq!((batch.float64("bits").unwrap().get(0), batch.float64("bytes").unwrap().get(0)), (Some(2.0), Some(4.0)));
    let errors = batch.utf8("error").unwrap();
    assert_eq!((errors.text(1), errors.text(2)), ("empty-reference", "no-loglikelihood"));
}
