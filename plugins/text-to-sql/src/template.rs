//! The plugin: the template's stages over a granted database.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use luthier_plugin::json::Value as Json;
use luthier_plugin::{
    Answer, Batch, Budget, ColumnSpec, Context, Databases, DedupKey, Error, LogicalType, Message, NamedScript, Parsed,
    Roles, SqlDatabase, SqlValue, Stages, Template, TemplateDescriptor, Verdict,
};

use crate::config::{self, Config};
use crate::deal::{Dealer, Part, Row, normal};
use crate::schema::{ReadLimits, SqlSource, read_schema};
use crate::{Grammar, Schema, Value, Vocabulary, asked, prompt, shop, sql};

/// Rows that a question may return and still be worth asking.
const MAX_ROWS: u32 = 1000;
/// Turns in a row without a new pair after which the schema is exhausted: one whole round of the dealer.
const MAX_MISSES: usize = 25;
/// One in this many pairs may return no row or nothing but NULL.
const EMPTY_SHARE: usize = 25;

/// See the module.
pub struct TextToSql {
    database: Box<dyn SqlDatabase>,
    name: String,
    schema: Schema,
    words: Vocabulary,
    by_hand: VecDeque<Row>,
    dealer: Dealer,
    n_empty: usize,
    n_kept: usize,
}

/// The granted database as the schema reader sees it.
struct Source<'a>(&'a dyn SqlDatabase);

impl SqlSource for Source<'_> {
    fn query(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let rows = self
            .0
            .query(sql, Budget { vm_steps: 50_000_000, ..Budget::default() })
            .map_err(|error| error.to_string())?;
        Ok(rows.rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect())
    }
}

fn value(value: SqlValue) -> Value {
    match value {
        SqlValue::Integer(value) => Value::Integer(value),
        SqlValue::Real(value) => Value::Real(value),
        SqlValue::Text(value) => Value::Text(value),
        SqlValue::Null | SqlValue::Blob(_) => Value::Null,
    }
}

impl Template for TextToSql {
    fn describe() -> TemplateDescriptor {
        TemplateDescriptor {
            id: "text-to-sql".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Questions about a SQLite database, answered in SQL; every generated pair is executed".to_owned(),
            config_schema: config::schema(),
            row_schema: vec![
                ColumnSpec::new("question", LogicalType::Utf8, "what a person asks"),
                ColumnSpec::new("sql", LogicalType::Utf8, "the statement that answers it"),
                ColumnSpec::new("database", LogicalType::Utf8, "name of the database it is asked of"),
                ColumnSpec::new("skeleton", LogicalType::Utf8, "the statement without identifiers and literals"),
                ColumnSpec::new("split", LogicalType::Utf8, "train or test"),
                ColumnSpec::new("part", LogicalType::Utf8, "seen-skeleton, unseen-skeleton, hand-written or asked"),
            ],
            roles: Roles {
                prompt: vec!["question".to_owned()],
                target: Some("sql".to_owned()),
                group: Some("question".to_owned()),
            },
            stages: Stages {
                generate: true,
                synthesis_prompts: true,
                parse: true,
                validate: true,
                dedup: true,
                render: false,
            },
            metrics: vec!["execution-accuracy".to_owned(), "exact-match".to_owned()],
            databases: vec![NamedScript { name: shop::NAME.to_owned(), script: shop::SCRIPT.to_owned() }],
            ..TemplateDescriptor::default()
        }
    }

    fn open(config: Json, context: Context, databases: Box<dyn Databases>) -> Result<Self, Error> {
        let Config { database: name, glossary } = Config::parse(&config)?;
        let database = databases.open(&name).map_err(|error| Error::config("/database", error.to_string()))?;
        let schema = read_schema(&mut Source(database.as_ref()), ReadLimits::default())
            .map_err(|error| Error::config("/database", error.to_string()))?;
        let bundled = name == shop::NAME && schema.table(shop::TABLES[0]).is_some();
        let mut words = Vocabulary::infer(&schema);
        let glossary = glossary.or_else(|| bundled.then(shop::glossary)).unwrap_or_default();
        words.apply(&schema, &glossary).map_err(|error| Error::config("/glossary", error.to_string()))?;
        let by_hand = if bundled { shop::handwritten()? } else { VecDeque::new() };
        let dealer = Dealer::new(context.seed, by_hand.iter().map(|row| row.question.clone()));
        Ok(TextToSql { database, name, schema, words, by_hand, dealer, n_empty: 0, n_kept: 0 })
    }

