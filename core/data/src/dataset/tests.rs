use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use luthier_protocol::response::Accounting;
use luthier_protocol::spec::{DatasetSpec, RolesSpec};
use proptest::prelude::*;

use super::{Dataset, DatasetOptions, TemplateUse};
use crate::{Error, atomic, renderer_for};

fn texts(columns: &[(&str, Vec<String>)]) -> RecordBatch {
    let array = |cells: &[String]| Arc::new(StringArray::from(cells.to_vec())) as ArrayRef;
    RecordBatch::try_from_iter(columns.iter().map(|(name, cells)| (*name, array(cells)))).unwrap()
}

fn pairs(n: usize) -> RecordBatch {
    let numbered = |what: &str| (0..n).map(|i| format!("{what} {i}")).collect();
    texts(&[("prompt", numbered("question")), ("completion", numbered("answer"))])
}

fn dataset(batch: RecordBatch) -> Dataset {
    Dataset::from_batch("shop", batch, DatasetOptions::default()).unwrap()
}

fn write(dir: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = dir.join(name);
    atomic::write(&path, text.as_bytes()).unwrap();
    path
}

#[test]
fn columns_get_the_names_that_a_template_reads() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(dir.path(), "a.json", "[{\"text\": \"hot\", \"label\": \"cold\", \"input\": \"x\"}]");
    let spec = |columns: &[(&str, &str)]| DatasetSpec {
        columns: columns.iter().map(|(new, old)| ((*new).to_owned(), (*old).to_owned())).collect(),
        ..DatasetSpec::default()
    };
    let dataset = Dataset::import(&path, &spec(&[("prompt", "text"), ("completion", "label")])).unwrap();
    let names: Vec<String> = dataset.columns().iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["prompt", "completion", "input", "split"]);
    let error = |columns: &[(&str, &str)]| Dataset::import(&path, &spec(columns)).unwrap_err().to_string();
    assert!(error(&[("prompt", "texts")]).contains("did you mean `text`?"));
    assert!(error(&[("input", "text")]).contains("there is a column of this name"));
    let swapped = Dataset::import(&path, &spec(&[("prompt", "label"), ("completion", "text"), ("label", "input")]));
    assert_eq!(swapped.unwrap().columns()[2].0, "label", "a name that another column gave up is free");
}

#[test]
fn a_file_becomes_a_dataset_that_renders() {
    let dir = tempfile::tempdir().unwrap();
    let path = write(
        dir.path(),
        "shop.jsonl",
        "{\"question\": \"How many?\", \"sql\": \"SELECT 1\"}\n{\"question\": \"Who?\", \"sql\": \"SELECT 2\"}\n",
    );
    let dataset = Dataset::import(&path, &DatasetSpec::default()).unwrap();
    assert_eq!(dataset.name, "shop");
    assert_eq!(dataset.source, path.display().to_string());
    assert_eq!(
        dataset.columns().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
        ["question", "sql", "split"]
    );
    assert_eq!(dataset.accounting, Accounting { requested: 2, kept: 2, ..Accounting::default() });
    let mut renderer = renderer_for(&dataset);
    let conversations = renderer.render(&dataset.batch, &dataset.batch.slice(0, 0)).unwrap();
    assert_eq!(conversations[0][0].content, "How many?");
    assert_eq!(renderer.targets(&dataset.batch).unwrap(), ["SELECT 1", "SELECT 2"]);
    assert_eq!(Dataset::sample(&dataset.batch, 1)[0][..2], ["How many?", "SELECT 1"]);
}

#[test]
fn rows_that_teach_nothing_are_rejected_and_counted() {
    let cell = |texts: [&str; 4]| texts.map(String::from).to_vec();
    let batch = texts(&[("prompt", cell(["a", " ", "c", "d"])), ("completion", cell(["1", "2", "\n", ""]))]);
    let kept = dataset(batch.clone());
    assert_eq!(kept.batch.num_rows(), 1);
    let Accounting { requested, kept: n_kept, rejected, .. } = &kept.accounting;
    assert_eq!((*requested, *n_kept), (4, 1));
    assert_eq!(rejected, &BTreeMap::from([("empty completion".into(), 2), ("empty prompt".into(), 1)]));
    assert!(kept.warnings.contains(&"2 of 4 rows were left out: empty completion".into()), "{:?}", kept.warnings);
    let none = Dataset::from_batch("shop", batch.slice(1, 3), DatasetOptions::default()).unwrap_err();
    assert_eq!(none.to_string(), "shop: none of 3 rows can be used: 2 empty completion, 1 empty prompt");
}

