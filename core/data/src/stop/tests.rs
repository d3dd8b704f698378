use proptest::prelude::*;

use super::StopMatcher;

fn stops(stops: &[&str]) -> Vec<String> {
    stops.iter().map(ToString::to_string).collect()
}

#[test]
fn finds_the_first_of_several_and_the_longest_at_one_place() {
    let mut matcher = StopMatcher::new(&stops(&["\n", ";", ";;", ""]));
    let found = matcher.check("a;;b\n").unwrap();
    assert_eq!((found.cut, found.stop.as_str()), (1, ";;"));
}

#[test]
fn finds_a_stop_that_arrives_in_pieces() {
    let mut matcher = StopMatcher::new(&stops(&["User:"]));
    assert!(matcher.check("x").is_none());
    assert!(matcher.check("x\nUse").is_none());
    assert_eq!(matcher.check("x\nUser: y").unwrap().cut, 2);
}

#[test]
fn survives_a_tail_that_changes() {
    let mut matcher = StopMatcher::new(&stops(&["é!"]));
    assert!(matcher.check("ab\u{fffd}").is_none());
    assert_eq!(matcher.check("abé!").unwrap().cut, 2);
    let mut shrinking = StopMatcher::new(&stops(&["b"]));
    assert!(shrinking.check("aaaaaaaaaa\u{fffd}\u{fffd}\u{fffd}").is_none());
    assert!(shrinking.check("aa").is_none());
}

#[test]
fn without_stops_nothing_matches_and_all_is_settled() {
    let mut matcher = StopMatcher::new(&[]);
    assert!(matcher.check("anything").is_none());
    assert_eq!(matcher.settled("anything"), 8);
}

#[test]
fn holds_back_what_may_become_a_stop() {
    let matcher = StopMatcher::new(&stops(&["\nUser:", ";é"]));
    assert_eq!(matcher.settled("SELECT 1\nUs"), 8);
    assert_eq!(matcher.settled("SELECT 1;"), 8);
    assert_eq!(matcher.settled("SELECT 1"), 8);
}

proptest! {
    #[test]
    fn piecewise_equals_searching_everything_again(
        pieces in prop::collection::vec("[ab\\n;é🎻]{0,4}", 0..12),
        chosen in prop::collection::vec("[ab\\n;é]{1,3}", 0..4),
    ) {
        let mut matcher = StopMatcher::new(&chosen);
        let mut text = String::new();
        let mut settled = 0;
        for piece in &pieces {
            text.push_str(piece);
            let found = matcher.check(&text).map(|found| found.cut);
            prop_assert_eq!(found, chosen.iter().filter_map(|stop| text.find(stop.as_str())).min());
            if let Some(cut) = found {
                // What was called settled is never cut off later.
                prop_assert!(settled <= cut);
                break;
            }
            settled = matcher.settled(&text);
        }
    }
}