    /// Hand-written rows first, then the grammar's.
    fn generate(&mut self, n: u32) -> Result<Batch, Error> {
        let n = n as usize;
        let n_by_hand = n.min(self.by_hand.len());
        let mut rows: Vec<Row> = self.by_hand.drain(..n_by_hand).collect();
        let grammar = Grammar::new(&self.schema, &self.words);
        let (database, n_empty, n_kept) = (self.database.as_ref(), &mut self.n_empty, &mut self.n_kept);
        let mut returns_rows = |statement: &str| match outcome(database, statement) {
            Outcome::Rows => {
                *n_kept += 1;
                true
            }
            Outcome::Nothing if *n_empty * EMPTY_SHARE < *n_kept => {
                *n_empty += 1;
                true
            }
            Outcome::Nothing | Outcome::Failed(_) => false,
        };
        let mut misses = 0;
        while rows.len() < n && misses < MAX_MISSES {
            match self.dealer.next(&grammar, &mut returns_rows) {
                Some(row) => {
                    rows.push(row);
                    misses = 0;
                }
                None => misses += 1,
            }
        }
        Ok(self.batch(&rows))
    }

    fn prompt(&mut self, rows: &Batch, shots: &Batch) -> Result<Vec<Vec<Message>>, Error> {
        let schema = self.schema.compact();
        let shots = shots_of(shots)?;
        let shots: Vec<(&str, &str)> = shots.iter().map(|(question, sql)| (question.as_str(), sql.as_str())).collect();
        let questions = rows.utf8("question")?;
        Ok((0..rows.rows).map(|row| prompt::conversation(&schema, &shots, questions.text(row).trim())).collect())
    }

    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error> {
        Ok(completions.iter().map(|completion| prompt::extract(completion)).collect())
    }

    fn synthesis_prompts(&mut self, seeds: &Batch) -> Result<Batch, Error> {
        asked::requests(&self.schema.compact(), seeds)
    }

    fn parse(&mut self, outputs: &Batch) -> Result<Parsed, Error> {
        let (rows, rejects) = asked::parse(outputs)?;
        Ok(Parsed { rows: self.batch(&rows), rejects })
    }

    fn validate(&mut self, rows: &Batch) -> Result<Vec<Verdict>, Error> {
        let (questions, statements) = (rows.utf8("question")?, rows.utf8("sql")?);
        let verdict = |row| {
            if questions.text(row).trim().is_empty() {
                return Verdict::reject("empty-question", "the question is empty");
            }
            match outcome(self.database.as_ref(), statements.text(row)) {
                Outcome::Failed(message) => Verdict::reject("sql-error", message),
                Outcome::Rows | Outcome::Nothing => Verdict::keep(),
            }
        };
        Ok((0..rows.rows).map(verdict).collect())
    }

    fn dedup_keys(&mut self, rows: &Batch) -> Result<Vec<DedupKey>, Error> {
        let questions = rows.utf8("question")?;
        let key = |row| DedupKey { exact: normal(questions.text(row)), near: questions.text(row).to_owned() };
        Ok((0..rows.rows).map(key).collect())
    }
}

impl TextToSql {
    fn batch(&self, rows: &[Row]) -> Batch {
        Batch::new(rows.len())
            .with_texts("question", rows.iter().map(|row| &row.question))
            .with_texts("sql", rows.iter().map(|row| &row.sql))
            .with_texts("database", rows.iter().map(|_| &self.name))
            .with_texts("skeleton", rows.iter().map(|row| &row.skeleton))
            .with_texts("split", rows.iter().map(|row| row.part.split()))
            .with_texts("part", rows.iter().map(|row| row.part.name()))
    }

    /// The schema as the model is shown it.
    #[must_use]
    pub fn schema_text(&self) -> String {
        self.schema.compact()
    }
}

enum Outcome {
    Rows,
    Nothing,
    Failed(String),
}

fn outcome(database: &dyn SqlDatabase, statement: &str) -> Outcome {
    let budget = Budget { max_rows: MAX_ROWS, ..Budget::default() };
    match database.query(statement, budget) {
        Ok(result) if result.rows.iter().any(|row| row.iter().any(|value| *value != SqlValue::Null)) => Outcome::Rows,
        Ok(_) => Outcome::Nothing,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

/// Example rows as question and statement; an empty batch needs no columns.
fn shots_of(shots: &Batch) -> Result<Vec<(String, String)>, Error> {
    if shots.rows == 0 {
        return Ok(Vec::new());
    }
    let (questions, statements) = (shots.utf8("question")?, shots.utf8("sql")?);
    Ok((0..shots.rows)
        .map(|row| (questions.text(row).trim().to_owned(), statements.text(row).trim().to_owned()))
        .collect())
}

/// A row written by hand.
pub(crate) fn hand_written(question: &str, statement: &str) -> Row {
    Row {
        question: question.to_owned(),
        sql: statement.to_owned(),
        skeleton: sql::skeleton(statement),
        part: Part::HandWritten,
    }
}
