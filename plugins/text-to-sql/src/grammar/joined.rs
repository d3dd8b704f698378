//! Questions that join tables along foreign keys, child first.

use super::{Grammar, Pair, is_group, is_shown, pair, say};
use crate::Rng;
use crate::schema::Link;
use crate::sql::Query;
use crate::vocabulary::Role;

/// Words between a child and its parent.
const OF: &[&str] = &["of", "from", "belonging to"];

fn relation(rng: &mut Rng) -> &'static str {
    OF[rng.weighted(&[60, 25, 15])]
}

/// What a parent is grouped and named by: its label, or one of its categories.
fn parent_key(grammar: &Grammar<'_>, rng: &mut Rng, link: Link) -> Option<(String, String)> {
    let column = grammar.some(rng, link.parent, |role| is_group(role) || role == Role::Label)?;
    let noun = &grammar.words.tables[link.parent].nouns[0].singular;
    let phrase = grammar.phrase(rng, link.parent, column);
    let words = if Some(column) == grammar.label(link.parent) { noun.clone() } else { format!("{noun} {phrase}") };
    Some((grammar.column(link.parent, column, true), words))
}

fn all(first: Vec<String>, second: Vec<String>) -> Vec<String> {
    first.into_iter().chain(second).collect()
}

/// A column of the children of filtered parents.
pub(super) fn list(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let column = grammar.some(rng, link.child, is_shown)?;
    let n_child_filters = rng.below(6) / 5;
    let (children, parents) =
        (grammar.things(rng, link.child, n_child_filters, true), grammar.things(rng, link.parent, 1, true));
    let c = grammar.phrase(rng, link.child, column);
    let wordings = [
        "What is the {c} of {kids} {of} {np}?",
        "List the {c} of all {kids} {of} {np}.",
        "Show the {c} of {kids} {of} {np}.",
    ];
    let of = relation(rng);
    let question = say(rng, &wordings, &[("c", &c), ("kids", &children.plural), ("of", of), ("np", &parents.plural)]);
    let select = vec![grammar.shown(link.child, column, true)];
    pair(question, &Query { select, filters: all(children.conditions, parents.conditions), ..grammar.join(link) })
}

/// A column of the child beside the parent's label.
pub(super) fn list_both(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let column = grammar.some(rng, link.child, is_shown)?;
    let label = grammar.label(link.parent)?;
    let children = grammar.some_things(rng, link.child, true);
    let parent_scope = grammar.things(rng, link.parent, 0, true);
    let (c, d) = (grammar.phrase(rng, link.child, column), grammar.phrase(rng, link.parent, label));
    let wordings = [
        "Show the {c} of {kids} and the {d} of their {one}.",
        "List the {c} of {kids} together with the {one} {d}.",
        "For {kids}, give the {c} and the {one} {d}.",
    ];
    let question =
        say(rng, &wordings, &[("c", &c), ("d", &d), ("kids", &children.plural), ("one", &parent_scope.singular)]);
    let select = vec![grammar.shown(link.child, column, true), grammar.column(link.parent, label, true)];
    pair(question, &Query { select, filters: all(children.conditions, parent_scope.conditions), ..grammar.join(link) })
}

pub(super) fn count(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let n_child_filters = rng.below(4) / 3;
    let (children, parents) =
        (grammar.things(rng, link.child, n_child_filters, true), grammar.things(rng, link.parent, 1, true));
    let wordings = [
        "How many {kids} {of} {np} are there?",
        "Count the {kids} {of} {np}.",
        "What is the number of {kids} {of} {np}?",
        "How many {kids} belong to {np}?",
    ];
    let of = relation(rng);
    let question = say(rng, &wordings, &[("kids", &children.plural), ("of", of), ("np", &parents.plural)]);
    let filters = all(children.conditions, parents.conditions);
    pair(question, &Query { select: vec!["COUNT(*)".to_owned()], filters, ..grammar.join(link) })
}

pub(super) fn aggregate(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let aggregate = grammar.aggregate(rng, link.child, true)?;
    let n_child_filters = rng.below(5) / 4;
    let (children, parents) =
        (grammar.things(rng, link.child, n_child_filters, true), grammar.things(rng, link.parent, 1, true));
    let wordings = [
        "What is the {a} of {kids} {of} {np}?",
        "Find the {a} of all {kids} {of} {np}.",
        "Give the {a} of {kids} {of} {np}.",
    ];
    let of = relation(rng);
    let question = say(
        rng,
        &wordings,
        &[("a", &aggregate.words), ("kids", &children.plural), ("of", of), ("np", &parents.plural)],
    );
    pair(
        question,
        &Query {
            select: vec![aggregate.sql],
            filters: all(children.conditions, parents.conditions),
            ..grammar.join(link)
        },
    )
}

pub(super) fn count_per_parent(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let children = grammar.some_things(rng, link.child, true);
    let parent_scope = grammar.things(rng, link.parent, 0, true);
    let (key, words) = parent_key(grammar, rng, link)?;
    let wordings = [
        "How many {kids} are there for each {one}?",
        "Count the {kids} per {one}.",
        "How many {kids} does each {one} have?",
    ];
    let question = say(rng, &wordings, &[("kids", &children.plural), ("one", &words)]);
    let select = vec![key.clone(), "COUNT(*)".to_owned()];
    let filters = all(children.conditions, parent_scope.conditions);
    pair(question, &Query { select, filters, group_by: Some(key), ..grammar.join(link) })
}

