//! Questions about one table.

use super::{Grammar, Pair, is_group, is_ordered, is_shown, pair, say};
use crate::Rng;
use crate::sql::Query;
use crate::vocabulary::Role;

impl Grammar<'_> {
    fn over(&self, table: usize, select: Vec<String>, filters: Vec<String>) -> Query {
        Query { select, from: self.table(table), filters, ..Query::default() }
    }
}

pub(super) fn list(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let column = grammar.some(rng, table, is_shown)?;
    let n_filters = 1 + rng.below(8) / 6;
    let things = grammar.things(rng, table, n_filters, false);
    let c = grammar.phrase(rng, table, column);
    let wordings = [
        "What is the {c} of {np}?",
        "List the {c} of all {np}.",
        "Show the {c} of {np}.",
        "Give the {c} of {np}.",
        "Find the {c} of each of the {np}.",
    ];
    let question = say(rng, &wordings, &[("c", &c), ("np", &things.plural)]);
    pair(question, &grammar.over(table, vec![grammar.shown(table, column, false)], things.conditions))
}

pub(super) fn list_two(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let (first, second) = (grammar.some(rng, table, is_shown)?, grammar.some(rng, table, is_shown)?);
    if first == second {
        return None;
    }
    let things = grammar.some_things(rng, table, false);
    let (c, d) = (grammar.phrase(rng, table, first), grammar.phrase(rng, table, second));
    let wordings =
        ["Show the {c} and {d} of {np}.", "List the {c} and the {d} of all {np}.", "What are the {c} and {d} of {np}?"];
    let question = say(rng, &wordings, &[("c", &c), ("d", &d), ("np", &things.plural)]);
    let select = vec![grammar.shown(table, first, false), grammar.shown(table, second, false)];
    pair(question, &grammar.over(table, select, things.conditions))
}

pub(super) fn count(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let n_filters = [0, 1, 2][rng.weighted(&[15, 65, 20])];
    let things = grammar.things(rng, table, n_filters, false);
    let wordings =
        ["How many {np} are there?", "Count the {np}.", "What is the number of {np}?", "How many {np} do we have?"];
    let question = say(rng, &wordings, &[("np", &things.plural)]);
    pair(question, &grammar.over(table, vec!["COUNT(*)".to_owned()], things.conditions))
}

pub(super) fn aggregate(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let aggregate = grammar.aggregate(rng, table, false)?;
    let things = grammar.some_things(rng, table, false);
    let wordings = [
        "What is the {a} of {np}?",
        "Find the {a} of all {np}.",
        "Give the {a} of {np}.",
        "Calculate the {a} of {np}.",
    ];
    let question = say(rng, &wordings, &[("a", &aggregate.words), ("np", &things.plural)]);
    pair(question, &grammar.over(table, vec![aggregate.sql], things.conditions))
}

pub(super) fn distinct(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let column = grammar.some(rng, table, is_group)?;
    let things = grammar.some_things(rng, table, false);
    let c = grammar.phrase(rng, table, column);
    let wordings = [
        "What are the different values of {c} among {np}?",
        "List the distinct {c} of {np}.",
        "Show every different {c} of {np}.",
    ];
    let question = say(rng, &wordings, &[("c", &c), ("np", &things.plural)]);
    let query =
        Query { distinct: true, ..grammar.over(table, vec![grammar.column(table, column, false)], things.conditions) };
    pair(question, &query)
}

pub(super) fn count_distinct(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let column = grammar.some(rng, table, |role| is_group(role) || role == Role::Label)?;
    let things = grammar.some_things(rng, table, false);
    let c = grammar.phrase(rng, table, column);
    let wordings = [
        "How many different values of {c} are there among {np}?",
        "Count the distinct {c} of {np}.",
        "What is the number of different {c} of {np}?",
    ];
    let question = say(rng, &wordings, &[("c", &c), ("np", &things.plural)]);
    let select = format!("COUNT(DISTINCT {})", grammar.column(table, column, false));
    pair(question, &grammar.over(table, vec![select], things.conditions))
}

/// Direction of an ordering with the adjectives that mean it.
fn direction(rng: &mut Rng, date: bool) -> (&'static str, &'static str) {
    match (rng.percent(60), date) {
        (true, false) => (" DESC", "highest"),
        (true, true) => (" DESC", "latest"),
        (false, false) => ("", "lowest"),
        (false, true) => ("", "earliest"),
    }
}

pub(super) fn top(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let label = grammar.label(table)?;
    let column = grammar.some(rng, table, is_ordered)?;
    let things = grammar.some_things(rng, table, false);
    let (suffix, extreme) = direction(rng, matches!(grammar.role(table, column), Role::Date(_)));
    let limit = rng.range(2, 10);
    let (c, d) = (grammar.phrase(rng, table, column), grammar.phrase(rng, table, label));
    let wordings = [
        "Which {k} {np} have the {x} {c}?",
        "What is the {d} of the {k} {np} with the {x} {c}?",
        "List the {k} {np} with the {x} {c}.",
    ];
    let question =
        say(rng, &wordings, &[("k", &limit.to_string()), ("np", &things.plural), ("x", extreme), ("c", &c), ("d", &d)]);
    let order_by = Some(format!("{}{suffix}", grammar.column(table, column, false)));
    let base = grammar.over(table, vec![grammar.column(table, label, false)], things.conditions);
    pair(question, &Query { order_by, limit: Some(limit), ..base })
}

