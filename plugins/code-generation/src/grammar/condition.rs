//! Which items of a list count.

use luthier_plugin::Rng;

use super::source::{Field, Kind, Source};
use crate::Value;
use crate::value::quoted;

/// What is asked of a number or a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// `x % 2 == 0`
    Even,
    /// `x % 2 == 1`
    Odd,
    /// `x > n`
    Above(i64),
    /// `x < n`
    Below(i64),
    /// `x >= n`
    AtLeast(i64),
    /// `x <= n`
    AtMost(i64),
    /// `x % n == 0`
    Divisible(i64),
    /// `low <= x <= high`
    Between(i64, i64),
    /// `w.startswith("a")`
    Starts(String),
    /// `w.endswith("a")`
    Ends(String),
    /// `"a" in w`
    Contains(String),
    /// `len(w) > n`
    Longer(i64),
    /// `len(w) < n`
    Shorter(i64),
    /// `r["city"] == "oslo"`
    Is(String),
    /// `r["city"] != "oslo"`
    IsNot(String),
}

/// A test of an item, or of a field of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Of records, the field.
    pub field: Option<&'static Field>,
    /// What is asked.
    pub test: Test,
}

/// How two conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Junction {
    /// Both hold.
    And,
    /// At least one holds.
    Or,
}

impl Junction {
    fn word(self) -> &'static str {
        match self {
            Junction::And => "and",
            Junction::Or => "or",
        }
    }
}

const LETTERS: [&str; 12] = ["a", "b", "c", "e", "g", "m", "n", "o", "p", "r", "s", "t"];

impl Condition {
    /// A condition that such items can meet or miss.
    pub fn draw(rng: &mut Rng, source: &Source) -> Condition {
        match source.kind {
            Kind::Numbers => Condition { field: None, test: of_numbers(rng, (2, 50)) },
            Kind::Words => Condition { field: None, test: of_words(rng) },
            Kind::Records(fields) => {
                let field = &fields[rng.below(fields.len())];
                let test = match rng.choose(field.values) {
                    Some(value) if rng.chance(0.7) => Test::Is((*value).to_owned()),
                    Some(value) => Test::IsNot((*value).to_owned()),
                    None => of_fields(rng, field.range),
                };
                Condition { field: Some(field), test }
            }
        }
    }

    /// Two conditions that contradict or repeat each other.
    pub fn is_about_the_same_as(&self, other: &Condition) -> bool {
        self.field == other.field && self.aspect() == other.aspect()
    }

    /// What of an item is looked at.
    fn aspect(&self) -> u8 {
        match self.test {
            Test::Even | Test::Odd | Test::Divisible(_) => 0,
            Test::Above(_) | Test::Below(_) | Test::AtLeast(_) | Test::AtMost(_) | Test::Between(..) => 1,
            Test::Starts(_) => 2,
            Test::Ends(_) => 3,
            Test::Contains(_) => 4,
            Test::Longer(_) | Test::Shorter(_) => 5,
            Test::Is(_) | Test::IsNot(_) => 6,
        }
    }

    /// Numbers and texts in it.
    pub fn literals(&self) -> Vec<Value> {
        match &self.test {
            Test::Even | Test::Odd => vec![Value::Int(2)],
            Test::Above(n) | Test::Below(n) | Test::AtLeast(n) | Test::AtMost(n) | Test::Divisible(n) => {
                vec![Value::Int(*n)]
            }
            Test::Longer(n) | Test::Shorter(n) => vec![Value::Int(*n)],
            Test::Between(low, high) => vec![Value::Int(*low), Value::Int(*high)],
            Test::Starts(text) | Test::Ends(text) | Test::Contains(text) => vec![Value::Text(text.clone())],
            Test::Is(_) | Test::IsNot(_) => Vec::new(),
        }
    }

