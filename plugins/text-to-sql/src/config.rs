//! The template's configuration: which database, and the words of its house.

use luthier_plugin::Error;
use luthier_plugin::json::{Value, json};

use crate::vocabulary::{
    DateForm, Glossary, GlossaryColumn, GlossaryFilter, GlossaryMeasure, GlossaryTable, Noun, Role,
};

/// Parsed configuration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// Name of a granted database, or of the bundled one.
    pub(crate) database: String,
    /// None: what the template brings for a bundled database, nothing for any other.
    pub(crate) glossary: Option<Glossary>,
}

/// JSON Schema of [`Config`]; nothing in it changes how a given database is put to a model.
pub(crate) fn schema() -> Value {
    let text = json!({"type": "string"});
    let entry = |required: &[&str], properties: Value| {
        json!({"type": "array", "items": {
        "type": "object", "required": required, "properties": properties, "additionalProperties": false}})
    };
    let nouns = json!({"type": "array", "items": {"type": "string"}, "description": "singular, optionally followed by the plural"});
    json!({
        "type": "object",
        "properties": {
            "database": {"type": "string", "default": "shop", "x-shapes-prompt": false,
                "description": "a granted SQLite database, or `shop`, which the template brings"},
            "glossary": {"type": "object", "x-shapes-prompt": false, "additionalProperties": false,
                "description": "words of the house that names do not tell; `{column}` stands for a column of the table",
                "properties": {
                    "tables": entry(&["table"], json!({"table": text, "nouns": nouns, "label": text, "scope": text})),
                    "columns": entry(&["table", "column"], json!({"table": text, "column": text,
                        "phrases": {"type": "array", "items": {"type": "string"}},
                        "role": {"enum": ROLES.iter().map(|(name, _)| *name).collect::<Vec<_>>()}})),
                    "filters": entry(&["table", "predicate"], json!({"table": text, "before": text, "after": text, "noun": nouns, "predicate": text})),
                    "measures": entry(&["table", "phrase", "expression"], json!({"table": text, "phrase": text, "expression": text})),
                }},
        },
        "additionalProperties": false,
    })
}

const ROLES: &[(&str, Role)] = &[
    ("key", Role::Key),
    ("label", Role::Label),
    ("category", Role::Category),
    ("code", Role::Code),
    ("number", Role::Number),
    ("ordinal", Role::Ordinal),
    ("cents", Role::Cents),
    ("date", Role::Date(DateForm::Iso)),
    ("integer-date", Role::Date(DateForm::Compact)),
    ("flag", Role::Flag),
    ("hidden", Role::Other),
];

impl Config {
    /// # Errors
    /// `InvalidConfig` with the pointer of what is wrong.
    pub(crate) fn parse(config: &Value) -> Result<Config, Error> {
        let object = config.as_object().ok_or_else(|| Error::config("", "expected an object"))?;
        if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "database" | "glossary")) {
            return Err(Error::config(format!("/{key}"), "unknown key; there are `database` and `glossary`"));
        }
        let database = match object.get("database") {
            None => crate::shop::NAME.to_owned(),
            Some(name) => {
                name.as_str().ok_or_else(|| Error::config("/database", "expected the name of a database"))?.to_owned()
            }
        };
        let glossary = object.get("glossary").map(glossary).transpose()?;
        Ok(Config { database, glossary })
    }
}

fn glossary(value: &Value) -> Result<Glossary, Error> {
    let mut glossary = Glossary::default();
    for entry in entries(value, "tables")? {
        glossary.tables.push(GlossaryTable {
            table: entry.required("table")?,
            nouns: entry.noun("nouns")?.into_iter().collect(),
            label: entry.text("label")?,
            scope: entry.text("scope")?,
        });
    }
    for entry in entries(value, "columns")? {
        let role = match entry.text("role")? {
            None => None,
            Some(name) => Some(
                ROLES.iter().find(|(known, _)| *known == name).ok_or_else(|| entry.wrong("role", "unknown role"))?.1,
            ),
        };
        let phrases = entry.texts("phrases")?;
        glossary.columns.push(GlossaryColumn {
            table: entry.required("table")?,
            column: entry.required("column")?,
            phrases,
            role,
        });
    }
    for entry in entries(value, "filters")? {
        let filter = GlossaryFilter {
            table: entry.required("table")?,
            before: entry.text("before")?.unwrap_or_default(),
            after: entry.text("after")?.unwrap_or_default(),
            noun: entry.noun("noun")?,
            predicate: entry.required("predicate")?,
        };
        if filter.before.is_empty() && filter.after.is_empty() && filter.noun.is_none() {
            return Err(entry.wrong("predicate", "has no words: give `before`, `after` or `noun`"));
        }
        glossary.filters.push(filter);
    }
    for entry in entries(value, "measures")? {
        let (phrase, expression) = (entry.required("phrase")?, entry.required("expression")?);
        glossary.measures.push(GlossaryMeasure { table: entry.required("table")?, phrase, expression });
    }
    Ok(glossary)
}

/// One object of a glossary list and where it stands.
struct Entry<'a> {
    value: &'a Value,
    pointer: String,
}

fn entries<'a>(glossary: &'a Value, list: &str) -> Result<Vec<Entry<'a>>, Error> {
    match glossary.get(list) {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => {
            let entry = |(index, value)| Entry { value, pointer: format!("/glossary/{list}/{index}") };
            Ok(items.iter().enumerate().map(entry).collect())
        }
        Some(_) => Err(Error::config(format!("/glossary/{list}"), "expected a list")),
    }
}

impl Entry<'_> {
    fn wrong(&self, key: &str, message: &str) -> Error {
        Error::config(format!("{}/{key}", self.pointer), message)
    }

    fn text(&self, key: &str) -> Result<Option<String>, Error> {
        match self.value.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(key, "expected a string")),
        }
    }

    fn required(&self, key: &str) -> Result<String, Error> {
        self.text(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        let Some(value) = self.value.get(key) else { return Ok(Vec::new()) };
        let strings: Option<Vec<String>> =
            value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        strings.ok_or_else(|| self.wrong(key, "expected a list of strings"))
    }

    fn noun(&self, key: &str) -> Result<Option<Noun>, Error> {
        let mut words = self.texts(key)?.into_iter();
        let Some(singular) = words.next() else { return Ok(None) };
        let plural = words.next().unwrap_or_else(|| crate::words::plural(&singular));
        Ok(Some(Noun { singular, plural }))
    }
}
