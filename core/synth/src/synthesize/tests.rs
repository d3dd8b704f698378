use std::sync::Arc;

use arrow_array::{Array, Int64Array, StringArray};
use arrow_schema::{DataType, Field, Schema};
use proptest::prelude::*;

use super::*;

/// Makes numbers: `value(i)` is the `i`th. Judges and keys by arithmetic; faulty on demand.
#[derive(Clone)]
struct Numbers {
    descriptor: TemplateDescriptor,
    made: u64,
    /// Runs out after this many.
    limit: u64,
    /// Rows divisible by this are rejected (0: none).
    rejected_every: u64,
    /// Keys repeat with this period (0: never).
    period: u64,
    fault: Fault,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    MissingVerdict,
    MissingKey,
    TooManyRows,
    ChangesColumns,
}

fn numbers(limit: u64) -> Numbers {
    let descriptor = TemplateDescriptor {
        id: "numbers".into(),
        version: "1.0.0".into(),
        summary: "counts".into(),
        config_schema: serde_json::json!({}),
        prompt_columns: vec!["n".into()],
        target_column: None,
        group_column: None,
        metrics: Vec::new(),
        databases: Vec::new(),
        generates: true,
        validates: true,
        dedups: true,
        asks: false,
    };
    Numbers { descriptor, made: 0, limit, rejected_every: 0, period: 0, fault: Fault::None }
}

fn values(rows: &RecordBatch) -> Vec<i64> {
    rows.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
}

impl TaskTemplate for Numbers {
    fn descriptor(&self) -> &TemplateDescriptor {
        &self.descriptor
    }

    fn generate(&mut self, n: u32) -> Result<RecordBatch> {
        let mut n = u64::from(n).min(self.limit - self.made);
        if self.fault == Fault::TooManyRows {
            n += 1;
        }
        let rows: Vec<i64> = (self.made..self.made + n).map(|i| i as i64).collect();
        if self.fault == Fault::ChangesColumns && self.made > 0 {
            let schema = Schema::new(vec![Field::new("m", DataType::Utf8, false)]);
            let texts = StringArray::from_iter_values(rows.iter().map(i64::to_string));
            return Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(texts)])?);
        }
        self.made += n;
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
        Ok(RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(rows))])?)
    }

    fn validate(&mut self, rows: &RecordBatch) -> Result<Vec<Verdict>> {
        let verdict = |&n: &i64| {
            let keep = self.rejected_every == 0 || !(n as u64).is_multiple_of(self.rejected_every);
            Verdict { keep, code: "divisible".into(), message: String::new() }
        };
        let mut verdicts: Vec<Verdict> = values(rows).iter().map(verdict).collect();
        if self.fault == Fault::MissingVerdict {
            verdicts.pop();
        }
        Ok(verdicts)
    }

    fn dedup_keys(&mut self, rows: &RecordBatch) -> Result<Vec<String>> {
        let key = |&n: &i64| if self.period == 0 { n.to_string() } else { (n as u64 % self.period).to_string() };
        let mut keys: Vec<String> = values(rows).iter().map(key).collect();
        if self.fault == Fault::MissingKey {
            keys.pop();
        }
        Ok(keys)
    }
}

fn run(template: &mut Numbers, wanted: u32, batch_rows: u32) -> Result<Synthesis> {
    let options = SynthesisOptions { batch_rows, max_barren_rows: 100 };
    synthesize(template, wanted, &options, &mut |_, _| {}, &AtomicBool::new(false))
}

