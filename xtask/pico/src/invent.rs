//! Invents schemas: two to five tables of random things, in one naming style per schema, with the
//! words people use for them and values to quote. A share of them are *houses*: cryptic names,
//! code letters, cents, integer dates and silent scopes that only earlier turns give away.

#[cfg(test)]
mod tests;

mod house;

use luthier_text_to_sql::schema::{Affinity, Column, Reference, Table};
use luthier_text_to_sql::shop::RESERVED;
use luthier_text_to_sql::sql::is_keyword;
use luthier_text_to_sql::vocabulary::{ColumnWords, DateForm, Noun, Role, TableWords};
use luthier_text_to_sql::words::plural;
use luthier_text_to_sql::{Rng, Schema, Value, Vocabulary};

use super::lexicon::{
    CATEGORIES, DATES, FLAGS, GIVEN_NAMES, NOUNS, NUMBERS, ORDINALS, capitalized, cryptic_word, pseudo_word,
};

/// A schema and its way of speaking.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) schema: Schema,
    pub(super) words: Vocabulary,
}

/// How identifiers are written.
#[derive(Debug, Clone, Copy)]
struct Style {
    case: Case,
    plural_tables: bool,
    table_prefix: &'static str,
    /// Columns start with their table's name (`film_title`).
    column_prefix: bool,
    /// Words lose their vowels or their tails.
    abbreviated: bool,
    /// Names say nothing.
    cryptic: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Snake,
    Camel,
    Pascal,
    Flat,
}

/// An ordinary world: every name can be read.
pub(super) fn ordinary(rng: &mut Rng) -> World {
    let style = style(rng);
    let n_tables = [1, 2, 3, 4, 5][rng.weighted(&[14, 30, 30, 16, 10])];
    build(rng, style, n_tables)
}

/// A house: cryptic, with words of its own.
pub(super) fn house(rng: &mut Rng) -> World {
    let cryptic = rng.percent(55);
    let style = Style { cryptic, ..style(rng) };
    let n_tables = [1, 2, 3, 4][rng.weighted(&[30, 40, 20, 10])];
    let mut world = build(rng, style, n_tables);
    house::furnish(rng, &mut world);
    world
}

fn style(rng: &mut Rng) -> Style {
    Style {
        case: [Case::Snake, Case::Camel, Case::Pascal, Case::Flat][rng.weighted(&[62, 16, 8, 14])],
        plural_tables: rng.percent(55),
        table_prefix: ["", "tbl_", "t_", "dim_"][rng.weighted(&[85, 6, 6, 3])],
        column_prefix: rng.percent(12),
        abbreviated: rng.percent(20),
        cryptic: false,
    }
}

fn build(rng: &mut Rng, style: Style, n_tables: usize) -> World {
    let mut world = World {
        schema: Schema::default(),
        words: Vocabulary { tables: Vec::new(), columns: Vec::new(), filters: Vec::new(), measures: Vec::new() },
    };
    while world.schema.tables.len() < n_tables {
        let noun = thing(rng);
        let name = table_name(rng, style, &noun);
        if world.schema.table(&name).is_some()
            || is_reserved(&name)
            || world.words.tables.iter().any(|words| words.nouns[0] == noun)
        {
            continue;
        }
        add_table(rng, style, &mut world, noun, name);
    }
    world
}

fn thing(rng: &mut Rng) -> Noun {
    let nouns: Vec<&str> = NOUNS.split_whitespace().collect();
    let singular = match rng.weighted(&[70, 14, 16]) {
        0 => (*rng.pick(&nouns)).to_owned(),
        1 => format!("{} {}", rng.pick(&nouns), rng.pick(&nouns)),
        _ => pseudo_word(rng),
    };
    Noun { plural: plural(&singular), singular }
}

fn table_name(rng: &mut Rng, style: Style, noun: &Noun) -> String {
    if style.cryptic {
        return cryptic_word(rng);
    }
    let words = if style.plural_tables { &noun.plural } else { &noun.singular };
    format!("{}{}", style.table_prefix, written(style, words))
}

