//! The lists that functions read: numbers, words, and records of a few fields.

use luthier_plugin::Rng;

use crate::Value;

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// Values that a text field has; empty for numbers.
    pub values: &'static [&'static str],
    /// Numbers that a number field has, from and to.
    pub range: (i64, i64),
}

impl Field {
    /// Whether it holds texts.
    pub fn is_text(&self) -> bool {
        !self.values.is_empty()
    }

    fn draw(&self, rng: &mut Rng) -> Value {
        match rng.choose(self.values) {
            Some(text) => Value::Text((*text).to_owned()),
            None => Value::Int(draw_between(rng, self.range)),
        }
    }
}

/// What the items of a list are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Integers.
    Numbers,
    /// Lower-case words.
    Words,
    /// Dictionaries with these fields.
    Records(&'static [Field]),
}

/// A list and what it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The argument's name.
    pub plural: &'static str,
    /// What its items are.
    pub kind: Kind,
}

const fn number(name: &'static str, low: i64, high: i64) -> Field {
    Field { name, values: &[], range: (low, high) }
}

const fn text(name: &'static str, values: &'static [&'static str]) -> Field {
    Field { name, values, range: (0, 0) }
}

const NUMBERS: [&str; 9] = ["values", "numbers", "scores", "ages", "prices", "sizes", "points", "marks", "weights"];
const WORDS: [&str; 6] = ["words", "names", "titles", "cities", "labels", "lines"];
const RECORDS: [(&str, &[Field]); 5] = [
    ("orders", &[number("price", 1, 60), number("count", 1, 9), text("city", CITIES)]),
    ("books", &[number("year", 1950, 2020), number("pages", 50, 600), text("author", PEOPLE)]),
    ("players", &[number("score", 0, 50), number("age", 15, 40), text("team", TEAMS)]),
    ("tools", &[number("weight", 1, 40), number("price", 1, 60), text("maker", PEOPLE)]),
    ("songs", &[number("year", 1950, 2020), number("length", 60, 400), text("singer", PEOPLE)]),
];
const CITIES: &[&str] = &["oslo", "lima", "rome", "cairo"];
const PEOPLE: &[&str] = &["ann", "bob", "eve", "kim"];
const TEAMS: &[&str] = &["red", "blue", "green"];
/// Words that inputs are made of.
const VOCABULARY: [&str; 24] = [
    "apple", "banana", "cat", "door", "eagle", "forest", "garden", "hat", "island", "jar", "kite", "lemon", "moon",
    "night", "ocean", "paper", "queen", "river", "stone", "tea", "under", "violin", "water", "zebra",
];

impl Source {
    /// One of all.
    pub fn draw(rng: &mut Rng) -> Source {
        match rng.below(10) {
            0..4 => Source { plural: NUMBERS[rng.below(NUMBERS.len())], kind: Kind::Numbers },
            4..7 => Source { plural: WORDS[rng.below(WORDS.len())], kind: Kind::Words },
            _ => {
                let (plural, fields) = RECORDS[rng.below(RECORDS.len())];
                Source { plural, kind: Kind::Records(fields) }
            }
        }
    }

    /// `x`, `w` or `r`: one letter for each kind, so that a body says what it handles.
    pub fn variable(&self) -> &'static str {
        match self.kind {
            Kind::Numbers => "x",
            Kind::Words => "w",
            Kind::Records(_) => "r",
        }
    }

    /// Fields that hold texts, or numbers.
    pub fn fields(&self, texts: bool) -> Vec<&'static Field> {
        match self.kind {
            Kind::Records(fields) => fields.iter().filter(|field| field.is_text() == texts).collect(),
            Kind::Numbers | Kind::Words => Vec::new(),
        }
    }

    /// An item for a test. `near` are the literals of the function: what is close to them tells functions apart.
    pub fn item(&self, rng: &mut Rng, near: &[Value]) -> Value {
        match self.kind {
            Kind::Numbers => Value::Int(number_near(rng, near, (-20, 60))),
            Kind::Words => Value::Text(word_near(rng, near)),
            Kind::Records(fields) => Value::Dict(
                fields
                    .iter()
                    .map(|field| {
                        let value = match field.draw(rng) {
                            Value::Int(_) => Value::Int(number_near(rng, near, field.range)),
                            text => text,
                        };
                        (field.name.to_owned(), value)
                    })
                    .collect(),
            ),
        }
    }
}

fn draw_between(rng: &mut Rng, (low, high): (i64, i64)) -> i64 {
    low + rng.below((high - low + 1).max(1) as usize) as i64
}

/// Half of the time a literal, its neighbor or a multiple of it; else any number.
fn number_near(rng: &mut Rng, near: &[Value], range: (i64, i64)) -> i64 {
    let numbers: Vec<i64> = near
        .iter()
        .filter_map(|value| match value {
            Value::Int(number) if (range.0 - 1..=range.1 + 1).contains(number) => Some(*number),
            _ => None,
        })
        .collect();
    match rng.choose(&numbers) {
        Some(number) if rng.chance(0.5) => match rng.below(4) {
            0 => number - 1,
            1 => *number,
            2 => number + 1,
            _ => number * 2,
        },
        _ => draw_between(rng, range),
    }
}

/// A word; half of the time one that a literal's letters are put into.
fn word_near(rng: &mut Rng, near: &[Value]) -> String {
    let word = VOCABULARY[rng.below(VOCABULARY.len())];
    let pieces: Vec<&str> = near
        .iter()
        .filter_map(|value| match value {
            Value::Text(piece) => Some(piece.as_str()),
            _ => None,
        })
        .collect();
    let length = near.iter().find_map(|value| match value {
        Value::Int(length) if (1..12).contains(length) => Some(*length as usize),
        _ => None,
    });
    match (rng.choose(&pieces), length) {
        (Some(piece), _) if rng.chance(0.5) => match rng.below(3) {
            0 => format!("{piece}{word}"),
            1 => format!("{word}{piece}"),
            _ => format!("{}{piece}{}", &word[..1], &word[1..]),
        },
        (_, Some(length)) if rng.chance(0.5) => {
            let wanted = (length + rng.below(3)).saturating_sub(1).max(1);
            word.chars().cycle().take(wanted).collect()
        }
        _ => word.to_owned(),
    }
}
