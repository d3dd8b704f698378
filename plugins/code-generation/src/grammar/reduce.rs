//! What becomes of all items that count.

use luthier_plugin::Rng;

use super::change::field_of;
use super::condition;
use super::source::{Field, Kind, Source};
use super::{Change, Condition, Function};
use crate::Value;
use crate::value::quoted;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reduce {
    /// A list of them.
    List,
    /// In ascending order.
    Sorted,
    /// In descending order.
    Descending,
    /// How many there are.
    Count,
    /// Their sum.
    Sum,
    /// The largest, or `None`.
    Largest,
    /// The smallest, or `None`.
    Smallest,
    /// How many different ones there are.
    Distinct,
    /// The first, or `None`.
    First,
    /// Whether the first condition holds for any of those that meet the second.
    Any,
    /// Whether it holds for all of them.
    All,
    /// Texts, joined.
    Joined(&'static str),
    /// How often each value of a field occurs.
    Tally(&'static Field),
    /// The sum of one field for each value of another.
    Total(&'static Field, &'static Field),
}

impl Reduce {
    /// One that such items allow.
    pub fn draw(rng: &mut Rng, source: &Source) -> Reduce {
        let texts = source.fields(true);
        let numbers = source.fields(false);
        if let (Some(key), Some(value), true) = (rng.choose(&texts), rng.choose(&numbers), rng.chance(0.3)) {
            return if rng.chance(0.5) { Reduce::Tally(key) } else { Reduce::Total(key, value) };
        }
        match rng.below(12) {
            0 | 1 => Reduce::List,
            2 => Reduce::Sorted,
            3 => Reduce::Descending,
            4 => Reduce::Count,
            5 => Reduce::Sum,
            6 => Reduce::Largest,
            7 => Reduce::Smallest,
            8 => Reduce::Distinct,
            9 => Reduce::First,
            10 if rng.chance(0.5) => Reduce::Any,
            10 => Reduce::All,
            _ => match source.kind {
                Kind::Words => Reduce::Joined(["-", ", ", "/"][rng.below(3)]),
                _ => Reduce::Sum,
            },
        }
    }

    /// Whether items may be changed before it.
    pub fn changes(&self) -> bool {
        !matches!(self, Reduce::Count | Reduce::Any | Reduce::All | Reduce::Tally(_) | Reduce::Total(..))
    }

    /// Whether it can be applied.
    pub fn takes(&self, source: &Source, change: &Change, n_conditions: usize) -> bool {
        let is_record = matches!(source.kind, Kind::Records(_)) && *change == Change::Itself;
        match self {
            Reduce::List | Reduce::First => true,
            Reduce::Sorted | Reduce::Descending | Reduce::Largest | Reduce::Smallest | Reduce::Distinct => !is_record,
            Reduce::Sum => change.gives_numbers(source),
            Reduce::Joined(_) => !is_record && !change.gives_numbers(source),
            Reduce::Count | Reduce::Any | Reduce::All => n_conditions > 0,
            Reduce::Tally(_) | Reduce::Total(..) => true,
        }
    }

    /// First part of the function's name.
    pub fn verb(&self) -> &'static str {
        match self {
            Reduce::List => "select",
            Reduce::Sorted => "sort",
            Reduce::Descending => "rank",
            Reduce::Count => "count",
            Reduce::Sum => "sum",
            Reduce::Largest => "largest",
            Reduce::Smallest => "smallest",
            Reduce::Distinct => "distinct",
            Reduce::First => "first",
            Reduce::Any => "any",
            Reduce::All => "all",
            Reduce::Joined(_) => "join",
            Reduce::Tally(_) => "tally",
            Reduce::Total(..) => "total",
        }
    }

    /// What a careless reader may take it for.
    pub fn mistaken(&self) -> Vec<Reduce> {
        match self {
            Reduce::List => vec![Reduce::Sorted],
            Reduce::Sorted => vec![Reduce::Descending, Reduce::List],
            Reduce::Descending => vec![Reduce::Sorted, Reduce::List],
            Reduce::Largest => vec![Reduce::Smallest, Reduce::First],
            Reduce::Smallest => vec![Reduce::Largest, Reduce::First],
            Reduce::First => vec![Reduce::Largest, Reduce::Smallest],
            Reduce::Any => vec![Reduce::All],
            Reduce::All => vec![Reduce::Any],
            Reduce::Tally(_)
            | Reduce::Total(..)
            | Reduce::Count
            | Reduce::Sum
            | Reduce::Distinct
            | Reduce::Joined(_) => Vec::new(),
        }
    }

    pub(super) fn sentence(&self, function: &Function) -> String {
        let things = function.things();
        match self {
            Reduce::List => format!("Return a list of {things}."),
            Reduce::Sorted => format!("Return {things}, in ascending order."),
            Reduce::Descending => format!("Return {things}, in descending order."),
            Reduce::Count => format!("Return how many {}.", counted(function)),
            Reduce::Sum => format!("Return the sum of {things}."),
            Reduce::Largest => format!("Return the largest of {things}, or None."),
            Reduce::Smallest => format!("Return the smallest of {things}, or None."),
            Reduce::Distinct => format!("Return how many different values there are among {things}."),
            Reduce::First => format!("Return the first of {things}, or None."),
            Reduce::Any => format!("Return whether any of {}.", asked(function)),
            Reduce::All => format!("Return whether all of {}.", asked(function)),
            Reduce::Joined(between) => format!("Return {things}, joined by {}.", quoted(between)),
            Reduce::Tally(key) => {
                let (plural, selection) = (function.source.plural, function.selection());
                format!("Return how many of the {plural}{selection} there are for each {}.", key.name)
            }
            Reduce::Total(key, value) => {
                let (plural, selection) = (function.source.plural, function.selection());
                format!("Return the sum of {} of the {plural}{selection} for each {}.", value.name, key.name)
            }
        }
    }

    pub(super) fn body(&self, function: &Function) -> Vec<String> {
        let items = function.comprehension();
        let one = |line: String| vec![line];
        match self {
            Reduce::List => one(format!("return [{items}]")),
            Reduce::Sorted => one(format!("return sorted({items})")),
            Reduce::Descending => one(format!("return sorted([{items}], reverse=True)")),
            Reduce::Count => {
                one(format!("return sum(1 for {}", items.split_once(" for ").map_or("", |(_, rest)| rest)) + ")")
            }
            Reduce::Sum => one(format!("return sum({items})")),
            Reduce::Largest => one(format!("return max([{items}], default=None)")),
            Reduce::Smallest => one(format!("return min([{items}], default=None)")),
            Reduce::Distinct => one(format!("return len(set({items}))")),
            Reduce::First => one(format!("return next(({items}), None)")),
            Reduce::Any => one(format!("return any({})", questioned(function))),
            Reduce::All => one(format!("return all({})", questioned(function))),
            Reduce::Joined(between) => one(format!("return {}.join({items})", quoted(between))),
            Reduce::Tally(key) => grouped(function, "counts", key, "1"),
            Reduce::Total(key, value) => grouped(function, "totals", key, &format!("r[{}]", quoted(value.name))),
        }
    }

    pub(super) fn evaluate(&self, function: &Function, items: &[Value]) -> Value {
        let changed = || -> Vec<Value> { function.selected(items).map(|item| function.change.apply(item)).collect() };
        match self {
            Reduce::List => Value::List(changed()),
            Reduce::Sorted | Reduce::Descending => {
                let mut values = changed();
                values.sort();
                if *self == Reduce::Descending {
                    values.reverse();
                }
                Value::List(values)
            }
            Reduce::Count => Value::Int(function.selected(items).count() as i64),
            Reduce::Sum => Value::Int(changed().iter().map(integer).sum()),
            Reduce::Largest => changed().into_iter().max().unwrap_or(Value::None),
            Reduce::Smallest => changed().into_iter().min().unwrap_or(Value::None),
            Reduce::First => changed().into_iter().next().unwrap_or(Value::None),
            Reduce::Distinct => {
                let mut values = changed();
                values.sort();
                values.dedup();
                Value::Int(values.len() as i64)
            }
            Reduce::Any | Reduce::All => {
                let (first, rest) = split(&function.conditions);
                let mut asked = items.iter().filter(|item| rest.iter().all(|condition| condition.holds(item)));
                let holds = |item: &Value| first.is_none_or(|condition| condition.holds(item));
                Value::Bool(if *self == Reduce::Any { asked.any(holds) } else { asked.all(holds) })
            }
            Reduce::Joined(between) => {
                let texts: Vec<String> = changed().into_iter().map(text).collect();
                Value::Text(texts.join(between))
            }
            Reduce::Tally(key) => grouped_values(function, items, key, |_| 1),
            Reduce::Total(key, value) => grouped_values(function, items, key, |item| integer(&field_of(item, value))),
        }
    }
}

/// The condition that is asked about, and those that select.
fn split(conditions: &[Condition]) -> (Option<&Condition>, &[Condition]) {
    conditions.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest))
}

