//! Questions that need a subquery.

use super::{Grammar, Pair, is_quantity, pair, say};
use crate::Rng;
use crate::sql::Query;

pub(super) fn compared_with_average(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let label = grammar.label(table)?;
    let column = grammar.some(rng, table, is_quantity)?;
    let n_filters = rng.below(4) / 3;
    let mut things = grammar.things(rng, table, n_filters, false);
    let scope = grammar.words.tables[table].scope.as_ref().map(|scope| grammar.expand(table, scope, false));
    let above = rng.percent(65);
    let (c, d) = (grammar.phrase(rng, table, column), grammar.phrase(rng, table, label));
    let wordings = if above {
        [
            "Which {np} have {c} above the average?",
            "List the {d} of {np} and {c} above average.",
            "Which {np} have a higher {c} than the average?",
        ]
    } else {
        [
            "Which {np} have {c} below the average?",
            "List the {d} of {np} and {c} below average.",
            "Which {np} have a lower {c} than the average?",
        ]
    };
    // "of X and c above average" reads well only without a filter of its own.
    let wordings = if things.conditions.len() > usize::from(scope.is_some()) {
        vec![wordings[0], wordings[2]]
    } else {
        vec![wordings[0], wordings[2], wordings[0]]
    };
    let question = say(rng, &wordings, &[("np", &things.plural), ("c", &c), ("d", &d)]);
    let name = grammar.column(table, column, false);
    let average = Query {
        select: vec![format!("AVG({name})")],
        from: grammar.table(table),
        filters: scope.into_iter().collect(),
        ..Query::default()
    };
    things.conditions.push(format!("{name} {} ({average})", if above { '>' } else { '<' }));
    let query = Query {
        select: vec![grammar.column(table, label, false)],
        from: grammar.table(table),
        filters: things.conditions,
        ..Query::default()
    };
    pair(question, &query)
}

/// Parents for which a child row (with a condition) exists.
pub(super) fn with_children(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    membership(grammar, rng, true)
}

/// Parents for which none exists.
pub(super) fn without_children(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    membership(grammar, rng, false)
}

fn membership(grammar: &Grammar<'_>, rng: &mut Rng, present: bool) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let label = grammar.label(link.parent)?;
    let n_filters = if present { 1 } else { rng.below(2) };
    let mut children = grammar.things(rng, link.child, n_filters, false);
    let n_parent_filters = rng.below(5) / 4;
    let mut parents = grammar.things(rng, link.parent, n_parent_filters, false);
    let d = grammar.phrase(rng, link.parent, label);
    let wordings: &[&str] = if present {
        &[
            "Which {np} have {kids}?",
            "List the {d} of {np} that have {kids}.",
            "Show the {d} of the {np} having {kids}.",
        ]
    } else {
        &[
            "Which {np} have no {kids}?",
            "List the {d} of {np} that have no {kids}.",
            "Which {np} do not have any {kids}?",
        ]
    };
    let wordings = if parents.plural.contains(' ') { &wordings[..1] } else { wordings };
    let question = say(rng, wordings, &[("np", &parents.plural), ("kids", &children.plural), ("d", &d)]);
    let foreign_key = grammar.column(link.child, link.child_column, false);
    if !present && grammar.schema.tables[link.child].columns[link.child_column].nullable {
        // One NULL in the list makes NOT IN unknown for every row.
        children.conditions.push(format!("{foreign_key} IS NOT NULL"));
    }
    let inner = Query {
        select: vec![foreign_key],
        from: grammar.table(link.child),
        filters: children.conditions,
        ..Query::default()
    };
    let operator = if present { "IN" } else { "NOT IN" };
    parents.conditions.push(format!("{} {operator} ({inner})", grammar.column(link.parent, link.parent_column, false)));
    let select = vec![grammar.column(link.parent, label, false)];
    pair(question, &Query { select, from: grammar.table(link.parent), filters: parents.conditions, ..Query::default() })
}