#[test]
fn earlier_accounting_is_continued() {
    let before = Accounting {
        requested: 10,
        kept: 3,
        failed: BTreeMap::from([("sql-error".into(), 7)]),
        ..Accounting::default()
    };
    let options = DatasetOptions { accounting: Some(before), ..DatasetOptions::default() };
    let after = Dataset::from_batch("shop", pairs(3), options).unwrap().accounting;
    assert_eq!((after.requested, after.kept, after.failed["sql-error"]), (10, 3, 7));
}

#[test]
fn chat_rows_without_an_answer_are_rejected_and_malformed_ones_named() {
    let rows = |cells: &[&str]| texts(&[("messages", cells.iter().map(ToString::to_string).collect())]);
    let good = r#"[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]"#;
    let open = r#"[{"role":"user","content":"a"}]"#;
    let chat = dataset(rows(&[good, open]));
    assert_eq!(chat.accounting.rejected, BTreeMap::from([("no assistant turn".into(), 1)]));
    assert!(
        chat.warnings.iter().any(|warning| warning.contains("go on after their last assistant turn")),
        "{:?}",
        chat.warnings
    );
    let error = Dataset::from_batch("chat", rows(&[good, "[1]"]), DatasetOptions::default()).unwrap_err();
    assert!(matches!(&error, Error::Cell { row: 2, column, .. } if column == "messages"), "{error}");
}

#[test]
fn rows_of_a_template_are_its_own() {
    let template = TemplateUse { id: "text-to-sql".into(), config: serde_json::json!({}), digest: "sha256:0".into() };
    let options = DatasetOptions { template: Some(template), ..DatasetOptions::default() };
    let batch = texts(&[("x", vec!["".into(), "b".into()])]);
    let dataset = Dataset::from_batch("t", batch, options).unwrap();
    assert_eq!(dataset.batch.num_rows(), 2);
}

#[test]
fn fingerprints_are_of_content_order_and_schema() {
    let base = dataset(pairs(20)).fingerprint;
    assert!(base.starts_with("sha256:") && base.len() == 71);
    assert_eq!(base, Dataset::from_batch("other name", pairs(20), DatasetOptions::default()).unwrap().fingerprint);
    let reversed = pairs(20);
    let indices: Vec<usize> = (0..20).rev().collect();
    let reversed = arrow_select::concat::concat_batches(
        &reversed.schema(),
        &indices.iter().map(|i| reversed.slice(*i, 1)).collect::<Vec<_>>(),
    )
    .unwrap();
    let others = [
        dataset(reversed),
        dataset(pairs(21)),
        dataset(pairs(20).project(&[1, 0]).unwrap()),
        dataset(texts(&[("prompt", vec!["1".into()]), ("completion", vec!["ab".into()])])),
        dataset(texts(&[("prompt", vec!["1a".into()]), ("completion", vec!["b".into()])])),
    ];
    let mut all: Vec<&String> = others.iter().map(|dataset| &dataset.fingerprint).collect();
    all.push(&base);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 6);
}

