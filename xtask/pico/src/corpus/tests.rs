use std::collections::BTreeSet;

use luthier_text_to_sql::shop::{RESERVED, SCRIPT};

use super::{Kind, document, held_out, text};

#[test]
fn a_document_depends_on_seed_and_index_alone() {
    assert_eq!(document(1, 5), document(1, 5));
    assert_ne!(document(1, 5), document(1, 6));
    assert_ne!(document(1, 5), document(2, 5));
    assert_ne!(document(1, 5), held_out(1, 5));
}

#[test]
fn all_kinds_occur_and_every_document_teaches_something() {
    let mut kinds = [0; 4];
    for index in 0..400 {
        let (kind, pieces) = document(3, index);
        kinds[kind as usize] += 1;
        assert!(pieces.last().is_some_and(|piece| piece.learned && piece.text.ends_with("<|end|>")));
        assert!(pieces.iter().all(|piece| !piece.text.is_empty()));
    }
    assert!(kinds.iter().all(|n| *n > 4), "{kinds:?}");
}

#[test]
fn a_house_is_not_asked_before_it_was_shown() {
    let houses = (0..200).map(|index| document(4, index)).filter(|(kind, _)| *kind == Kind::House);
    let mut n = 0;
    for (_, pieces) in houses {
        assert!(!pieces[1].learned && pieces.len() >= 4);
        n += 1;
    }
    assert!(n > 20);
}

/// The shop is a test of adaptation: its names and words must be news.
#[test]
fn no_word_of_the_shop_occurs_in_pre_training() {
    let reserved: BTreeSet<&str> = RESERVED.iter().copied().collect();
    for index in 0..3000 {
        let (kind, pieces) = document(1, index);
        if !matches!(kind, Kind::Ordinary | Kind::House) {
            continue;
        }
        let text = text(&pieces);
        for word in text.split(|next: char| !next.is_alphanumeric() && next != '_') {
            assert!(!reserved.contains(word), "`{word}` in {text}");
        }
    }
    assert!(RESERVED.contains(&"px_ct") && SCRIPT.contains("px_ct"));
}