pub(super) fn extreme(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let shown = grammar.some(rng, table, is_shown)?;
    let column = grammar.some(rng, table, is_ordered)?;
    if shown == column {
        return None;
    }
    let things = grammar.some_things(rng, table, false);
    let (suffix, extreme) = direction(rng, matches!(grammar.role(table, column), Role::Date(_)));
    let (c, d) = (grammar.phrase(rng, table, column), grammar.phrase(rng, table, shown));
    let mut wordings =
        vec!["What is the {d} of the {one} with the {x} {c}?", "Find the {d} of the {one} that has the {x} {c}."];
    if Some(shown) == grammar.label(table) {
        wordings.push("Which {one} has the {x} {c}?");
    }
    let question = say(rng, &wordings, &[("one", &things.singular), ("x", extreme), ("c", &c), ("d", &d)]);
    let order_by = Some(format!("{}{suffix}", grammar.column(table, column, false)));
    let base = grammar.over(table, vec![grammar.shown(table, shown, false)], things.conditions);
    pair(question, &Query { order_by, limit: Some(1), ..base })
}

pub(super) fn count_per_group(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let group = grammar.some(rng, table, is_group)?;
    let things = grammar.some_things(rng, table, false);
    let c = grammar.phrase(rng, table, group);
    let wordings = [
        "How many {np} are there for each {c}?",
        "Count the {np} per {c}.",
        "What is the number of {np} for each {c}?",
        "How many {np} are there by {c}?",
    ];
    let question = say(rng, &wordings, &[("np", &things.plural), ("c", &c)]);
    let column = grammar.column(table, group, false);
    let base = grammar.over(table, vec![column.clone(), "COUNT(*)".to_owned()], things.conditions);
    pair(question, &Query { group_by: Some(column), ..base })
}

pub(super) fn aggregate_per_group(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let group = grammar.some(rng, table, is_group)?;
    let aggregate = grammar.aggregate(rng, table, false)?;
    let things = grammar.some_things(rng, table, false);
    let c = grammar.phrase(rng, table, group);
    let wordings =
        ["What is the {a} of {np} for each {c}?", "Show the {a} of {np} per {c}.", "Give the {a} of {np} by {c}."];
    let question = say(rng, &wordings, &[("a", &aggregate.words), ("np", &things.plural), ("c", &c)]);
    let column = grammar.column(table, group, false);
    let base = grammar.over(table, vec![column.clone(), aggregate.sql], things.conditions);
    pair(question, &Query { group_by: Some(column), ..base })
}

pub(super) fn groups_having(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let group = grammar.some(rng, table, is_group)?;
    let things = grammar.some_things(rng, table, false);
    let c = grammar.phrase(rng, table, group);
    let bound = rng.range(2, 12).to_string();
    let wordings = [
        "Which {c} has more than {k} {np}?",
        "List each {c} with more than {k} {np}.",
        "For which {c} are there more than {k} {np}?",
    ];
    let question = say(rng, &wordings, &[("np", &things.plural), ("c", &c), ("k", &bound)]);
    let column = grammar.column(table, group, false);
    let base = grammar.over(table, vec![column.clone()], things.conditions);
    pair(question, &Query { group_by: Some(column), having: Some(format!("COUNT(*) > {bound}")), ..base })
}

pub(super) fn largest_group(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let group = grammar.some(rng, table, is_group)?;
    let things = grammar.some_things(rng, table, false);
    let c = grammar.phrase(rng, table, group);
    let most = rng.percent(75);
    let wordings = if most {
        ["Which {c} has the most {np}?", "Find the {c} with the most {np}."]
    } else {
        ["Which {c} has the fewest {np}?", "Find the {c} with the fewest {np}."]
    };
    let question = say(rng, &wordings, &[("np", &things.plural), ("c", &c)]);
    let column = grammar.column(table, group, false);
    let base = grammar.over(table, vec![column.clone()], things.conditions);
    let order_by = Some(if most { "COUNT(*) DESC" } else { "COUNT(*)" }.to_owned());
    pair(question, &Query { group_by: Some(column), order_by, limit: Some(1), ..base })
}

pub(super) fn sorted(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let table = grammar.any_table(rng);
    let shown = grammar.some(rng, table, is_shown)?;
    let column = grammar.some(rng, table, is_ordered)?;
    if shown == column {
        return None;
    }
    let things = grammar.some_things(rng, table, false);
    let down = rng.percent(50);
    let (c, d) = (grammar.phrase(rng, table, column), grammar.phrase(rng, table, shown));
    let wordings = if down {
        [
            "List the {d} of {np} by {c} from highest to lowest.",
            "Show the {d} of {np} sorted by {c} with the highest first.",
        ]
    } else {
        ["List the {d} of {np} ordered by {c}.", "Show the {d} of {np} sorted by {c} with the lowest first."]
    };
    let question = say(rng, &wordings, &[("np", &things.plural), ("c", &c), ("d", &d)]);
    let order_by = Some(format!("{}{}", grammar.column(table, column, false), if down { " DESC" } else { "" }));
    pair(
        question,
        &Query { order_by, ..grammar.over(table, vec![grammar.shown(table, shown, false)], things.conditions) },
    )
}