/// `the ages that are at least 7 are even`
fn asked(function: &Function) -> String {
    let (first, rest) = split(&function.conditions);
    let is_record = matches!(function.source.kind, Kind::Records(_));
    let lead = if is_record { "whose" } else { "that" };
    let selection = condition::words(rest, function.junction, &function.source);
    let first = first.and_then(|first| condition::joined(std::slice::from_ref(first), function.junction, lead));
    let first = first.unwrap_or_default();
    let first = match first.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u') if is_record => format!("have an {}", first.replacen(" is ", " that is ", 1)),
        Some(_) if is_record => format!("have a {}", first.replacen(" is ", " that is ", 1)),
        _ => first,
    };
    format!("the {}{selection} {first}", function.source.plural)
}

/// `ages are even`, `orders there are whose price is at least 7`
fn counted(function: &Function) -> String {
    let plural = function.source.plural;
    match function.source.kind {
        Kind::Records(_) => format!("{plural} there are{}", function.selection()),
        _ => {
            let predicate = condition::joined(&function.conditions, function.junction, "that").unwrap_or_default();
            format!("{plural} {predicate}")
        }
    }
}

/// `x % 2 == 0 for x in ages if x >= 7`
fn questioned(function: &Function) -> String {
    let (first, rest) = split(&function.conditions);
    let selecting = Function { conditions: rest.to_vec(), ..function.clone() };
    selecting.comprehension_of(&first.map(|first| first.python(&function.source)).unwrap_or_default())
}