    /// Conditions that a careless reader may take it for.
    pub fn mistaken(&self) -> Vec<Condition> {
        let tests = match &self.test {
            Test::Even => vec![Test::Odd],
            Test::Odd => vec![Test::Even],
            Test::Above(n) => vec![Test::AtLeast(*n), Test::Below(*n), Test::Above(n + 1)],
            Test::Below(n) => vec![Test::AtMost(*n), Test::Above(*n), Test::Below(n - 1)],
            Test::AtLeast(n) => vec![Test::Above(*n), Test::AtMost(*n), Test::AtLeast(n - 1)],
            Test::AtMost(n) => vec![Test::Below(*n), Test::AtLeast(*n), Test::AtMost(n + 1)],
            Test::Divisible(n) => vec![Test::Divisible(n + 1)],
            Test::Between(low, high) => vec![Test::Between(low + 1, *high), Test::Between(*low, high - 1)],
            Test::Starts(text) => vec![Test::Ends(text.clone()), Test::Contains(text.clone())],
            Test::Ends(text) => vec![Test::Starts(text.clone()), Test::Contains(text.clone())],
            Test::Contains(text) => vec![Test::Starts(text.clone()), Test::Ends(text.clone())],
            Test::Longer(n) => vec![Test::Longer(n - 1), Test::Shorter(*n), Test::Longer(n + 1)],
            Test::Shorter(n) => vec![Test::Shorter(n + 1), Test::Longer(*n), Test::Shorter(n - 1)],
            Test::Is(text) => vec![Test::IsNot(text.clone())],
            Test::IsNot(text) => vec![Test::Is(text.clone())],
        };
        tests.into_iter().map(|test| Condition { field: self.field, test }).collect()
    }

    /// Whether it holds for an item.
    pub fn holds(&self, item: &Value) -> bool {
        match (self.field, item) {
            (Some(field), Value::Dict(entries)) => {
                entries.iter().find(|(key, _)| key == field.name).is_some_and(|(_, value)| self.test.holds(value))
            }
            (Some(_), _) => false,
            (None, item) => self.test.holds(item),
        }
    }

    /// `are even`, `start with "b"`, `price is above 20`.
    fn words(&self) -> String {
        let plural = self.field.is_none();
        let be = if plural { "are" } else { "is" };
        let words = match &self.test {
            Test::Even => format!("{be} even"),
            Test::Odd => format!("{be} odd"),
            Test::Above(n) => format!("{be} greater than {n}"),
            Test::Below(n) => format!("{be} less than {n}"),
            Test::AtLeast(n) => format!("{be} at least {n}"),
            Test::AtMost(n) => format!("{be} at most {n}"),
            Test::Divisible(n) => format!("{be} divisible by {n}"),
            Test::Between(low, high) => format!("{be} from {low} to {high}"),
            Test::Starts(text) => format!("start with {}", quoted(text)),
            Test::Ends(text) => format!("end with {}", quoted(text)),
            Test::Contains(text) => format!("contain {}", quoted(text)),
            Test::Longer(n) => format!("have more than {n} letters"),
            Test::Shorter(n) => format!("have fewer than {n} letters"),
            Test::Is(text) => format!("{be} {}", quoted(text)),
            Test::IsNot(text) => format!("{be} not {}", quoted(text)),
        };
        self.field.map_or_else(|| words.clone(), |field| format!("{} {words}", field.name))
    }