pub(super) fn aggregate_per_parent(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let aggregate = grammar.aggregate(rng, link.child, true)?;
    let children = grammar.some_things(rng, link.child, true);
    let parent_scope = grammar.things(rng, link.parent, 0, true);
    let (key, words) = parent_key(grammar, rng, link)?;
    let wordings = [
        "What is the {a} of {kids} for each {one}?",
        "Show the {a} of {kids} per {one}.",
        "Give the {a} of {kids} by {one}.",
    ];
    let question = say(rng, &wordings, &[("a", &aggregate.words), ("kids", &children.plural), ("one", &words)]);
    let select = vec![key.clone(), aggregate.sql];
    let filters = all(children.conditions, parent_scope.conditions);
    pair(question, &Query { select, filters, group_by: Some(key), ..grammar.join(link) })
}

/// The parent with the most children, or with the largest aggregate over them.
pub(super) fn busiest_parent(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let counted = rng.percent(60);
    let n_filters = usize::from(rng.percent(40));
    let children = grammar.things(rng, link.child, n_filters, true);
    let parent_scope = grammar.things(rng, link.parent, 0, true);
    let (key, words) = parent_key(grammar, rng, link)?;
    let aggregate = grammar.aggregate(rng, link.child, true);
    let (question, measured) = match aggregate.filter(|_| !counted) {
        Some(aggregate) => {
            let wordings =
                ["Which {one} has the highest {a} of {kids}?", "Find the {one} with the highest {a} of {kids}."];
            (
                say(rng, &wordings, &[("one", &words), ("a", &aggregate.words), ("kids", &children.plural)]),
                aggregate.sql,
            )
        }
        None => {
            let wordings = ["Which {one} has the most {kids}?", "Find the {one} with the most {kids}."];
            (say(rng, &wordings, &[("one", &words), ("kids", &children.plural)]), "COUNT(*)".to_owned())
        }
    };
    let filters = all(children.conditions, parent_scope.conditions);
    let base = Query { select: vec![key.clone()], filters, group_by: Some(key), ..grammar.join(link) };
    pair(question, &Query { order_by: Some(format!("{measured} DESC")), limit: Some(1), ..base })
}

pub(super) fn parents_having(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let link = grammar.link(rng)?;
    let n_filters = usize::from(rng.percent(40));
    let children = grammar.things(rng, link.child, n_filters, true);
    let parent_scope = grammar.things(rng, link.parent, 0, true);
    let (key, words) = parent_key(grammar, rng, link)?;
    let bound = rng.range(2, 12).to_string();
    let wordings = ["Which {one} has more than {k} {kids}?", "List each {one} with more than {k} {kids}."];
    let question = say(rng, &wordings, &[("one", &words), ("k", &bound), ("kids", &children.plural)]);
    let filters = all(children.conditions, parent_scope.conditions);
    let base = Query { select: vec![key.clone()], filters, group_by: Some(key), ..grammar.join(link) };
    pair(question, &Query { having: Some(format!("COUNT(*) > {bound}")), ..base })
}

/// Grandchildren of filtered grandparents: counted or aggregated over two joins.
pub(super) fn two_hops(grammar: &Grammar<'_>, rng: &mut Rng) -> Option<Pair> {
    let lower = grammar.link(rng)?;
    let uppers: Vec<Link> =
        grammar.links.iter().filter(|link| link.child == lower.parent && link.parent != lower.child).copied().collect();
    let upper = *rng.choose(&uppers)?;
    let children = grammar.things(rng, lower.child, 0, true);
    let middle = grammar.things(rng, lower.parent, 0, true);
    let parents = grammar.things(rng, upper.parent, 1, true);
    let aggregate = grammar.aggregate(rng, lower.child, true).filter(|_| rng.percent(50));
    let slots = |a: &str| {
        [
            ("a", a.to_owned()),
            ("kids", children.plural.clone()),
            ("mid", middle.plural.clone()),
            ("np", parents.plural.clone()),
        ]
    };
    let (question, select) = match aggregate {
        Some(aggregate) => {
            (fill_two(rng, &["What is the {a} of {kids} of {mid} from {np}?"], &slots(&aggregate.words)), aggregate.sql)
        }
        None => (
            fill_two(
                rng,
                &["How many {kids} of {mid} from {np} are there?", "Count the {kids} of {mid} from {np}."],
                &slots(""),
            ),
            "COUNT(*)".to_owned(),
        ),
    };
    let mut query = grammar.join(lower);
    query.joins.push((grammar.table(upper.parent), grammar.on(upper)));
    query.select = vec![select];
    query.filters = all(all(children.conditions, middle.conditions), parents.conditions);
    pair(question, &query)
}

fn fill_two(rng: &mut Rng, wordings: &[&str], slots: &[(&str, String)]) -> String {
    let slots: Vec<(&str, &str)> = slots.iter().map(|(slot, words)| (*slot, words.as_str())).collect();
    say(rng, wordings, &slots)
}