/// A dictionary that is filled in a loop.
fn grouped(function: &Function, name: &str, key: &Field, add: &str) -> Vec<String> {
    let key = format!("r[{}]", quoted(key.name));
    let test = condition::python(&function.conditions, function.junction, &function.source);
    let step = format!("{name}[{key}] = {name}.get({key}, 0) + {add}");
    let mut lines = vec![format!("{name} = {{}}"), format!("for r in {}:", function.source.plural)];
    if test.is_empty() {
        lines.push(format!("    {step}"));
    } else {
        lines.push(format!("    if {test}:"));
        lines.push(format!("        {step}"));
    }
    lines.push(format!("return {name}"));
    lines
}

fn grouped_values(function: &Function, items: &[Value], key: &Field, add: impl Fn(&Value) -> i64) -> Value {
    let mut groups: Vec<(String, Value)> = Vec::new();
    for item in function.selected(items) {
        let name = text(field_of(item, key));
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, value)) => *value = Value::Int(integer(value) + add(item)),
            None => groups.push((name, Value::Int(add(item)))),
        }
    }
    Value::Dict(groups)
}

fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(number) => *number,
        _ => 0,
    }
}

fn text(value: Value) -> String {
    match value {
        Value::Text(text) => text,
        other => other.python(),
    }
}
