//! Noun phrases with conditions: "open orders with total above 50" ⇔ `st = 'O' AND total > 50`.

use super::{Grammar, Things};
use crate::vocabulary::{DateForm, Noun, Role};
use crate::{Rng, Value};

/// A condition and where its words go.
struct Clause {
    before: String,
    after: String,
    noun: Option<Noun>,
    condition: String,
    /// Column or named filter, so that one phrase does not restrict the same thing twice.
    subject: usize,
}

impl Grammar<'_> {
    /// A table's noun with up to `max_filters` conditions, the table's silent scope first.
    pub(super) fn things(&self, rng: &mut Rng, table: usize, max_filters: usize, qualified: bool) -> Things {
        let words = &self.words.tables[table];
        let mut noun = rng.pick(&words.nouns).clone();
        let mut renamed = false;
        let mut conditions: Vec<String> =
            words.scope.iter().map(|scope| self.expand(table, scope, qualified)).collect();
        let (mut before, mut after) = (String::new(), String::new());
        let mut subjects = Vec::new();
        for _ in 0..max_filters {
            let Some(clause) = self.clause(rng, table, qualified) else { continue };
            if subjects.contains(&clause.subject)
                || (!before.is_empty() && !clause.before.is_empty())
                || (renamed && clause.noun.is_some())
            {
                continue;
            }
            if let Some(name) = clause.noun {
                noun = name;
                renamed = true;
            }
            subjects.push(clause.subject);
            conditions.push(clause.condition);
            if !clause.before.is_empty() {
                before = format!("{} ", clause.before);
            }
            if !clause.after.is_empty() {
                let joint = if after.is_empty() { "" } else { " and" };
                after = format!("{after}{joint} {}", clause.after);
            }
        }
        Things {
            plural: format!("{before}{}{after}", noun.plural),
            singular: format!("{before}{}{after}", noun.singular),
            conditions,
        }
    }

    /// None, one or (rarely) two conditions.
    pub(super) fn some_things(&self, rng: &mut Rng, table: usize, qualified: bool) -> Things {
        let n_filters = [0, 1, 2][rng.weighted(&[40, 48, 12])];
        self.things(rng, table, n_filters, qualified)
    }

    fn clause(&self, rng: &mut Rng, table: usize, qualified: bool) -> Option<Clause> {
        let named: Vec<usize> =
            (0..self.words.filters.len()).filter(|index| self.words.filters[*index].table == table).collect();
        if !named.is_empty() && rng.percent(60) {
            let index = *rng.pick(&named);
            let filter = &self.words.filters[index];
            let column =
                filter.predicate.split(['{', '}']).nth(1).and_then(|name| self.schema.tables[table].column(name));
            return Some(Clause {
                before: filter.before.clone(),
                after: filter.after.clone(),
                noun: filter.noun.clone(),
                condition: self.expand(table, &filter.predicate, qualified),
                subject: column.unwrap_or(usize::MAX - index),
            });
        }
        let column = rng.below(self.words.columns[table].len());
        let (before, after, condition) = self.column_clause(rng, table, column, qualified)?;
        Some(Clause { before, after, noun: None, condition, subject: column })
    }

    fn column_clause(
        &self,
        rng: &mut Rng,
        table: usize,
        column: usize,
        qualified: bool,
    ) -> Option<(String, String, String)> {
        let sql = self.column(table, column, qualified);
        let phrase = self.phrase(rng, table, column);
        let declared = &self.schema.tables[table].columns[column];
        let role = self.role(table, column);
        if declared.nullable && is_optional(role) && rng.percent(6) {
            return Some(if rng.percent(70) {
                (String::new(), format!("without {phrase}"), format!("{sql} IS NULL"))
            } else {
                (String::new(), format!("that have a known {phrase}"), format!("{sql} IS NOT NULL"))
            });
        }
        let (after, condition) = match role {
            Role::Category | Role::Label => text_clause(rng, &sql, &phrase, role, &declared.samples)?,
            Role::Number | Role::Ordinal => number_clause(rng, &sql, &phrase, &declared.samples, 1)?,
            Role::Cents => number_clause(rng, &sql, &phrase, &declared.samples, 100)?,
            Role::Date(form) => {
                let only = self.words.columns_with(table, |role| matches!(role, Role::Date(_))).len() == 1;
                date_clause(rng, &sql, &phrase, form, only, &declared.samples)?
            }
            Role::Flag => return Some(flag_clause(rng, &sql, &phrase)),
            Role::Key | Role::Code | Role::Other => return None,
        };
        Some((String::new(), after, condition))
    }
}

fn is_optional(role: Role) -> bool {
    !matches!(role, Role::Key | Role::Flag | Role::Other)
}

