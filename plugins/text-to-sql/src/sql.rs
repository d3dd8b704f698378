//! The one canonical style in which the grammar writes SQL, and skeletons of SQL.
//!
//! Style: keywords in capitals, one space between tokens, no aliases; one table: bare columns; a
//! join: every column as `table.column`. A small model learns one way of saying a thing.

mod skeleton;
#[cfg(test)]
mod tests;

use std::fmt;

pub use skeleton::skeleton;

/// Words that SQLite would not accept as bare names, and those of our own style.
const KEYWORDS: &[&str] = &[
    "add",
    "all",
    "alter",
    "and",
    "as",
    "asc",
    "autoincrement",
    "avg",
    "between",
    "by",
    "case",
    "check",
    "collate",
    "commit",
    "constraint",
    "count",
    "create",
    "cross",
    "default",
    "deferrable",
    "delete",
    "desc",
    "distinct",
    "drop",
    "else",
    "end",
    "escape",
    "except",
    "exists",
    "foreign",
    "from",
    "full",
    "group",
    "having",
    "if",
    "in",
    "index",
    "inner",
    "insert",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "left",
    "like",
    "limit",
    "max",
    "min",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "outer",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "set",
    "sum",
    "table",
    "then",
    "to",
    "transaction",
    "union",
    "unique",
    "update",
    "using",
    "values",
    "when",
    "where",
    "with",
];

/// True for a word that must be quoted to be a name.
#[must_use]
pub fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// A name as SQL text: bare where that is unambiguous, else in double quotes.
#[must_use]
pub fn identifier(name: &str) -> String {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
    if plain && !is_keyword(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A SELECT statement in parts; `Display` writes the canonical text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// SELECT DISTINCT.
    pub distinct: bool,
    /// Result expressions.
    pub select: Vec<String>,
    /// First table.
    pub from: String,
    /// Joined table and condition, in order.
    pub joins: Vec<(String, String)>,
    /// Conjuncts of WHERE.
    pub filters: Vec<String>,
    /// GROUP BY expression.
    pub group_by: Option<String>,
    /// HAVING condition.
    pub having: Option<String>,
    /// ORDER BY term, direction included.
    pub order_by: Option<String>,
    /// LIMIT.
    pub limit: Option<i64>,
}

impl fmt::Display for Query {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distinct = if self.distinct { "DISTINCT " } else { "" };
        write!(out, "SELECT {distinct}{} FROM {}", self.select.join(", "), self.from)?;
        for (table, condition) in &self.joins {
            write!(out, " JOIN {table} ON {condition}")?;
        }
        if !self.filters.is_empty() {
            write!(out, " WHERE {}", self.filters.join(" AND "))?;
        }
        if let Some(group_by) = &self.group_by {
            write!(out, " GROUP BY {group_by}")?;
        }
        if let Some(having) = &self.having {
            write!(out, " HAVING {having}")?;
        }
        if let Some(order_by) = &self.order_by {
            write!(out, " ORDER BY {order_by}")?;
        }
        if let Some(limit) = self.limit {
            write!(out, " LIMIT {limit}")?;
        }
        Ok(())
    }
}
