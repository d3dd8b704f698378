use std::path::PathBuf;

use tokenizers::Tokenizer;

use super::{END, SPECIAL, VOCABULARY};
use crate::corpus::{document, text};

/// The committed tokenizer.
fn committed() -> Tokenizer {
    let path: PathBuf = crate::assets().join("tokenizer.json");
    Tokenizer::from_file(&path).expect("the committed tokenizer loads")
}

fn tokens(tokenizer: &Tokenizer, text: &str) -> Vec<String> {
    tokenizer.encode(text, false).expect("any text can be encoded").get_tokens().to_vec()
}

#[test]
fn special_tokens_have_the_first_ids() {
    let tokenizer = committed();
    assert_eq!(tokenizer.get_vocab_size(true), VOCABULARY);
    for (id, token) in SPECIAL.iter().enumerate() {
        assert_eq!(tokenizer.token_to_id(token), Some(id as u32));
    }
    assert_eq!(crate::recipe::end_id(), tokenizer.token_to_id(END).expect("the end token exists"));
}

#[test]
fn text_survives_a_round_trip() {
    let tokenizer = committed();
    let samples = (0..60).map(|index| text(&document(8, index).1)).chain(["  Ünïcode\t— 漢字 🎻\r\n\n x_y".to_owned()]);
    for sample in samples {
        let ids = tokenizer.encode(sample.as_str(), false).expect("any text can be encoded");
        assert_eq!(tokenizer.decode(ids.get_ids(), false).expect("ids decode"), sample);
    }
}

#[test]
fn a_name_has_the_same_tokens_wherever_it_stands() {
    let tokenizer = committed();
    let name = tokens(&tokenizer, "zorvak_dt");
    for place in [
        "films(zorvak_dt, b)",
        "the zorvak_dt of",
        "SELECT zorvak_dt FROM",
        "t.zorvak_dt = 3",
        "a, zorvak_dt, b",
        "AVG(zorvak_dt)",
    ] {
        let all = tokens(&tokenizer, place);
        assert!(all.windows(name.len()).any(|window| window == name), "{place}: {all:?}");
    }
}

#[test]
fn digits_stand_alone() {
    assert_eq!(tokens(&committed(), "20240315"), ["2", "0", "2", "4", "0", "3", "1", "5"]);
}