    /// The expression.
    pub fn python(&self, source: &Source) -> String {
        let x = match self.field {
            Some(field) => format!("{}[{}]", source.variable(), quoted(field.name)),
            None => source.variable().to_owned(),
        };
        match &self.test {
            Test::Even => format!("{x} % 2 == 0"),
            Test::Odd => format!("{x} % 2 == 1"),
            Test::Above(n) => format!("{x} > {n}"),
            Test::Below(n) => format!("{x} < {n}"),
            Test::AtLeast(n) => format!("{x} >= {n}"),
            Test::AtMost(n) => format!("{x} <= {n}"),
            Test::Divisible(n) => format!("{x} % {n} == 0"),
            Test::Between(low, high) => format!("{low} <= {x} <= {high}"),
            Test::Starts(text) => format!("{x}.startswith({})", quoted(text)),
            Test::Ends(text) => format!("{x}.endswith({})", quoted(text)),
            Test::Contains(text) => format!("{} in {x}", quoted(text)),
            Test::Longer(n) => format!("len({x}) > {n}"),
            Test::Shorter(n) => format!("len({x}) < {n}"),
            Test::Is(text) => format!("{x} == {}", quoted(text)),
            Test::IsNot(text) => format!("{x} != {}", quoted(text)),
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match (self, value) {
            // Python's remainder takes the sign of the divisor.
            (Test::Even, Value::Int(x)) => x.rem_euclid(2) == 0,
            (Test::Odd, Value::Int(x)) => x.rem_euclid(2) == 1,
            (Test::Above(n), Value::Int(x)) => x > n,
            (Test::Below(n), Value::Int(x)) => x < n,
            (Test::AtLeast(n), Value::Int(x)) => x >= n,
            (Test::AtMost(n), Value::Int(x)) => x <= n,
            (Test::Divisible(n), Value::Int(x)) => x.rem_euclid(*n) == 0,
            (Test::Between(low, high), Value::Int(x)) => (low..=high).contains(&x),
            (Test::Starts(text), Value::Text(word)) => word.starts_with(text.as_str()),
            (Test::Ends(text), Value::Text(word)) => word.ends_with(text.as_str()),
            (Test::Contains(text), Value::Text(word)) => word.contains(text.as_str()),
            (Test::Longer(n), Value::Text(word)) => word.chars().count() as i64 > *n,
            (Test::Shorter(n), Value::Text(word)) => (word.chars().count() as i64) < *n,
            (Test::Is(text), Value::Text(word)) => word == text,
            (Test::IsNot(text), Value::Text(word)) => word != text,
            _ => false,
        }
    }
}

fn of_numbers(rng: &mut Rng, range: (i64, i64)) -> Test {
    match rng.below(8) {
        0 => Test::Even,
        1 => Test::Odd,
        2 => Test::Divisible(3 + rng.below(7) as i64),
        3 => {
            let low = 1 + rng.below(20) as i64;
            Test::Between(low, low + 5 + rng.below(20) as i64)
        }
        _ => of_fields(rng, range),
    }
}

/// Comparisons with a number.
fn of_fields(rng: &mut Rng, (low, high): (i64, i64)) -> Test {
    let n = low + 1 + rng.below((high - low - 1).max(1) as usize) as i64;
    match rng.below(4) {
        0 => Test::Above(n),
        1 => Test::Below(n),
        2 => Test::AtLeast(n),
        _ => Test::AtMost(n),
    }
}

fn of_words(rng: &mut Rng) -> Test {
    let letter = LETTERS[rng.below(LETTERS.len())].to_owned();
    let n = 3 + rng.below(5) as i64;
    match rng.below(5) {
        0 => Test::Starts(letter),
        1 => Test::Ends(letter),
        2 => Test::Contains(letter),
        3 => Test::Longer(n),
        _ => Test::Shorter(n),
    }
}

/// ` that are even and greater than 7`, ` whose price is above 20`; empty without conditions.
pub(super) fn words(conditions: &[Condition], junction: Junction, source: &Source) -> String {
    let lead = if matches!(source.kind, Kind::Records(_)) { "whose" } else { "that" };
    joined(conditions, junction, lead).map_or_else(String::new, |words| format!(" {lead} {words}"))
}

/// The same as a sentence's end: `are even and greater than 7`.
pub(super) fn joined(conditions: &[Condition], junction: Junction, lead: &str) -> Option<String> {
    let mut words = conditions.iter().map(Condition::words);
    let first = words.next()?;
    let Some(second) = words.next() else { return Some(first) };
    let second = if lead == "whose" { format!("whose {second}") } else { second };
    let second = match (first.starts_with("are "), second.strip_prefix("are ")) {
        (true, Some(rest)) => rest.to_owned(),
        _ => second,
    };
    Some(format!("{first} {} {second}", junction.word()))
}

/// The expression of all conditions; empty without any.
pub(super) fn python(conditions: &[Condition], junction: Junction, source: &Source) -> String {
    let parts: Vec<String> = conditions.iter().map(|condition| condition.python(source)).collect();
    parts.join(&format!(" {} ", junction.word()))
}
