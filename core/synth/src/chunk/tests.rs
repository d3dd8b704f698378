use proptest::prelude::*;

use super::*;

#[test]
fn passages_end_where_sentences_do() {
    let text = "One sentence here. Another one there. And a third that is somewhat longer than both.";
    let found = passages(text, 40, 5);
    assert!(found[0].ends_with("there. "), "{found:?}");
    assert!(passages("", 40, 5).is_empty() && passages(" \n ", 40, 5).is_empty());
}

proptest! {
    /// A chunker of a well-known studio loses text and does not end on a text without late periods.
    #[test]
    fn every_character_is_covered_and_there_is_an_end(
        text in "[a-z .\n]{0,400}", size in 2usize..60, overlap in 0usize..80
    ) {
        let characters: Vec<char> = text.chars().collect();
        let found = spans(&characters, size, overlap);
        prop_assert_eq!(found.first().map_or(0, |span| span.0), 0);
        prop_assert_eq!(found.last().map_or(0, |span| span.1), characters.len());
        for span in &found {
            prop_assert!(span.0 < span.1 && span.1 - span.0 <= size.max(2));
        }
        for pair in found.windows(2) {
            prop_assert!(pair[1].0 > pair[0].0 && pair[1].0 <= pair[0].1 && pair[1].1 > pair[0].1, "{:?}", pair);
        }
    }
}
