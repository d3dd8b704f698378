//! A synchronous grammar: each production writes a question and its SQL together, so the pair is
//! right by construction, for any schema. It knows nothing of databases; whoever has one executes
//! the pairs and drops those that return nothing.
//!
//! ```text
//! "How many {things} are there?"   ⇔   SELECT COUNT(*) FROM t WHERE …
//! ```

mod filter;
mod joined;
mod nested;
mod single;
#[cfg(test)]
mod tests;

use crate::schema::Link;
use crate::sql::{Query, identifier};
use crate::vocabulary::Role;
use crate::{Rng, Schema, Vocabulary};

/// A question and the SQL that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// English.
    pub question: String,
    /// Canonical SQLite, without a semicolon.
    pub sql: String,
}

/// One production family.
type Family = fn(&Grammar<'_>, &mut Rng) -> Option<Pair>;

/// Families with their weights: simple shapes are asked more often than nested ones.
const FAMILIES: &[(u32, Family)] = &[
    (8, single::list),
    (4, single::list_two),
    (7, single::count),
    (8, single::aggregate),
    (3, single::distinct),
    (3, single::count_distinct),
    (5, single::top),
    (4, single::extreme),
    (5, single::count_per_group),
    (4, single::aggregate_per_group),
    (3, single::groups_having),
    (3, single::largest_group),
    (3, single::sorted),
    (3, nested::compared_with_average),
    (3, nested::with_children),
    (3, nested::without_children),
    (5, joined::list),
    (4, joined::list_both),
    (5, joined::count),
    (5, joined::aggregate),
    (4, joined::count_per_parent),
    (4, joined::aggregate_per_parent),
    (3, joined::busiest_parent),
    (3, joined::parents_having),
    (2, joined::two_hops),
];

/// Attempts before a schema is said to have no question of the drawn shapes.
const ATTEMPTS: usize = 200;

/// A noun phrase with the conditions that it means.
pub(crate) struct Things {
    plural: String,
    singular: String,
    conditions: Vec<String>,
}

/// An aggregate expression and its words.
pub(crate) struct Aggregate {
    words: String,
    sql: String,
}

/// See the module.
pub struct Grammar<'a> {
    schema: &'a Schema,
    words: &'a Vocabulary,
    links: Vec<Link>,
}

impl<'a> Grammar<'a> {
    /// A grammar over one schema and its way of speaking.
    #[must_use]
    pub fn new(schema: &'a Schema, words: &'a Vocabulary) -> Grammar<'a> {
        Grammar { schema, words, links: schema.links() }
    }

    /// The next pair, or none if the schema offers nothing to ask.
    pub fn pair(&self, rng: &mut Rng) -> Option<Pair> {
        let weights: Vec<u32> = FAMILIES.iter().map(|(weight, _)| *weight).collect();
        (0..ATTEMPTS).find_map(|_| {
            let family = FAMILIES[rng.weighted(&weights)].1;
            family(self, rng)
        })
    }

    fn any_table(&self, rng: &mut Rng) -> usize {
        rng.below(self.schema.tables.len())
    }

    fn table(&self, table: usize) -> String {
        identifier(&self.schema.tables[table].name)
    }

    /// A column as SQL: bare, or `table.column` in a join.
    fn column(&self, table: usize, column: usize, qualified: bool) -> String {
        let name = identifier(&self.schema.tables[table].columns[column].name);
        if qualified { format!("{}.{name}", self.table(table)) } else { name }
    }

    /// A column as a result: cents become whole units.
    fn shown(&self, table: usize, column: usize, qualified: bool) -> String {
        let name = self.column(table, column, qualified);
        if self.role(table, column) == Role::Cents { format!("{name} / 100.0") } else { name }
    }

    fn role(&self, table: usize, column: usize) -> Role {
        self.words.columns[table][column].role
    }

    fn phrase(&self, rng: &mut Rng, table: usize, column: usize) -> String {
        rng.pick(&self.words.columns[table][column].phrases).clone()
    }

    /// A random column of the table with a wanted role.
    fn some(&self, rng: &mut Rng, table: usize, wanted: fn(Role) -> bool) -> Option<usize> {
        rng.choose(&self.words.columns_with(table, wanted)).copied()
    }

    /// The column that names a row.
    fn label(&self, table: usize) -> Option<usize> {
        self.words.tables[table].label
    }

    /// `{column}` of a house predicate or expression, written for this statement.
    fn expand(&self, table: usize, text: &str, qualified: bool) -> String {
        let mut parts = text.split('{');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            match self.schema.tables[table].column(name) {
                Some(column) => out.push_str(&self.column(table, column, qualified)),
                None => out.push_str(name),
            }
            out.push_str(rest);
        }
        out
    }

    /// A random link with its child and parent tables.
    fn link(&self, rng: &mut Rng) -> Option<Link> {
        rng.choose(&self.links).copied()
    }

    /// `FROM child JOIN parent ON child.fk = parent.pk`, ready for a select list.
    fn join(&self, link: Link) -> Query {
        Query {
            from: self.table(link.child),
            joins: vec![(self.table(link.parent), self.on(link))],
            ..Query::default()
        }
    }

    fn on(&self, link: Link) -> String {
        let child = self.column(link.child, link.child_column, true);
        format!("{child} = {}", self.column(link.parent, link.parent_column, true))
    }

    /// "average cost", "revenue", … over the rows of a table.
    fn aggregate(&self, rng: &mut Rng, table: usize, qualified: bool) -> Option<Aggregate> {
        let measures: Vec<_> = self.words.measures.iter().filter(|measure| measure.table == table).collect();
        if let Some(measure) = rng.choose(&measures).filter(|_| rng.percent(50)) {
            return Some(Aggregate {
                words: measure.phrase.clone(),
                sql: self.expand(table, &measure.expression, qualified),
            });
        }
        let column = self.some(rng, table, is_quantity)?;
        let (function, adjectives): (&str, &[&str]) = *rng.pick(&[
            ("AVG", &["average", "mean"] as &[&str]),
            ("SUM", &["total", "combined"]),
            ("MAX", &["highest", "maximum"]),
            ("MIN", &["lowest", "minimum"]),
        ]);
        let adjective = if rng.percent(75) { adjectives[0] } else { adjectives[1] };
        let unit = if self.role(table, column) == Role::Cents { " / 100.0" } else { "" };
        Some(Aggregate {
            words: format!("{adjective} {}", self.phrase(rng, table, column)),
            sql: format!("{function}({}){unit}", self.column(table, column, qualified)),
        })
    }
}

/// Worth showing in a result.
fn is_shown(role: Role) -> bool {
    !matches!(role, Role::Key | Role::Other | Role::Flag)
}

/// Can be added and compared.
fn is_quantity(role: Role) -> bool {
    matches!(role, Role::Number | Role::Cents)
}

/// Rows can be sorted by it in a way that a person would ask for.
fn is_ordered(role: Role) -> bool {
    matches!(role, Role::Number | Role::Ordinal | Role::Cents | Role::Date(_))
}

/// Few enough values to group by.
fn is_group(role: Role) -> bool {
    matches!(role, Role::Category | Role::Code)
}

/// One of the wordings with its `{slots}` filled, first letter as it stands in the wording.
fn say(rng: &mut Rng, wordings: &[&str], slots: &[(&str, &str)]) -> String {
    let mut text = (*rng.pick(wordings)).to_owned();
    for (slot, words) in slots {
        text = text.replace(&format!("{{{slot}}}"), words);
    }
    text
}

fn pair(question: String, query: &Query) -> Option<Pair> {
    Some(Pair { question, sql: query.to_string() })
}
