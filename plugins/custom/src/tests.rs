use luthier_plugin::{Int64Column, NoDatabases, json::json};

use super::*;

fn open(config: Value) -> Result<Custom, Error> {
    Custom::open(config, Context::with_seed(0), Box::new(NoDatabases))
}

fn riddles() -> Value {
    json!({
        "instruction": "Turn the news into a riddle.",
        "rows": [{ "input": "A bridge opened.", "output": "I join two banks and hold no money." },
                 { "input": "Rain fell {input}.", "output": "I fall and never break.", "topic": "weather" }],
        "examples": [{ "input": "A clock was mended.", "output": "I have hands and cannot clap." }],
        "rules": ["The riddle does not name its answer."],
        "input_name": "news",
        "output_name": "riddle",
    })
}

fn seeds(n: i64, topic: &str, document: &str, avoid: &str) -> Batch {
    let n: Int64Column = [Some(n)].into_iter().collect();
    Batch::new(1)
        .with_texts("request-id", ["request-0"])
        .with_texts("topic", [topic])
        .with_texts("document", [document])
        .with("n-rows", luthier_plugin::Column::Int64(n))
        .with_texts("avoid", [avoid])
}

#[test]
fn rows_of_the_cell_come_in_their_order_and_then_no_more() {
    let mut custom = open(riddles()).unwrap();
    let first = custom.generate(1).unwrap();
    let rest = custom.generate(5).unwrap();
    assert_eq!((first.rows, rest.rows, custom.generate(5).unwrap().rows), (1, 1, 0));
    assert_eq!(first.utf8("input").unwrap().text(0), "A bridge opened.");
    assert_eq!(rest.utf8("topic").unwrap().text(0), "weather");
}

#[test]
fn a_row_is_put_once_and_what_it_contains_is_not_filled_in() {
    let mut custom = open(riddles()).unwrap();
    let rows = Batch::new(1).with_texts("input", ["Rain fell {instruction} {input}."]);
    let shots = Batch::new(1).with_texts("input", ["a"]).with_texts("output", ["b"]);
    let turns = custom.prompt(&rows, &shots).unwrap().remove(0);
    assert_eq!(turns[0], Message::user("Turn the news into a riddle.\n\na"));
    assert_eq!(turns[1], Message::assistant("b"));
    assert_eq!(turns[2].content, "Turn the news into a riddle.\n\nRain fell {instruction} {input}.");
    let mut plain = open(json!({ "prompt": "{input} →" })).unwrap();
    assert_eq!(plain.prompt(&rows.clone(), &Batch::new(0)).unwrap()[0].len(), 1);
}

#[test]
fn answers_are_read_as_configured() {
    let read = |answer: &str, completion: &str| {
        open(json!({ "answer": answer })).unwrap().extract(&[completion.to_owned()]).unwrap().remove(0)
    };
    let found = |text: &str| Answer::Found(text.to_owned());
    assert_eq!(read("all", " a\nb \n"), found("a\nb"));
    assert_eq!(read("first-line", "\n a \nb"), found("a"));
    assert_eq!(read("fenced", "So:\n```python\nx = 1\n```\nDone."), found("x = 1"));
    assert!(matches!(read("fenced", "```\nx"), Answer::Missing(_)));
    assert_eq!(read("json", "It is {\"b\": 1}!"), found("{\"b\":1}"));
    assert!(matches!(read("json", "none"), Answer::Missing(_)));
    assert!(matches!(read("all", " "), Answer::Missing(_)));
}

