use super::*;

fn ints(items: &[i64]) -> Vec<Value> {
    items.iter().map(|item| Value::Int(*item)).collect()
}

fn ages() -> Source {
    Source { plural: "ages", kind: Kind::Numbers }
}

fn function(conditions: Vec<Test>, change: Change, reduce: Reduce) -> Function {
    let conditions = conditions.into_iter().map(|test| Condition { field: None, test }).collect();
    Function { source: ages(), conditions, junction: Junction::And, change, reduce }
}

#[test]
fn a_function_has_words_python_and_meaning() {
    let squares = function(vec![Test::Even, Test::Above(3)], Change::Square, Reduce::Sum);
    assert_eq!(
        squares.source_code(),
        "def sum_ages(ages):\n    \"\"\"Return the sum of the squares of the ages that are even and greater than 3.\"\"\"\n    \
         return sum(x * x for x in ages if x % 2 == 0 and x > 3)\n"
    );
    assert_eq!(squares.call(&ints(&[1, 2, 4, 5, 6])), Value::Int(52));
    assert_eq!(squares.call(&[]), Value::Int(0));
    let count = function(vec![Test::Odd], Change::Itself, Reduce::Count);
    assert_eq!(count.sentence(), "Return how many ages are odd.");
    assert_eq!(count.body(), ["return sum(1 for x in ages if x % 2 == 1)"]);
    assert_eq!(count.call(&ints(&[-3, 2, 5])), Value::Int(2), "the remainder of a negative number as in Python");
    let all = function(vec![Test::Even, Test::AtLeast(7)], Change::Itself, Reduce::All);
    assert_eq!(all.sentence(), "Return whether all of the ages that are at least 7 are even.");
    assert_eq!(all.body(), ["return all(x % 2 == 0 for x in ages if x >= 7)"]);
    assert_eq!((all.call(&[]), all.call(&ints(&[3, 8, 9]))), (Value::Bool(true), Value::Bool(false)));
}

#[test]
fn records_are_counted_by_their_fields() {
    let Some(orders) = (0..1000).map(|seed| Source::draw(&mut Rng::new(seed))).find(|source| source.plural == "orders")
    else {
        panic!("no draw gives orders")
    };
    let (city, price) = (orders.fields(true)[0], orders.fields(false)[0]);
    let condition = Condition { field: Some(price), test: Test::Above(10) };
    let total = Function {
        source: orders,
        conditions: vec![condition],
        junction: Junction::And,
        change: Change::Itself,
        reduce: Reduce::Total(city, price),
    };
    assert_eq!(
        total.source_code(),
        "def total_orders(orders):\n    \"\"\"Return the sum of price of the orders whose price is greater than 10 for each \
         city.\"\"\"\n    totals = {}\n    for r in orders:\n        if r[\"price\"] > 10:\n            totals[r[\"city\"]] = \
         totals.get(r[\"city\"], 0) + r[\"price\"]\n    return totals\n"
    );
    let order = |city: &str, price: i64| {
        Value::Dict(vec![("city".to_owned(), Value::Text(city.to_owned())), ("price".to_owned(), Value::Int(price))])
    };
    let found = total.call(&[order("oslo", 20), order("lima", 5), order("oslo", 11)]);
    assert_eq!(found.python(), "{\"oslo\": 31}");
}

#[test]
fn sentences_are_sentences() {
    let mut rng = Rng::new(1);
    let mut n = 0;
    for _ in 0..5000 {
        let Some(function) = Function::draw(&mut rng) else { continue };
        let sentence = function.sentence();
        assert!(sentence.starts_with("Return ") && sentence.ends_with('.'), "{sentence}");
        assert!(!sentence.contains("  ") && !sentence.contains(" ."), "{sentence}");
        assert!(function.source_code().is_ascii() && function.body().iter().all(|line| line.len() < 120), "{sentence}");
        n += 1;
    }
    assert!(n > 3000, "{n} of 5000 draws make sense");
}

#[test]
fn equal_sentences_have_equal_bodies() {
    let mut rng = Rng::new(2);
    let mut bodies = std::collections::BTreeMap::new();
    for function in (0..20_000).filter_map(|_| Function::draw(&mut rng)) {
        let body = function.body();
        let known = bodies.entry(function.prompt()).or_insert_with(|| body.clone());
        assert_eq!(*known, body, "{}", function.prompt());
    }
}