fn text_clause(rng: &mut Rng, sql: &str, phrase: &str, role: Role, samples: &[Value]) -> Option<(String, String)> {
    let value = rng.choose(samples)?.clone();
    let (said, literal) = (value.spoken(), value.literal());
    let kind = if role == Role::Label { rng.weighted(&[70, 0, 0, 30]) } else { rng.weighted(&[80, 8, 12, 0]) };
    Some(match kind {
        0 => {
            let after = *rng.pick::<&str>(&["whose {c} is {v}", "with {c} {v}", "where the {c} is {v}"]);
            (fill(after, phrase, &said), format!("{sql} = {literal}"))
        }
        1 => (fill("whose {c} is not {v}", phrase, &said), format!("{sql} <> {literal}")),
        2 => {
            let other = rng.choose(samples).filter(|other| **other != value)?;
            let both = format!("{said} or {}", other.spoken());
            (fill("whose {c} is {v}", phrase, &both), format!("{sql} IN ({literal}, {})", other.literal()))
        }
        _ => {
            let word = said.split(' ').next().filter(|word| word.chars().all(char::is_alphanumeric))?;
            let start = rng.percent(60);
            let after = if start { "whose {c} starts with {v}" } else { "whose {c} contains {v}" };
            let pattern = Value::Text(format!("{}{word}%", if start { "" } else { "%" })).literal();
            (fill(after, phrase, word), format!("{sql} LIKE {pattern}"))
        }
    })
}

/// `unit` is what one spoken unit is stored as.
fn number_clause(rng: &mut Rng, sql: &str, phrase: &str, samples: &[Value], unit: i64) -> Option<(String, String)> {
    let (said, stored) = threshold(rng, samples, unit)?;
    Some(match rng.weighted(&[38, 34, 8, 8, 12]) {
        0 => (
            fill(
                rng.pick::<&str>(&["with {c} above {v}", "with {c} over {v}", "whose {c} is more than {v}"]),
                phrase,
                &said,
            ),
            format!("{sql} > {stored}"),
        ),
        1 => (
            fill(
                rng.pick::<&str>(&["with {c} below {v}", "with {c} under {v}", "whose {c} is less than {v}"]),
                phrase,
                &said,
            ),
            format!("{sql} < {stored}"),
        ),
        2 => (fill("with {c} of at least {v}", phrase, &said), format!("{sql} >= {stored}")),
        3 => (fill("with {c} of at most {v}", phrase, &said), format!("{sql} <= {stored}")),
        _ => {
            let (other_said, other) = threshold(rng, samples, unit)?;
            let order = |text: &str| text.parse::<f64>().ok();
            let (low, high) = ((&said, &stored), (&other_said, &other));
            let (low, high) = if order(&stored)? <= order(&other)? { (low, high) } else { (high, low) };
            if low == high {
                return None;
            }
            (
                fill("with {c} between {v}", phrase, &format!("{} and {}", low.0, high.0)),
                format!("{sql} BETWEEN {} AND {}", low.1, high.1),
            )
        }
    })
}

/// A number as said and as stored, near the data.
fn threshold(rng: &mut Rng, samples: &[Value], unit: i64) -> Option<(String, String)> {
    match rng.choose(samples)? {
        Value::Integer(value) if unit > 1 => {
            let whole = round_nicely(value / unit);
            Some((whole.to_string(), (whole * unit).to_string()))
        }
        Value::Integer(value) => Some((value.to_string(), value.to_string())),
        Value::Real(value) if value.fract() != 0.0 && value.abs() < 100.0 => {
            let text = format!("{value:.1}");
            Some((text.clone(), text))
        }
        Value::Real(value) => {
            let whole = round_nicely(value.round() as i64);
            Some((whole.to_string(), whole.to_string()))
        }
        _ => None,
    }
}

/// People ask about 250, not about 247.
fn round_nicely(value: i64) -> i64 {
    match value.abs() {
        0..20 => value,
        20..200 => value / 5 * 5,
        200..2000 => value / 50 * 50,
        _ => value / 500 * 500,
    }
}

fn date_clause(
    rng: &mut Rng,
    sql: &str,
    phrase: &str,
    form: DateForm,
    only: bool,
    samples: &[Value],
) -> Option<(String, String)> {
    let day = match rng.choose(samples)? {
        Value::Text(text) => text.get(..10)?.to_owned(),
        Value::Integer(date) => format!("{}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100),
        _ => return None,
    };
    let store = |day: &str| match form {
        DateForm::Iso => format!("'{day}'"),
        DateForm::Compact => day.replace('-', ""),
    };
    Some(match rng.weighted(&[50, 25, 25]) {
        0 => {
            let year = &day[..4];
            let range =
                format!("{sql} BETWEEN {} AND {}", store(&format!("{year}-01-01")), store(&format!("{year}-12-31")));
            // "from 2023" is clear only where a row has one date.
            let wordings: &[&str] = if only {
                &["with {c} in {v}", "from {v}", "from the year {v}"]
            } else {
                &["with {c} in {v}", "whose {c} is in {v}"]
            };
            (fill(rng.pick::<&str>(wordings), phrase, year), range)
        }
        1 => (fill("with {c} after {v}", phrase, &day), format!("{sql} > {}", store(&day))),
        _ => (fill("with {c} before {v}", phrase, &day), format!("{sql} < {}", store(&day))),
    })
}

/// `is_active` reads as an adjective: "active members", "members that are not active".
fn flag_clause(rng: &mut Rng, sql: &str, phrase: &str) -> (String, String, String) {
    match rng.weighted(&[35, 30, 35]) {
        0 => (phrase.to_owned(), String::new(), format!("{sql} = 1")),
        1 => (String::new(), format!("that are {phrase}"), format!("{sql} = 1")),
        _ => (String::new(), format!("that are not {phrase}"), format!("{sql} = 0")),
    }
}

fn fill(wording: &str, column: &str, value: &str) -> String {
    wording.replace("{c}", column).replace("{v}", value)
}