#[test]
fn the_question_to_a_model_says_all_that_is_configured() {
    let mut custom = open(riddles()).unwrap();
    let requests = custom.synthesis_prompts(&seeds(3, "sports", "Late goal.", "[\"old\\nnews\"]")).unwrap();
    let messages: Value = json::from_str(requests.utf8("messages").unwrap().text(0)).unwrap();
    let question = messages[0]["content"].as_str().unwrap();
    for part in [
        "Write 3 different examples",
        "The task: Turn the news into a riddle.",
        "about: sports",
        "<passage>\nLate goal.\n</passage>",
        "- The riddle does not name its answer.",
        "[{\"news\":\"A clock was mended.\",\"riddle\":\"I have hands and cannot clap.\"}]",
        "- old news",
        "JSON list of 3 objects",
        "\"news\" and \"riddle\"",
    ] {
        assert!(question.contains(part), "{part}\n---\n{question}");
    }
    let short = open(json!({})).unwrap().synthesis_prompts(&seeds(1, "", "", "[]")).unwrap();
    assert!(!short.utf8("messages").unwrap().text(0).contains("about:"));
}

#[test]
fn every_object_of_an_answer_is_a_row_or_rejected_with_a_reason() {
    let mut custom = open(riddles()).unwrap();
    let outputs = [
        "[{\"news\": \"a\", \"riddle\": \"b\"}, {\"news\": \"c\"}, 7, {\"news\": 1, \"riddle\": [2]}]",
        "Sorry, no.",
        "[{\"news\": \"d\", \"riddle\": \"e\"}, {\"news\": \"f",
    ];
    let batch = Batch::new(3)
        .with_texts("request-id", ["0", "1", "2"])
        .with_texts("output", outputs)
        .with_texts("finish-reason", ["stop", "stop", "length"]);
    let parsed = custom.parse(&batch).unwrap();
    let rows: Vec<(String, String)> = (0..parsed.rows.rows)
        .map(|row| {
            let text = |name: &str| parsed.rows.utf8(name).unwrap().text(row).to_owned();
            (text("input"), text("output"))
        })
        .collect();
    assert_eq!(rows, [("a", "b"), ("1", "[2]"), ("d", "e")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let codes: Vec<&str> = (0..4).map(|row| parsed.rejects.utf8("code").unwrap().text(row)).collect();
    assert_eq!(codes, ["missing-field", "not-an-object", "no-json", "cut"]);
}

#[test]
fn rows_that_teach_nothing_are_rejected() {
    let mut custom = open(json!({ "choices": ["yes", "no"], "max_output_characters": 3 })).unwrap();
    let rows =
        Batch::new(4).with_texts("input", ["a", "a", "", "a"]).with_texts("output", ["yes", "maybe", "no", "si"]);
    let codes: Vec<String> = custom.validate(&rows).unwrap().into_iter().map(|verdict| verdict.code).collect();
    assert_eq!(codes, ["", "too-long", "empty-field", "not-a-choice"]);
    let keys = custom.dedup_keys(&Batch::new(1).with_texts("input", [" A\n b "])).unwrap();
    assert_eq!(keys[0].exact, "a b");
}

#[test]
fn records_come_in_the_usual_formats() {
    let mut custom = open(riddles()).unwrap();
    let rows = custom.generate(1).unwrap();
    let alpaca = custom.render(&rows, "alpaca").unwrap().remove(0);
    assert_eq!(alpaca["instruction"], "Turn the news into a riddle.");
    assert_eq!(custom.render(&rows, "messages").unwrap()[0]["messages"][1]["role"], "assistant");
    assert!(custom.render(&rows, "xml").is_err());
}

#[test]
fn a_wrong_configuration_is_pointed_at() {
    for (config, pointer) in [
        (json!({ "prompt": "no place" }), "/prompt"),
        (json!({ "rows": [{ "input": "a" }] }), "/rows"),
        (json!({ "examples": [{ "input": "a", "output": "b", "topics": "c" }] }), "/examples"),
        (json!({ "examples": [{ "input": "a", "output": " " }] }), "/examples"),
        (json!({ "input_name": "output" }), "/output_name"),
        (json!({ "instructions": "x" }), "/instructions"),
    ] {
        let Error::InvalidConfig(issues) = open(config).err().unwrap() else { panic!() };
        assert_eq!(issues[0].pointer, pointer);
    }
}