fn total(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

#[test]
fn rejected_and_duplicate_rows_are_replaced_until_enough_are_kept() {
    let mut template = Numbers { rejected_every: 5, ..numbers(1000) };
    let synthesis = run(&mut template, 40, 16).unwrap();
    assert_eq!(values(&synthesis.rows), (0..50).filter(|n| n % 5 != 0).collect::<Vec<i64>>());
    assert_eq!(synthesis.accounting.kept, 40);
    assert_eq!(synthesis.accounting.requested, 40 + synthesis.accounting.rejected["divisible"]);
    assert!(synthesis.warnings.is_empty());
}

#[test]
fn a_generator_that_runs_out_says_how_many_are_missing() {
    let synthesis = run(&mut Numbers { rejected_every: 2, ..numbers(21) }, 30, 8).unwrap();
    assert_eq!(synthesis.rows.num_rows(), 10);
    assert_eq!(synthesis.accounting.rejected["divisible"], 11);
    assert!(synthesis.accounting.failed.contains_key(NOT_GENERATED));
    assert!(synthesis.warnings[0].contains("10 rows of 30"), "{:?}", synthesis.warnings);
}

#[test]
fn a_generator_that_repeats_itself_for_ever_comes_to_an_end() {
    let synthesis = run(&mut Numbers { period: 7, ..numbers(u64::MAX) }, 30, 8).unwrap();
    assert_eq!(values(&synthesis.rows), (0..7).collect::<Vec<i64>>());
    assert_eq!(synthesis.warnings.len(), 1);
}

#[test]
fn nothing_kept_is_an_error_with_reasons() {
    let error = run(&mut Numbers { rejected_every: 1, ..numbers(20) }, 5, 8).unwrap_err();
    assert!(matches!(&error, Error::NothingKept { reasons, .. } if reasons.contains("divisible")), "{error}");
}

#[test]
fn stages_that_do_not_answer_row_by_row_are_named() {
    for (fault, expected) in
        [(Fault::MissingVerdict, "validate"), (Fault::MissingKey, "dedup_keys"), (Fault::TooManyRows, "generate")]
    {
        let error = run(&mut Numbers { fault, ..numbers(100) }, 5, 8).unwrap_err();
        assert!(matches!(error, Error::WrongNumberOfRows { stage, .. } if stage == expected), "{error}");
    }
    let error = run(&mut Numbers { fault: Fault::ChangesColumns, ..numbers(100) }, 20, 8).unwrap_err();
    assert_eq!(error.to_string(), "template numbers changed its columns from (n Int64) to (m Utf8)");
}

#[test]
fn what_cannot_work_is_refused() {
    assert!(matches!(run(&mut numbers(5), 0, 8), Err(Error::NothingRequested)));
    let mut silent = numbers(5);
    silent.descriptor.generates = false;
    assert!(matches!(run(&mut silent, 5, 8), Err(Error::DoesNotGenerate { .. })));
    let options = SynthesisOptions::default();
    let interrupted = synthesize(&mut numbers(5), 5, &options, &mut |_, _| {}, &AtomicBool::new(true));
    assert!(matches!(interrupted, Err(Error::Interrupted)));
}

#[test]
fn stages_that_a_template_lacks_are_left_out() {
    let mut template = Numbers { rejected_every: 2, period: 3, ..numbers(100) };
    template.descriptor.validates = false;
    template.descriptor.dedups = false;
    assert_eq!(values(&run(&mut template, 12, 5).unwrap().rows), (0..12).collect::<Vec<i64>>());
}

proptest! {
    #[test]
    fn every_row_is_accounted_for(
        limit in 0u64..200, rejected_every in 0u64..5, period in 0u64..60,
        wanted in 1u32..80, batch_rows in 1u32..40,
    ) {
        let template = Numbers { rejected_every, period, ..numbers(limit) };
        match run(&mut template.clone(), wanted, batch_rows) {
            Ok(synthesis) => {
                let accounting = &synthesis.accounting;
                prop_assert_eq!(
                    accounting.requested,
                    accounting.kept + total(&accounting.rejected) + total(&accounting.failed)
                );
                prop_assert_eq!(accounting.kept, synthesis.rows.num_rows() as u64);
                prop_assert!(accounting.kept <= u64::from(wanted));
                prop_assert_eq!(synthesis.warnings.is_empty(), accounting.kept == u64::from(wanted));
                let again = run(&mut template.clone(), wanted, batch_rows).unwrap();
                prop_assert_eq!(again, synthesis);
            }
            Err(error) => prop_assert!(matches!(error, Error::NothingKept { .. }), "{}", error),
        }
    }
}
