use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use arrow_array::{Array, RecordBatch};
use luthier_data::{Answer, AnswerExtractor, PromptRenderer};
use luthier_synth::TaskTemplate;
use serde_json::{Value, json};

use super::support::{shop, table};
use crate::{Context, Error, Host, HostConfig, Plugin, TemplatePlugin, build_database};

fn plugin() -> &'static Plugin {
    static PLUGIN: LazyLock<Plugin> = LazyLock::new(|| {
        let host = Host::new(HostConfig::default()).unwrap();
        host.load(crate::builtin("text-to-sql").unwrap()).unwrap()
    });
    &PLUGIN
}

/// The template on the database that it brings.
fn open(seed: u64, config: &Value) -> (tempfile::TempDir, TemplatePlugin) {
    let plugin = plugin();
    let directory = tempfile::tempdir().unwrap();
    let mut databases: BTreeMap<String, PathBuf> = BTreeMap::new();
    for (name, script) in &plugin.template_descriptor().unwrap().databases {
        let path = directory.path().join(format!("{name}.sqlite"));
        build_database(script, &path).unwrap();
        databases.insert(name.clone(), path);
    }
    let template = plugin.open_template(config, Context { seed, ..Context::default() }, &databases).unwrap();
    (directory, template)
}

fn column(rows: &RecordBatch, name: &str) -> Vec<String> {
    crate::columns::texts(rows, name)
}

#[test]
fn rows_are_a_function_of_the_seed_however_they_are_asked_for() {
    let (_one, mut whole) = open(7, &json!({ "database": "shop" }));
    let rows = whole.generate(300).unwrap();
    assert_eq!(rows.num_rows(), 300);
    let (_two, mut parts) = open(7, &json!({ "database": "shop" }));
    let (first, second) = (parts.generate(120).unwrap(), parts.generate(180).unwrap());
    for name in ["question", "sql", "split", "part"] {
        let joined: Vec<_> = column(&first, name).into_iter().chain(column(&second, name)).collect();
        assert_eq!(column(&rows, name), joined, "{name}");
    }
    assert_eq!(column(&whole.reopen().unwrap().generate(50).unwrap(), "sql"), column(&rows.slice(0, 50), "sql"));
    let (_three, mut other) = open(8, &json!({ "database": "shop" }));
    assert_ne!(column(&other.generate(300).unwrap(), "sql"), column(&rows, "sql"));
}

#[test]
fn its_own_rows_are_valid_and_keyed() {
    let (_directory, mut template) = open(1, &json!({ "database": "shop" }));
    let rows = template.generate(200).unwrap();
    let verdicts = template.validate(&rows).unwrap();
    assert!(verdicts.iter().all(|verdict| verdict.keep), "{:?}", verdicts.iter().find(|verdict| !verdict.keep));
    assert_eq!(template.dedup_keys(&rows).unwrap().len(), 200);
    let bad = table(&[("question", &["How many?", "How many?"]), ("sql", &["SELECT nonsense", "DROP TABLE x"])]);
    let verdicts = template.validate(&bad).unwrap();
    assert!(verdicts.iter().all(|verdict| !verdict.keep && verdict.code == "sql-error"), "{verdicts:?}");
}

#[test]
fn prompts_end_with_the_question_and_shots_come_before() {
    let (_directory, mut template) = open(1, &json!({ "database": "shop" }));
    let rows = template.generate(20).unwrap();
    let (shots, rows) = (rows.slice(0, 4), rows.slice(4, 10));
    let conversations = template.render(&rows, &shots).unwrap();
    let (questions, targets) = (column(&rows, "question"), template.targets(&rows).unwrap());
    assert_eq!(targets, column(&rows, "sql"));
    for (conversation, question) in conversations.iter().zip(&questions) {
        let roles: Vec<_> = conversation.iter().map(|message| message.role.as_str()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user", "assistant", "user", "assistant", "user"]);
        assert!(conversation.last().unwrap().content.ends_with(question.trim()));
    }
    let alone = template.render(&rows, &RecordBatch::new_empty(rows.schema())).unwrap();
    assert!(alone.iter().all(|conversation| conversation.len() == 1));
    let no_columns = RecordBatch::new_empty(arrow_schema::Schema::empty().into());
    assert_eq!(template.render(&rows, &no_columns).unwrap(), alone);
}

#[test]
fn answers_come_out_of_completions() {
    let (_directory, mut template) = open(1, &json!({ "database": "shop" }));
    let completions = ["SELECT 1", "```sql\nSELECT 2;\n```", ""].map(str::to_owned);
    let answers = template.extract(&completions).unwrap();
    assert_eq!(answers[0], Answer::Found("SELECT 1".to_owned()));
    assert_eq!(answers[1], Answer::Found("SELECT 2".to_owned()));
    assert!(matches!(answers[2], Answer::Missing(_)));
}

#[test]
fn the_fingerprint_changes_with_what_shapes_prompts() {
    let (_one, shop_template) = open(1, &json!({ "database": "shop" }));
    let fingerprint = shop_template.fingerprint();
    assert!(fingerprint.starts_with("sha256:"));
    let (_directory, databases) = shop();
    let mine: BTreeMap<_, _> = databases.into_values().map(|path| ("mine".to_owned(), path)).collect();
    let other = plugin().open_template(&json!({ "database": "mine" }), Context::default(), &mine).unwrap();
    assert_eq!(other.fingerprint(), fingerprint, "the database is data");
}

#[test]
fn any_database_will_do_and_a_missing_one_is_named() {
    let (_directory, databases) = shop();
    let plugin = plugin();
    let mut template = plugin.open_template(&json!({ "database": "db" }), Context::default(), &databases).unwrap();
    let rows = template.generate_rows(20).unwrap();
    assert!(rows.num_rows() > 0);
    assert!(rows.columns().iter().all(|column| column.null_count() == 0));
    let error = plugin.open_template(&json!({ "database": "x" }), Context::default(), &databases).err().unwrap();
    let Error::InvalidConfig { issues, .. } = &error else { panic!("{error}") };
    assert_eq!(issues[0].pointer, "/database");
    assert!(issues[0].message.contains("`x` is not granted; granted: db"), "{error}");
    let error = template
        .prompts(&table(&[("text", &["a"])]), &RecordBatch::new_empty(arrow_schema::Schema::empty().into()))
        .unwrap_err();
    assert_eq!(error.to_string(), "plugin `text-to-sql` reads the column `question`; there are text");
}
