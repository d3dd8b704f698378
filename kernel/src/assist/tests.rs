use super::{Completeness, Position, complete, inspect, is_complete};
use crate::command::Names;

fn names(names: Names) -> Vec<String> {
    match names {
        Names::Models | Names::ModelsAndAdapters => vec!["pico".into(), "shop-sql".into()],
        Names::Datasets => vec!["shop".into()],
        Names::Runs => vec!["r-1".into()],
        Names::Commands => crate::command::all().iter().map(|command| command.name.to_owned()).collect(),
        Names::Free => Vec::new(),
    }
}

/// Completions where the text has a `|`.
fn at(text: &str) -> Vec<String> {
    let cursor = text.find('|').unwrap();
    let position = Position::new(text.replace('|', ""), Some(text[..cursor].chars().count()));
    complete(&position, None, &names).matches
}

#[test]
fn command_names_complete_by_their_form() {
    assert_eq!(at("%fi|"), ["finetune"]);
    assert_eq!(at("%%a|"), ["ask"]);
    assert!(at("%|").len() > 10);
}

#[test]
fn arguments_complete_by_what_they_name() {
    assert_eq!(at("%show s|"), ["shop"]);
    assert_eq!(at("%ask |"), ["pico", "shop-sql"]);
    assert_eq!(at("%show shop --tok|"), ["--tokens"]);
    assert_eq!(at("%ask pico --data |"), ["shop"]);
    assert_eq!(at("%resume |"), ["r-1"]);
    assert_eq!(at("%help fin|"), ["finetune"]);
}

#[test]
fn bodies_complete_tables_keys_and_values() {
    assert_eq!(at("%%finetune x\n[tr|"), ["train"]);
    assert_eq!(at("%%finetune x\n[train]\nlear|"), ["learning_rate"]);
    assert_eq!(at("%%finetune x\nmeth|"), ["method"]);
    assert_eq!(at("%%finetune x\nmodel = \"p|"), ["pico"]);
    assert_eq!(at("%%finetune x\n[train]\nschedule = |"), ["\"cosine\"", "\"linear\"", "\"constant\"", "\"wsd\""]);
    assert_eq!(at("%%finetune x\noverwrite = t|"), ["true"]);
}

#[test]
fn offsets_are_those_of_the_word() {
    let position = Position::new("%%finetune ü\n[train]\nlear".into(), None);
    let found = complete(&position, None, &names);
    assert_eq!((position.characters_before(found.start), position.characters_before(found.end)), (21, 25));
}

#[test]
fn inspection_explains_commands_and_keys() {
    let explain = |code: &str| inspect(&Position::new(code.into(), None), None).map(|bundle| bundle.plain().to_owned());
    assert!(explain("%%finetune").unwrap().starts_with("%%finetune"));
    assert!(explain("%%finetune x\n[train]\nlearning_rate").unwrap().contains("Peak learning rate"));
    assert!(explain("let x = 1").is_none());
}

#[test]
fn a_block_ends_with_a_blank_line() {
    assert_eq!(is_complete(""), Completeness::Complete);
    assert_eq!(is_complete("%device"), Completeness::Complete);
    assert_eq!(is_complete("%%device"), Completeness::Complete);
    assert_eq!(is_complete("%nonsense"), Completeness::Invalid);
    assert_eq!(is_complete("%%finetune x\nmodel = \"pico\""), Completeness::Incomplete);
    assert_eq!(is_complete("%%finetune x\nmodel = \"pico\"\ndata = \"d\"\n\n"), Completeness::Complete);
    assert_eq!(is_complete("%%finetune x\nmodel = [\n\n"), Completeness::Incomplete);
}
