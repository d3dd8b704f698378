use serde_json::json;

use super::{Cell, Invocation, parse};

/// The only command of a cell.
fn command(code: &str) -> Invocation {
    match parse(code).unwrap_or_else(|error| panic!("{}", error.lines(code, "cell").join("\n"))) {
        Cell::Commands(mut commands) if commands.len() == 1 => commands.remove(0),
        other => panic!("expected one command, found {other:?}"),
    }
}

/// The finding about a cell, as people read it.
fn finding(code: &str) -> String {
    match parse(code) {
        Err(diagnostic) => diagnostic.lines(code, "cell").join("\n"),
        Ok(cell) => panic!("expected a diagnostic, found {cell:?}"),
    }
}

#[test]
fn anything_without_a_percent_sign_is_rust() {
    assert!(matches!(parse("let x = 7 % 3;"), Ok(Cell::Rust(_))));
    assert!(matches!(parse("#[derive(Debug)]\nstruct A;"), Ok(Cell::Rust(_))));
    assert!(matches!(parse(" \n\t\n"), Ok(Cell::Empty)));
}

#[test]
fn a_cell_of_lines_holds_several_commands() {
    let Ok(Cell::Commands(commands)) = parse("// where are we?\n%device\n\n  %models\n") else { panic!() };
    let names: Vec<_> = commands.iter().map(|invocation| invocation.command.name).collect();
    assert_eq!(names, ["device", "models"]);
}

#[test]
fn body_and_arguments_become_one_set_of_values() {
    let invocation = command(
        "%%finetune shop-sql --epochs 2\nmodel = \"pico\"\ndata = \"shop\"\n[train]\nepochs = 3\nlearning_rate = 1e-3\n",
    );
    assert_eq!(
        serde_json::Value::Object(invocation.values),
        json!({
            "name": "shop-sql", "model": "pico", "data": "shop",
            "train": {"epochs": 2.0, "learning_rate": 1e-3},
        })
    );
}

#[test]
fn positions_of_values_are_those_of_the_cell() {
    let code = "%%finetune a\nmodel = \"pico\"\ndata = \"shop\"\n[lora]\ntarget_modules = [\"q_proj\", \"x\"]\n";
    let invocation = command(code);
    assert_eq!(&code[invocation.locate("/lora/target_modules/1")], "\"x\"");
    assert_eq!(&code[invocation.locate("/lora/r")], "lora");
    assert_eq!(&code[invocation.locate("/name")], "a");
    assert_eq!(&code[invocation.locate("/nowhere")], "finetune");
}

#[test]
fn words_of_a_line_may_be_a_prompt() {
    let invocation = command("%ask shop-sql --data shop what's the total --max-new-tokens=9 of \"all  orders\"?");
    assert_eq!(invocation.values["prompt"], "what's the total of all  orders?");
    assert_eq!(invocation.values["max_new_tokens"], 9);
    let invocation = command("%ask pico -- --data is a flag");
    assert_eq!(invocation.values["prompt"], "--data is a flag");
}

#[test]
fn an_optional_value_is_not_taken_from_a_missing_argument() {
    assert_eq!(json!(command("%show --tokens shop").values), json!({"tokens": "pico", "data": "shop"}));
    assert_eq!(json!(command("%show shop --tokens my-model").values), json!({"tokens": "my-model", "data": "shop"}));
    assert_eq!(json!(command("%load pico as small").values), json!({"model": "pico", "name": "small"}));
}

#[test]
fn a_template_configuration_may_hold_anything() {
    let invocation = command(
        "%%dataset shop\ntemplate = \"text-to-sql\"\nrows = 0x10\n[config]\ndatabase = \"shop\"\ndeep = { a = [1, 2] }\n",
    );
    assert_eq!(invocation.values["config"], json!({"database": "shop", "deep": {"a": [1, 2]}}));
    assert_eq!(invocation.values["rows"], 16);
}

#[test]
fn arms_are_names_or_tables() {
    let body = "data = \"shop\"\nmodels = [\"pico\", { model = \"pico\", num_fewshot = 4 }]\n";
    command(&format!("%%evaluate e\n{body}"));
    insta::assert_snapshot!(finding("%%evaluate e\ndata = \"shop\"\nmodels = [{ model = \"pico\", fewshot = 4 }]\n"));
}

#[test]
fn findings_name_the_place_and_the_way_out() {
    let cells = [
        "%%finetnue shop",
        "%frobnicate",
        "%%finetune shop\nmodel = \"pico\"\ndata = shop\n",
        "%%finetune shop\nmodel: \"pico\"\n",
        "%%finetune shop\nmodel = \"pico\"\ndata = \"shop\"\n[train]\nlearning_rat = 1e-3\n",
        "%%finetune shop\nmodel = \"pico\"\ndata = \"shop\"\nlearning_rate = 1e-3\n",
        "%%finetune shop\nmodel = \"pico\"\ndata = \"shop\"\n[train]\nepochs = \"three\"\n",
        "%%finetune shop\nmodel = \"pico\"\ndata = \"shop\"\ntrain = 3\n",
        "%%finetune shop\nmodel = \"pico\"\ndata = \"shop\"\nmethod = \"qlra\"\n",
        "%%finetune shop\nmodel = \"pico\"\ndata = \"shop\"\n[lora]\nr = -8\n",
        "%%finetune shop\nname = \"other\"\nmodel = \"pico\"\ndata = \"shop\"\n",
        "%%finetune shop\nmodel = \"pico\"\n",
        "%%finetune shop\nmodel = \"pico\"\nmodel = \"pico\"\n",
        "%%finetune shop\nmodel = \"pico\ndata = \"shop\"\n",
        "%device\nlet x = 1;",
        "%device now",
        "%show shop --limt 3",
        "%show shop --limit three",
        "%show shop --limit",
        "%ask pico \"what",
        "%%runs\nmodel = \"pico\"\n",
        "%",
    ];
    let findings: Vec<String> = cells.iter().map(|code| format!("{code}\n----\n{}\n", finding(code))).collect();
    insta::assert_snapshot!(findings.join("\n========\n"));
}

#[test]
fn columns_count_characters_and_tabs_keep_the_caret_in_place() {
    let code = "%%dataset größe\n\tpath = \"ä\"; rows = 1\n";
    insta::assert_snapshot!(finding(code));
}

#[test]
fn no_text_makes_the_parser_panic() {
    let pieces = [
        "%%", "%", "finetune", " ", "\n", "\"", "'", "=", "[", "]", "ä", "\r\n", "--", "\\", "\t", "model", "#",
        "\u{202e}",
    ];
    let mut state = 7u64;
    for _ in 0..4_000 {
        let mut code = String::from("%");
        for _ in 0..12 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            code.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        if let Err(diagnostic) = parse(&code) {
            diagnostic.lines(&code, "cell");
        }
    }
}
