use crate::schema::{ReadLimits, read_schema};
use crate::testing::Sqlite;
use crate::{Grammar, Rng, Vocabulary};

const SCRIPT: &str = "CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, born INT);
    CREATE TABLE album (id INTEGER PRIMARY KEY, artist_id INT REFERENCES artist(id), title TEXT, released TEXT, price_cents INT, \"order\" INT);
    CREATE TABLE track (id INTEGER PRIMARY KEY, album_id INT NOT NULL REFERENCES album(id), title TEXT, length REAL, is_live INT);
    INSERT INTO artist VALUES (1, 'Ann O''Hara', 'Spain', 1950), (2, 'Bo', 'Chile', 1960);
    INSERT INTO album VALUES (1, 1, 'Sea', '2001-02-03', 999, 1), (2, NULL, 'Sky', '2002-02-03', 1250, 2);
    INSERT INTO track VALUES (1, 1, 'Salt', 3.25, 0), (2, 2, 'Wind', 4.5, 1);";

#[test]
fn every_pair_of_a_schema_executes() {
    let mut database = Sqlite::script(SCRIPT);
    let schema = read_schema(&mut database, ReadLimits::default()).unwrap();
    let words = Vocabulary::infer(&schema);
    let grammar = Grammar::new(&schema, &words);
    for seed in 0..3000 {
        let pair = grammar.pair(&mut Rng::new(seed, 0)).unwrap();
        database.rows(&pair.sql).unwrap_or_else(|error| panic!("{}\n{}\n{error}", pair.question, pair.sql));
        assert!(!pair.question.contains(['{', '}']) && !pair.sql.contains(['{', '}']), "{pair:?}");
        assert!(!pair.question.contains("  "), "{pair:?}");
    }
}

#[test]
fn the_same_seed_asks_the_same_question() {
    let schema = read_schema(&mut Sqlite::script(SCRIPT), ReadLimits::default()).unwrap();
    let words = Vocabulary::infer(&schema);
    let draw = |seed| Grammar::new(&schema, &words).pair(&mut Rng::new(seed, 7)).unwrap();
    assert_eq!(draw(3), draw(3));
    assert!((0..20).any(|seed| draw(seed) != draw(seed + 1)));
}

#[test]
fn a_nullable_key_does_not_empty_a_negation() {
    let mut database = Sqlite::script(SCRIPT);
    let schema = read_schema(&mut database, ReadLimits::default()).unwrap();
    let words = Vocabulary::infer(&schema);
    let grammar = Grammar::new(&schema, &words);
    let negations: Vec<String> = (0..4000)
        .filter_map(|seed| grammar.pair(&mut Rng::new(seed, 1)))
        .map(|pair| pair.sql)
        .filter(|sql| sql.contains("NOT IN (SELECT artist_id"))
        .collect();
    assert!(!negations.is_empty());
    assert!(negations.iter().all(|sql| sql.contains("artist_id IS NOT NULL")));
}

#[test]
fn a_schema_without_anything_to_ask_gives_nothing_or_counts() {
    let schema =
        read_schema(&mut Sqlite::script("CREATE TABLE t (id INTEGER PRIMARY KEY)"), ReadLimits::default()).unwrap();
    let words = Vocabulary::infer(&schema);
    for seed in 0..50 {
        if let Some(pair) = Grammar::new(&schema, &words).pair(&mut Rng::new(seed, 0)) {
            assert_eq!(pair.sql, "SELECT COUNT(*) FROM t");
        }
    }
}
