use super::*;
use crate::deal::Part;

fn outputs(text: &str) -> Batch {
    Batch::new(1).with_texts("request-id", ["r1"]).with_texts("output", [text]).with_texts("finish-reason", ["stop"])
}

#[test]
fn an_answer_becomes_rows() {
    let text = json!([
        { "description": "Return twice x.", "solution": "import math\n\ndef twice(x: int = {1: 2}[1]) -> int:\n    return 2 * x", "tests": ["assert twice(1) == 2", "assert twice(0) == 0"] },
        { "description": "Say \"hi\"", "solution": "def hi():\n    return 'hi'", "tests": "assert hi() == 'hi'" },
    ]);
    let (rows, rejects) = parse(&outputs(&format!("Sure:\n```json\n{text}\n```"))).unwrap();
    assert_eq!((rows.len(), rejects.rows), (2, 0));
    assert_eq!(
        rows[0].prompt,
        "import math\n\ndef twice(x: int = {1: 2}[1]) -> int:\n    \"\"\"Return twice x.\"\"\"\n"
    );
    assert_eq!(rows[0].tests, "assert twice(1) == 2\nassert twice(0) == 0\n");
    assert!(rows[1].prompt.ends_with("\"\"\"Say \"hi\" \"\"\"\n"), "a quote does not close the docstring");
    assert!(rows.iter().all(|row| matches!(row.part, Part::Asked | Part::AskedTest)));
}

#[test]
fn what_cannot_be_used_says_why() {
    let code = |text: &str| {
        let (rows, rejects) = parse(&outputs(text)).unwrap();
        assert!(rows.is_empty());
        (0..rejects.rows).map(|row| rejects.utf8("code").unwrap().text(row).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(code("no"), ["no-json"]);
    assert_eq!(code("[{\"description\": \"a\", \"solution\": \"def f(): pass\"}]"), ["missing-field"]);
    assert_eq!(code("[{\"description\": \"a\", \"solution\": \"x = 1\", \"tests\": \"t\"}]"), ["no-function"]);
    assert_eq!(code("[{\"description\": \"a\", \"solu"), ["cut"]);
    assert_eq!(code("[1]"), ["no-json"]);
}

#[test]
fn a_question_names_everything() {
    let seeds = Batch::new(2)
        .with_texts("request-id", ["a", "b"])
        .with_texts("topic", ["", "heaps"])
        .with_texts("document", ["", "A passage."])
        .with("n-rows", Column::Int64([Some(3), Some(1)].into_iter().collect()))
        .with_texts("avoid", ["[\"def f(x):\\n    \\\"\\\"\\\"Old.\\\"\\\"\\\"\"]", "[]"]);
    let found = requests(&seeds).unwrap();
    let text = |row: usize| found.utf8("messages").unwrap().text(row).to_owned();
    assert!(
        TOPICS.iter().any(|topic| text(0).contains(topic))
            && text(0).contains("Old.")
            && text(0).contains("3 different")
    );
    assert!(text(1).contains("heaps") && text(1).contains("A passage."));
    assert!(!text(1).contains("write others:\\n-"));
}

#[test]
fn examples_have_rows() {
    for (description, solution, tests) in EXAMPLES {
        let row = row(description, solution, tests).unwrap();
        assert!(row.prompt.contains(description.split('"').next().unwrap()), "{}", row.prompt);
    }
}
