use luthier_plugin::Rng;

use super::*;

#[test]
fn cases_tell_a_function_from_all_that_it_may_be_taken_for() {
    let (mut draws, mut rng) = (Rng::new(3), Rng::new(4));
    let mut n_tested = 0;
    for function in (0..400).filter_map(|_| Function::draw(&mut draws)).take(200) {
        let Some(found) = cases(&function, &mut rng) else { continue };
        n_tested += 1;
        assert!(found.iter().all(|case| function.call(&case.items) == case.expected));
        for other in function.mistaken() {
            assert!(
                found.iter().any(|case| !other.call(&case.items).equals(&case.expected)),
                "{} passes the tests of {}",
                other.source_code(),
                function.source_code()
            );
        }
    }
    assert!(n_tested > 120, "{n_tested} of 200 functions have cases");
}

#[test]
fn assertions_are_python() {
    let case = |items: Vec<Value>, expected| Case { items, expected };
    let text = assertions(
        "f",
        &[
            case(vec![], Value::None),
            case(vec![Value::Int(-1), Value::Text("a\"b".to_owned())], Value::Bool(true)),
            case(vec![Value::Dict(vec![("k".to_owned(), Value::Int(1))])], Value::List(vec![Value::Int(2)])),
        ],
    );
    assert_eq!(text, "assert f([]) is None\nassert f([-1, \"a\\\"b\"]) is True\nassert f([{\"k\": 1}]) == [2]\n");
}
