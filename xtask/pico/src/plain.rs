//! Plain instructions with answers that can be computed, and a few definitions.

use luthier_text_to_sql::Rng;
use luthier_text_to_sql::words::plural;

use super::corpus::{Piece, assistant, user};
use super::lexicon::{NOUNS, capitalized, pseudo_word};

const DEFINITIONS: &[(&str, &str)] = &[
    ("a triangle", "A triangle is a shape with three sides."),
    ("a database", "A database is an organized collection of data."),
    ("a row", "A row is one entry of a table."),
    ("a column", "A column holds one kind of value for every row of a table."),
    ("a primary key", "A primary key is a column whose value identifies a row."),
    ("a foreign key", "A foreign key is a column that points at a row of another table."),
    ("a join", "A join combines the rows of two tables."),
    ("SQL", "SQL is a language for asking questions of a database."),
    ("a function", "A function is a named piece of a program that takes arguments and returns a value."),
    ("a loop", "A loop repeats a piece of a program."),
    ("a list", "A list is a sequence of values."),
    ("an average", "An average is the sum of some values divided by their number."),
    ("a century", "A century is a period of one hundred years."),
    ("a leap year", "A leap year is a year of 366 days."),
];

/// Question and answer.
pub(super) fn document(rng: &mut Rng) -> Vec<Piece> {
    let (question, answer) = exchange(rng);
    let [question] = user(&question);
    vec![question, assistant(&answer, true)]
}

fn word(rng: &mut Rng) -> String {
    let nouns: Vec<&str> = NOUNS.split_whitespace().collect();
    if rng.percent(60) { (*rng.pick(&nouns)).to_owned() } else { pseudo_word(rng) }
}

fn exchange(rng: &mut Rng) -> (String, String) {
    let (a, b) = (rng.range(1, 40), rng.range(1, 40));
    let (w, v) = (word(rng), word(rng));
    match rng.below(10) {
        0 => (format!("What is {a} plus {b}?"), (a + b).to_string()),
        1 => (format!("What is {} minus {b}?", a + b), a.to_string()),
        2 => (format!("Which number is larger, {a} or {b}?"), a.max(b).to_string()),
        3 => (format!("Write the word \"{w}\" in capital letters."), w.to_uppercase()),
        4 => (format!("Capitalize the word \"{w}\"."), capitalized(&w)),
        5 => (format!("What is the plural of \"{w}\"?"), plural(&w)),
        6 => (format!("Join the words \"{w}\" and \"{v}\" with an underscore."), format!("{w}_{v}")),
        7 => (format!("Repeat after me: {w} {v}"), format!("{w} {v}")),
        8 => (format!("What is the first letter of \"{w}\"?"), w.chars().take(1).collect()),
        _ => {
            let (thing, sentence) = *rng.pick(DEFINITIONS);
            (format!("What is {thing}?"), sentence.to_owned())
        }
    }
}
