use std::fmt::Write as _;

use luthier_text_to_sql::schema::Affinity;
use luthier_text_to_sql::sql::identifier;
use luthier_text_to_sql::{Grammar, Rng};
use rusqlite::Connection;

use super::{World, house, ordinary};

/// CREATE TABLE statements and a row per sampled value.
fn script(world: &World) -> String {
    let mut script = String::new();
    for table in &world.schema.tables {
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| {
                let kind = match column.affinity {
                    Affinity::Integer => "INTEGER",
                    Affinity::Real => "REAL",
                    Affinity::Text => "TEXT",
                };
                format!("{} {kind}", identifier(&column.name))
            })
            .collect();
        let _ = writeln!(script, "CREATE TABLE {} ({});", identifier(&table.name), columns.join(", "));
        for row in 0..3 {
            let values: Vec<String> = table
                .columns
                .iter()
                .map(|column| column.samples.get(row).map_or_else(|| row.to_string(), |value| value.literal()))
                .collect();
            let _ = writeln!(script, "INSERT INTO {} VALUES ({});", identifier(&table.name), values.join(", "));
        }
    }
    script
}

fn every_question_executes(invent: fn(&mut Rng) -> World) {
    for seed in 0..50 {
        let mut rng = Rng::new(seed, 1);
        let world = invent(&mut rng);
        let database = Connection::open_in_memory().expect("SQLite opens");
        let script = script(&world);
        database.execute_batch(&script).unwrap_or_else(|error| panic!("{error}\n{script}"));
        let grammar = Grammar::new(&world.schema, &world.words);
        for _ in 0..40 {
            let Some(pair) = grammar.pair(&mut rng) else { continue };
            let mut statement = database
                .prepare(&pair.sql)
                .unwrap_or_else(|error| panic!("{error}\n{script}\n{}\n{}", pair.question, pair.sql));
            let mut rows = statement.query([]).expect("a prepared statement runs");
            while rows.next().unwrap_or_else(|error| panic!("{error}\n{}", pair.sql)).is_some() {}
        }
    }
}

#[test]
fn every_question_about_fifty_ordinary_schemas_executes() {
    every_question_executes(ordinary);
}

#[test]
fn every_question_about_fifty_houses_executes() {
    every_question_executes(house);
}

#[test]
fn names_are_unique_within_a_table() {
    for seed in 0..200 {
        let world = house(&mut Rng::new(seed, 2));
        for table in &world.schema.tables {
            for (index, column) in table.columns.iter().enumerate() {
                assert_eq!(table.column(&column.name), Some(index), "{}", table.name);
            }
        }
    }
}
