//! What a key accepts: one closed set, checked before anything is sent.

use serde_json::{Value, json};

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text in quotes.
    Text,
    /// A whole number from 0.
    Count,
    /// Any number.
    Number,
    /// `true` or `false`.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    List,
    /// A list of whole numbers from 0.
    Counts,
    /// Numbers of rows, and ranges of them: `3`, `[3, "5-7"]`; on a command line `3,5-7`.
    Rows,
    /// A table of tables of texts by row, `{ 7 = { column = "text" } }`; on a command line the row.
    CellTable,
    /// Two numbers.
    Pair,
    /// A table of anything; checked by the plugin that it is for.
    Table,
    /// A table of texts.
    TextTable,
    /// A table of numbers.
    NumberTable,
    /// A table of whole numbers.
    CountTable,
    /// A model's name, or a table `{ model, num_fewshot, name }`.
    Arm,
    /// A list of those.
    Arms,
    /// A list of metrics' names, or of tables `{ metric, config, columns, name }`.
    Metrics,
    /// On a command line the value may be left out, and is then this.
    OptionalText(&'static str),
}

impl Kind {
    /// How messages describe what is expected.
    pub fn expects(self) -> String {
        match self {
            Kind::Text | Kind::OptionalText(_) => "text in quotes".into(),
            Kind::Count => "a whole number from 0".into(),
            Kind::Number => "a number".into(),
            Kind::Switch => "true or false".into(),
            Kind::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
                format!("one of {}", words.join(", "))
            }
            Kind::List => "a list of texts".into(),
            Kind::Counts => "a list of whole numbers from 0".into(),
            Kind::CellTable => "a table of rows, as { 7 = { column = \"text\" } }".into(),
            Kind::Rows => "row numbers or ranges, as [3, \"5-7\"]".into(),
            Kind::Pair => "a list of two numbers".into(),
            Kind::Table => "a table".into(),
            Kind::TextTable => "a table of texts".into(),
            Kind::NumberTable => "a table of numbers".into(),
            Kind::CountTable => "a table of whole numbers".into(),
            Kind::Arm => "a model's name, or a table { model = …, num_fewshot = …, name = … }".into(),
            Kind::Arms => "a list of models' names or tables { model = …, num_fewshot = …, name = … }".into(),
            Kind::Metrics => {
                "a list of metrics' names or tables { metric = …, config = …, columns = …, name = … }".into()
            }
        }
    }

    /// The value's place in a usage line.
    pub fn label(self) -> String {
        match self {
            Kind::Text | Kind::List => "TEXT".into(),
            Kind::Rows => "ROWS".into(),
            Kind::CellTable => "ROW".into(),
            Kind::Count => "N".into(),
            Kind::Number => "X".into(),
            Kind::Choice(words) => words.join("|"),
            Kind::OptionalText(default) => format!("TEXT={default}"),
            Kind::Arm => "MODEL".into(),
            _ => "TOML".into(),
        }
    }

    /// The value of a bare `--flag`.
    pub fn implied(self) -> &'static str {
        match self {
            Kind::OptionalText(default) => default,
            _ => "true",
        }
    }

    /// The value fits.
    pub fn accepts(self, value: &Value) -> bool {
        match self {
            Kind::Text | Kind::OptionalText(_) => value.is_string(),
            Kind::Count => value.is_u64(),
            Kind::Number => value.is_number(),
            Kind::Switch => value.is_boolean(),
            Kind::Choice(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Kind::List => all_of(value, Value::is_string),
            Kind::Counts => all_of(value, Value::is_u64),
            Kind::Rows => is_rows(value) || all_of(value, is_rows),
            Kind::CellTable => {
                let is_cells =
                    |cells: &Value| cells.as_object().is_some_and(|cells| cells.values().all(Value::is_string));
                value.as_object().is_some_and(|table| table.values().all(is_cells)) || all_of(value, is_rows)
            }
            Kind::Pair => all_of(value, Value::is_number) && value.as_array().is_some_and(|items| items.len() == 2),
            Kind::Table => value.is_object(),
            Kind::TextTable => value.as_object().is_some_and(|table| table.values().all(Value::is_string)),
            Kind::NumberTable => value.as_object().is_some_and(|table| table.values().all(Value::is_number)),
            Kind::CountTable => value.as_object().is_some_and(|table| table.values().all(Value::is_u64)),
            Kind::Arm => is_arm(value),
            Kind::Arms => all_of(value, is_arm),
            Kind::Metrics => all_of(value, is_metric),
        }
    }

    /// A value written as one word on a command line.
    pub fn parse(self, text: &str) -> Option<Value> {
        let value = match self {
            Kind::Text | Kind::OptionalText(_) | Kind::Choice(_) => json!(text),
            Kind::Number if text.parse::<f64>().is_ok() => json!(text.parse::<f64>().ok()?),
            Kind::List if !text.starts_with('[') => json!([text]),
            Kind::Rows | Kind::CellTable if !text.starts_with('[') => {
                text.split(',').map(|part| json!(part.trim())).collect()
            }
            Kind::Arm if !text.starts_with('{') => json!(text),
            Kind::Arms | Kind::Metrics if !text.starts_with('[') => text.split(',').map(str::trim).collect(),
            _ => crate::cell::body::to_json(toml::de::DeValue::parse(text).ok()?.get_ref()),
        };
        self.accepts(&value).then_some(value)
    }
}

fn all_of(value: &Value, fits: impl Fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(fits))
}

fn is_metric(value: &Value) -> bool {
    let Some(table) = value.as_object() else { return value.is_string() };
    table.contains_key("metric")
        && table.iter().all(|(key, value)| match key.as_str() {
            "metric" | "name" => value.is_string(),
            "config" => value.is_object(),
            "columns" => Kind::TextTable.accepts(value),
            _ => false,
        })
}

/// A number from 1, or text that may be one or a range.
fn is_rows(value: &Value) -> bool {
    value.as_u64().is_some_and(|row| row > 0) || value.is_string()
}

fn is_arm(value: &Value) -> bool {
    let Some(table) = value.as_object() else { return value.is_string() };
    table.contains_key("model")
        && table.iter().all(|(key, value)| match key.as_str() {
            "model" | "name" | "base_url" => value.is_string(),
            "num_fewshot" => value.is_u64(),
            _ => false,
        })
}