fn every_type() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("prompt", Arc::new(StringArray::from(vec![Some("é\0\n"), Some("b"), Some("c")]))),
        ("completion", Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(0), Some(7)]))),
        ("score", Arc::new(Float64Array::from(vec![Some(-0.0), None, Some(f64::NAN)]))),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        ("note", Arc::new(StringArray::from(vec![None, Some(""), None::<&str>]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

#[test]
fn what_is_written_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("datasets/shop");
    let options = DatasetOptions {
        databases: BTreeMap::from([("shop".into(), "/data/shop.sqlite".into())]),
        source: "a client".into(),
        ..DatasetOptions::default()
    };
    let first = Dataset::from_batch("shop", every_type(), options).unwrap();
    first.write(&at).unwrap();
    let read = Dataset::read(&at).unwrap();
    // NaN is not equal to itself; the fingerprint compares bits.
    assert_eq!(read.fingerprint, first.fingerprint);
    assert_eq!(
        (&read.roles, &read.databases, &read.source, &read.warnings),
        (&first.roles, &first.databases, &first.source, &first.warnings)
    );
    let second = dataset(pairs(5));
    second.write(&at).unwrap();
    assert_eq!(Dataset::read(&at).unwrap(), second);
    assert_eq!(Dataset::read_version(&at, &first.fingerprint).unwrap().fingerprint, first.fingerprint);
    assert!(matches!(Dataset::read_version(&at, "sha256:../../etc"), Err(Error::Stored { .. })));
    // An exported Parquet file imports to the same rows and identity.
    let parquet = at.join(format!("{}.parquet", second.fingerprint.trim_start_matches("sha256:")));
    assert_eq!(Dataset::import(&parquet, &DatasetSpec::default()).unwrap().fingerprint, second.fingerprint);
}

#[test]
fn damaged_stores_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let stored = dataset(pairs(5));
    let reread = |damage: &dyn Fn(&Path, &Path)| {
        stored.write(dir.path()).unwrap();
        let rows = dir.path().join(format!("{}.parquet", stored.fingerprint.trim_start_matches("sha256:")));
        damage(&dir.path().join("dataset.json"), &rows);
        Dataset::read(dir.path()).unwrap_err()
    };
    let put = |path: &Path, text: &str| atomic::write(path, text.as_bytes()).unwrap();
    assert!(matches!(reread(&|json, _| put(json, "{")), Error::Stored { .. }));
    let later = |json: &Path, _: &Path| put(json, "{\"format\": \"luthier-dataset\", \"version\": 99}");
    assert!(reread(&later).to_string().contains("`luthier-dataset` version 1, found `luthier-dataset` version 99"));
    let traversal = |json: &Path, _: &Path| {
        let text = std::fs::read_to_string(json).unwrap().replace(&stored.fingerprint, "sha256:../x");
        put(json, &text);
    };
    assert!(matches!(reread(&traversal), Error::Stored { .. }));
    assert!(matches!(reread(&|_, rows| put(rows, "PAR1")), Error::Parquet { .. }));
    let swapped = |_: &Path, rows: &Path| {
        let other = dataset(pairs(6));
        other.write(rows.parent().unwrap()).unwrap();
        let bytes =
            std::fs::read(rows.with_file_name(format!("{}.parquet", other.fingerprint.trim_start_matches("sha256:"))))
                .unwrap();
        stored.write(rows.parent().unwrap()).unwrap();
        atomic::write(rows, &bytes).unwrap();
    };
    assert!(matches!(reread(&swapped), Error::Stored { .. }));
    assert!(matches!(reread(&|_, rows| std::fs::remove_file(rows).unwrap()), Error::Io { .. }));
    assert!(matches!(Dataset::read(&dir.path().join("none")), Err(Error::Io { .. })));
}

fn splits(batch: RecordBatch, shares: &[(&str, f64)]) -> Result<Dataset, Error> {
    let splits = shares.iter().map(|(name, share)| (name.to_string(), *share)).collect();
    Dataset::from_batch("shop", batch, DatasetOptions { splits, ..DatasetOptions::default() })
}

#[test]
fn shares_are_met_and_the_rest_is_trained_on() {
    let counts = |shares: &[(&str, f64)]| BTreeMap::from_iter(splits(pairs(4000), shares).unwrap().split_counts());
    let near = |n: u64, expected: u64| assert!(n.abs_diff(expected) < 100, "{n} is not near {expected}");
    near(counts(&[])["test"], 400);
    near(counts(&[("test", 0.25)])["train"], 3000);
    near(counts(&[("train", 0.5), ("test", 0.25)])["unused"], 1000);
    assert_eq!(counts(&[("test", 1.0)]), BTreeMap::from([("test".into(), 4000)]));
    for bad in [&[("test", -0.1)][..], &[("test", 0.6), ("train", 0.6)], &[("test", f64::NAN)], &[("", 0.5)]] {
        assert!(matches!(splits(pairs(3), bad), Err(Error::Splits { .. })), "{bad:?}");
    }
    let small = splits(pairs(2), &[("test", 0.0001), ("train", 0.9999)]).unwrap();
    assert!(small.warnings.iter().any(|warning| warning.starts_with("split `test` is empty")), "{:?}", small.warnings);
}

#[test]
fn a_split_column_wins() {
    let with_split = |names: [&str; 2]| {
        texts(&[
            ("prompt", vec!["a".into(), "b".into()]),
            ("completion", vec!["1".into(), "2".into()]),
            ("split", names.map(String::from).to_vec()),
        ])
    };
    let kept = splits(with_split(["dev", "train"]), &[("test", 0.5)]).unwrap();
    assert_eq!(kept.split_counts(), [("dev".to_string(), 1), ("train".to_string(), 1)]);
    assert!(kept.warnings.iter().any(|warning| warning.contains("`split` column of the rows was kept")));
    assert!(matches!(splits(with_split(["dev", ""]), &[]), Err(Error::Cell { row: 2, .. })));
    let error = kept.split("test").unwrap_err();
    assert_eq!(error.to_string(), "dataset `shop` has no split `test`; it has `dev`, `train`");
    assert_eq!(kept.split("dev").unwrap().num_rows(), 1);
}

#[test]
fn groups_stay_together_and_leaks_are_reported() {
    let n = 200;
    let numbered = |what: &str, modulus: usize| (0..n).map(|i| format!("{what} {}", i % modulus)).collect::<Vec<_>>();
    let columns = [("prompt", numbered("q", n)), ("completion", numbered("a", n)), ("doc", numbered("d", 20))];
    let roles = RolesSpec { group: Some("doc".into()), ..RolesSpec::default() };
    let options = DatasetOptions { roles, splits: BTreeMap::from([("test".into(), 0.5)]), ..DatasetOptions::default() };
    let grouped = Dataset::from_batch("shop", texts(&columns), options).unwrap();
    let (docs, split) = (grouped.text_column("doc").unwrap(), grouped.text_column("split").unwrap());
    let mut split_of = BTreeMap::new();
    for (doc, split) in docs.iter().zip(&split) {
        assert_eq!(split_of.entry(doc).or_insert(split), &split);
    }
    let leak = texts(&[
        ("prompt", vec!["a".into(), "a".into(), "b".into()]),
        ("completion", vec!["1".into(), "1".into(), "2".into()]),
        ("split", vec!["train".into(), "test".into(), "test".into()]),
    ]);
    assert_eq!(
        dataset(leak).warnings,
        [
            "1 of 3 rows are exact duplicates of earlier rows (kept)",
            "1 prompts stand in more than one split: what is trained on is also scored"
        ]
    );
}

#[test]
fn the_split_of_a_row_is_fixed() {
    // A later version that assigns rows otherwise would move trained rows into the test split.
    let splits = dataset(pairs(12)).text_column("split").unwrap();
    let tested: Vec<usize> = (0..12).filter(|row| splits[*row] == "test").collect();
    assert_eq!(tested, [5, 10]);
}

#[test]
fn columns_by_name() {
    let dataset = dataset(every_type());
    assert_eq!(dataset.text_column("score").unwrap(), ["-0.0", "", "NaN"]);
    assert_eq!(dataset.text_column("flag").unwrap(), ["true", "", "false"]);
    assert!(dataset.text_column("scores").unwrap_err().to_string().contains("did you mean `score`?"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// Adding rows, anywhere, moves no old row into another split.
    #[test]
    fn added_rows_move_no_old_row(prompts in prop::collection::btree_set("[a-z]{1,8}", 1..40), n_old in 1usize..40) {
        let prompts: Vec<String> = prompts.into_iter().collect();
        let n_old = n_old.min(prompts.len());
        let split_of = |prompts: &[String]| {
            let batch = texts(&[("prompt", prompts.to_vec()), ("completion", vec!["x".into(); prompts.len()])]);
            let dataset = splits(batch, &[("test", 0.4)]).unwrap();
            BTreeMap::from_iter(prompts.iter().cloned().zip(dataset.text_column("split").unwrap()))
        };
        let (old, all) = (split_of(&prompts[prompts.len() - n_old..]), split_of(&prompts));
        for (prompt, split) in old {
            prop_assert_eq!(&all[&prompt], &split);
        }
    }

    #[test]
    fn parquet_round_trips_keep_the_fingerprint(cells in prop::collection::vec((any::<Option<String>>(), any::<Option<i64>>(), any::<Option<f64>>(), any::<Option<bool>>()), 1..30)) {
        let n = cells.len();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("prompt", Arc::new(StringArray::from(vec!["q"; n]))),
            ("completion", Arc::new(StringArray::from(vec!["a"; n]))),
            ("s", Arc::new(cells.iter().map(|cell| cell.0.clone()).collect::<StringArray>())),
            ("i", Arc::new(cells.iter().map(|cell| cell.1).collect::<Int64Array>())),
            ("f", Arc::new(cells.iter().map(|cell| cell.2).collect::<Float64Array>())),
            ("b", Arc::new(cells.iter().map(|cell| cell.3).collect::<BooleanArray>())),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
        let written = dataset(batch);
        let dir = tempfile::tempdir().unwrap();
        written.write(dir.path()).unwrap();
        prop_assert_eq!(Dataset::read(dir.path()).unwrap().fingerprint, written.fingerprint);
    }
}