/// The identifier for a phrase.
fn written(style: Style, phrase: &str) -> String {
    let words = phrase.split(' ').map(|word| if style.abbreviated { abbreviated(word) } else { word.to_owned() });
    match style.case {
        Case::Snake => words.collect::<Vec<_>>().join("_"),
        Case::Flat => words.collect(),
        Case::Pascal => words.map(|word| capitalized(&word)).collect(),
        Case::Camel => {
            words.enumerate().map(|(index, word)| if index == 0 { word } else { capitalized(&word) }).collect()
        }
    }
}

/// First letter and following consonants, at most four: "distance" → "dstn". Short words stay.
fn abbreviated(word: &str) -> String {
    if word.len() <= 4 {
        return word.to_owned();
    }
    let rest = word.chars().skip(1).filter(|letter| !"aeiou".contains(*letter));
    word.chars().take(1).chain(rest).take(4).collect()
}

/// The shop's words are kept out of pre-training, SQL's own need quotes.
fn is_reserved(name: &str) -> bool {
    is_keyword(name)
        || name.split(['_', ' ']).any(|part| RESERVED.contains(&part.to_lowercase().as_str()))
        || RESERVED.contains(&name.to_lowercase().as_str())
}

/// A column before it is named.
struct Draft {
    phrase: String,
    /// What the identifier is written from, where that differs from the phrase.
    written: Option<String>,
    role: Role,
    samples: Vec<Value>,
    references: Option<Reference>,
}

fn add_table(rng: &mut Rng, style: Style, world: &mut World, noun: Noun, name: String) {
    let mut drafts = vec![key_draft(rng, &noun)];
    // A reference to an earlier table or two; the first table has none.
    let earlier = world.schema.tables.len();
    let n_links = if earlier == 0 { 0 } else { [0, 1, 2][rng.weighted(&[10, 65, 25])].min(earlier) };
    let mut parents: Vec<usize> = (0..earlier).collect();
    rng.shuffle(&mut parents);
    for &parent in &parents[..n_links] {
        drafts.push(link_draft(rng, world, parent));
    }
    if rng.percent(80) {
        drafts.push(label_draft(rng));
    }
    for _ in 0..rng.range(1, 4) {
        drafts.push(quality_draft(rng));
    }
    if drafts.len() > 2 && rng.percent(25) {
        let last = drafts.len() - 1;
        let at = 1 + rng.below(last);
        drafts.swap(at, last);
    }
    let mut table = Table { name, columns: Vec::new(), primary_key: Some(0) };
    let mut words: Vec<ColumnWords> = Vec::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        let name = column_name(rng, style, &noun, &draft, index);
        if table.column(&name).is_some()
            || is_reserved(&name)
            || words.iter().any(|other| other.phrases[0] == draft.phrase)
        {
            continue;
        }
        let affinity = match draft.samples.first() {
            Some(Value::Text(_)) => Affinity::Text,
            Some(Value::Real(_)) => Affinity::Real,
            _ => Affinity::Integer,
        };
        let nullable = draft.references.is_none() && index > 0 && rng.percent(20);
        table.columns.push(Column {
            name,
            affinity,
            nullable,
            references: draft.references,
            samples: draft.samples,
            more_values: draft.role == Role::Label,
        });
        words.push(ColumnWords { phrases: vec![draft.phrase], role: draft.role });
    }
    let label = words.iter().position(|column| column.role == Role::Label);
    world.words.tables.push(TableWords { nouns: vec![noun], label, scope: None });
    world.words.columns.push(words);
    world.schema.tables.push(table);
}

fn column_name(rng: &mut Rng, style: Style, noun: &Noun, draft: &Draft, index: usize) -> String {
    if style.cryptic {
        return cryptic_word(rng);
    }
    let text = draft.written.as_ref().unwrap_or(&draft.phrase);
    let prefixed = style.column_prefix && index > 0 && draft.references.is_none();
    written(style, &if prefixed { format!("{} {text}", noun.singular) } else { text.clone() })
}

