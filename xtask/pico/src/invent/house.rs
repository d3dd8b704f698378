//! Gives a world a house style: each trait is inferable from earlier turns only.

use luthier_text_to_sql::schema::{Affinity, Column};
use luthier_text_to_sql::vocabulary::{ColumnWords, DateForm, Measure, NamedFilter, Noun, Role};
use luthier_text_to_sql::words::plural;
use luthier_text_to_sql::{Rng, Value};

use super::World;
use crate::lexicon::{HOUSE_ADJECTIVES, HOUSE_MEASURES, cryptic_word, pseudo_word};

/// Adds codes, scopes, cents, integer dates and measures, each in a part of the tables.
pub(super) fn furnish(rng: &mut Rng, world: &mut World) {
    for table in 0..world.schema.tables.len() {
        for column in 0..world.schema.tables[table].columns.len() {
            restyle(rng, world, table, column);
        }
        if rng.percent(45) {
            add_code(rng, world, table);
        }
        if rng.percent(35) {
            add_scope(rng, world, table);
        }
        if rng.percent(40) {
            add_threshold(rng, world, table);
        }
        if rng.percent(45) {
            add_measure(rng, world, table);
        }
    }
}

fn restyle(rng: &mut Rng, world: &mut World, table: usize, column: usize) {
    let words = &mut world.words.columns[table][column];
    let declared = &mut world.schema.tables[table].columns[column];
    match words.role {
        Role::Number if declared.affinity == Affinity::Integer && rng.percent(30) => {
            words.role = Role::Cents;
            for value in &mut declared.samples {
                if let Value::Integer(amount) = value {
                    *amount *= 100;
                }
            }
        }
        Role::Date(DateForm::Iso) if rng.percent(60) => {
            words.role = Role::Date(DateForm::Compact);
            declared.affinity = Affinity::Integer;
            for value in &mut declared.samples {
                let digits = value.text().map(|text| text.replace('-', ""));
                *value = Value::Integer(digits.and_then(|digits| digits.parse().ok()).unwrap_or(20_200_101));
            }
        }
        _ => {}
    }
}

fn add_column(
    rng: &mut Rng,
    world: &mut World,
    table: usize,
    name: &str,
    role: Role,
    samples: Vec<Value>,
) -> Option<String> {
    let name = if rng.percent(50) { cryptic_word(rng) } else { name.to_owned() };
    if world.schema.tables[table].column(&name).is_some() || super::is_reserved(&name) {
        return None;
    }
    let affinity = if matches!(samples.first(), Some(Value::Text(_))) { Affinity::Text } else { Affinity::Integer };
    world.schema.tables[table].columns.push(Column {
        name: name.clone(),
        affinity,
        nullable: false,
        references: None,
        samples,
        more_values: false,
    });
    world.words.columns[table]
        .push(ColumnWords { phrases: vec![if rng.percent(60) { "kind".to_owned() } else { pseudo_word(rng) }], role });
    Some(name)
}

/// A column of code letters; each code is an adjective or a noun of its own.
fn add_code(rng: &mut Rng, world: &mut World, table: usize) {
    let adjectives: Vec<&str> = HOUSE_ADJECTIVES.split_whitespace().collect();
    let length = rng.range(1, 2);
    let mut codes: Vec<String> = Vec::new();
    while codes.len() < 3 {
        let code: String = (0..length).map(|_| char::from(b'A' + rng.below(26) as u8)).collect();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    let samples = codes.iter().map(|code| Value::Text(code.clone())).collect();
    let name = *rng.pick(&["kind", "cls", "grp", "flag", "mode", "code"]);
    let Some(name) = add_column(rng, world, table, name, Role::Code, samples) else { return };
    let nouns = rng.percent(35);
    for code in codes {
        let word = if rng.percent(70) { (*rng.pick(&adjectives)).to_owned() } else { pseudo_word(rng) };
        let noun = nouns.then(|| {
            let singular = pseudo_word(rng);
            Noun { plural: plural(&singular), singular }
        });
        let (before, after) = match (&noun, rng.percent(25)) {
            (Some(_), _) => (String::new(), String::new()),
            (None, true) => (String::new(), format!("that are {word}")),
            (None, false) => (word, String::new()),
        };
        world.words.filters.push(NamedFilter {
            table,
            before,
            after,
            noun,
            predicate: format!("{{{name}}} = '{code}'"),
        });
    }
}

fn add_scope(rng: &mut Rng, world: &mut World, table: usize) {
    let name = *rng.pick(&["deleted", "removed", "hidden", "is_test", "closed", "dead", "live", "current"]);
    let value = i32::from(matches!(name, "live" | "current"));
    if let Some(name) = add_column(rng, world, table, name, Role::Other, vec![Value::Integer(0), Value::Integer(1)]) {
        world.words.tables[table].scope = Some(format!("{{{name}}} = {value}"));
    }
}

/// "heavy wagons" are those of at least so much of something.
fn add_threshold(rng: &mut Rng, world: &mut World, table: usize) {
    let adjectives: Vec<&str> = HOUSE_ADJECTIVES.split_whitespace().collect();
    let numbers = world.words.columns_with(table, |role| role == Role::Number);
    let Some(&column) = rng.choose(&numbers) else { return };
    let name = world.schema.tables[table].columns[column].name.clone();
    let Some(bound) = rng.choose(&world.schema.tables[table].columns[column].samples).and_then(Value::number) else {
        return;
    };
    let operator = *rng.pick(&[">=", ">", "<", "<=", "="]);
    let bound = if operator == "=" { 0 } else { bound as i64 };
    let adjective = (*rng.pick(&adjectives)).to_owned();
    let after = rng.percent(35);
    let (before, after) =
        if after { (String::new(), format!("that are {adjective}")) } else { (adjective, String::new()) };
    world.words.filters.push(NamedFilter {
        table,
        before,
        after,
        noun: None,
        predicate: format!("{{{name}}} {operator} {bound}"),
    });
}

fn add_measure(rng: &mut Rng, world: &mut World, table: usize) {
    let names: Vec<&str> = HOUSE_MEASURES.split_whitespace().collect();
    let numbers = world.words.columns_with(table, |role| matches!(role, Role::Number | Role::Cents));
    let (Some(&first), Some(&second)) = (rng.choose(&numbers), rng.choose(&numbers)) else { return };
    let role = |column: usize| world.words.columns[table][column].role;
    let column = |column: usize| format!("{{{}}}", world.schema.tables[table].columns[column].name);
    let unit = if role(first) == Role::Cents || role(second) == Role::Cents { " / 100.0" } else { "" };
    let expression = if first == second {
        format!("SUM({}){unit}", column(first))
    } else {
        format!("SUM({} * {}){unit}", column(first), column(second))
    };
    let phrase = if rng.percent(30) {
        format!("{} {}", pseudo_word(rng), rng.pick(&names))
    } else {
        (*rng.pick(&names)).to_owned()
    };
    world.words.measures.push(Measure { table, phrase, expression });
}
