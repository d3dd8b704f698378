//! Inputs that tell a function from the functions that it may be taken for.

#[cfg(test)]
mod tests;

use luthier_plugin::Rng;

use crate::Value;
use crate::grammar::Function;

/// Lists drawn before a function is given up: some mistakes cannot be told apart.
const ATTEMPTS: usize = 150;
/// Fewer cases than these say too little to a reader.
const MIN_CASES: usize = 3;

/// An input and what the function gives for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The list.
    pub items: Vec<Value>,
    /// The value.
    pub expected: Value,
}

/// The empty list, and lists until every mistaken function gives another value on at least one. `None` if that does not
/// come about, or all values are the same.
pub fn cases(function: &Function, rng: &mut Rng) -> Option<Vec<Case>> {
    let mut alive = function.mistaken();
    let near = function.literals();
    let case = |items: Vec<Value>| Case { expected: function.call(&items), items };
    let mut found = vec![case(Vec::new())];
    for _ in 0..ATTEMPTS {
        if alive.is_empty() && found.len() >= MIN_CASES {
            break;
        }
        let n_items = 3 + rng.below(3);
        let one = case((0..n_items).map(|_| function.source.item(rng, &near)).collect());
        let n_alive = alive.len();
        alive.retain(|other| other.call(&one.items).equals(&one.expected));
        if alive.len() < n_alive
            || (alive.is_empty() && found.iter().all(|other| !other.expected.equals(&one.expected)))
        {
            found.push(one);
        }
    }
    let varies = found.iter().any(|one| !one.expected.equals(&found[0].expected));
    (alive.is_empty() && varies && found.len() >= MIN_CASES).then_some(found)
}

/// `assert count_ages([1, 2]) == 1`, line by line.
pub fn assertions(name: &str, cases: &[Case]) -> String {
    let line = |case: &Case| {
        let call = format!("{name}({})", Value::List(case.items.clone()).python());
        match &case.expected {
            Value::None => format!("assert {call} is None\n"),
            Value::Bool(true) => format!("assert {call} is True\n"),
            Value::Bool(false) => format!("assert {call} is False\n"),
            other => format!("assert {call} == {}\n", other.python()),
        }
    };
    cases.iter().map(line).collect()
}