fn key_draft(rng: &mut Rng, noun: &Noun) -> Draft {
    let written = match rng.weighted(&[45, 40, 8, 7]) {
        0 => "id".to_owned(),
        1 => format!("{} id", noun.singular),
        2 => format!("{} no", noun.singular),
        _ => "key".to_owned(),
    };
    Draft { phrase: "id".to_owned(), written: Some(written), role: Role::Key, samples: Vec::new(), references: None }
}

fn link_draft(rng: &mut Rng, world: &World, parent: usize) -> Draft {
    let noun = &world.words.tables[parent].nouns[0].singular;
    let written = match rng.weighted(&[70, 18, 12]) {
        0 => format!("{noun} id"),
        1 => noun.clone(),
        _ => format!("{noun} ref"),
    };
    Draft {
        phrase: format!("{noun} id"),
        written: Some(written),
        role: Role::Key,
        samples: Vec::new(),
        references: Some(Reference { table: parent, column: 0 }),
    }
}

fn label_draft(rng: &mut Rng) -> Draft {
    let phrase = ["name", "title", "full name", "label", "code name"][rng.weighted(&[62, 18, 8, 8, 4])];
    let given: Vec<&str> = GIVEN_NAMES.split_whitespace().collect();
    let kind = rng.below(3);
    let samples = (0..5)
        .map(|_| {
            let second = capitalized(&pseudo_word(rng));
            Value::Text(match kind {
                0 => format!("{} {second}", rng.pick(&given)),
                1 => second,
                _ => format!("{} {second}", capitalized(&pseudo_word(rng))),
            })
        })
        .collect();
    Draft { phrase: phrase.to_owned(), written: None, role: Role::Label, samples, references: None }
}

fn quality_draft(rng: &mut Rng) -> Draft {
    let (phrase, written, role, samples) = match rng.weighted(&[36, 38, 5, 12, 9]) {
        0 => {
            let (phrase, values) = *rng.pick(CATEGORIES);
            let samples = values.split_whitespace().map(|value| Value::Text(value.to_owned())).collect();
            (phrase.to_owned(), None, Role::Category, samples)
        }
        1 => number(rng),
        2 => {
            let (phrase, low, high) = *rng.pick(ORDINALS);
            (phrase.to_owned(), None, Role::Ordinal, (0..6).map(|_| Value::Integer(rng.range(low, high))).collect())
        }
        3 => {
            let phrase = format!("{} date", rng.pick(DATES));
            (phrase, None, Role::Date(DateForm::Iso), dates(rng))
        }
        _ => {
            let phrase = *rng.pick(FLAGS);
            let written = rng.percent(75).then(|| format!("is {phrase}"));
            (phrase.to_owned(), written, Role::Flag, vec![Value::Integer(0), Value::Integer(1)])
        }
    };
    if matches!(role, Role::Category | Role::Number) && written.is_none() && rng.percent(22) {
        // An unknown quality: only copying its name from the schema helps.
        let word = pseudo_word(rng);
        let phrase = if rng.percent(40) { format!("{word} {phrase}") } else { word };
        return Draft { phrase, written: None, role, samples, references: None };
    }
    Draft { phrase, written, role, samples, references: None }
}

fn number(rng: &mut Rng) -> (String, Option<String>, Role, Vec<Value>) {
    let (phrase, low, high, whole) = *rng.pick(NUMBERS);
    let draw = |rng: &mut Rng| rng.range(low, high);
    if whole && rng.percent(10) {
        let written = format!("{phrase} cents");
        return (
            phrase.to_owned(),
            Some(written),
            Role::Cents,
            (0..8).map(|_| Value::Integer(draw(rng) * 100)).collect(),
        );
    }
    let samples =
        (0..8).map(|_| if whole { Value::Integer(draw(rng)) } else { Value::Real(draw(rng) as f64 + 0.5) }).collect();
    (phrase.to_owned(), None, Role::Number, samples)
}

fn dates(rng: &mut Rng) -> Vec<Value> {
    (0..6)
        .map(|_| Value::Text(format!("{}-{:02}-{:02}", rng.range(1995, 2025), rng.range(1, 12), rng.range(1, 28))))
        .collect()
}
