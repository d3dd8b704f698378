use super::*;

fn found(completion: &str) -> String {
    match extract(completion) {
        Answer::Found(code) => code,
        Answer::Missing(reason) => panic!("{reason}"),
    }
}

const FUNCTION: &str = "def f(x):\n    \"\"\"Doc.\n\nNot talk.\n    \"\"\"\n    return x";

#[test]
fn code_is_taken_out_of_fences_and_talk() {
    assert_eq!(found(FUNCTION), FUNCTION);
    for language in ["", "python", "py", "Python3", " python "] {
        assert_eq!(found(&format!("Sure!\n```{language}\n{FUNCTION}\n```\nIt works.")), FUNCTION);
    }
    assert_eq!(found(&format!("```python\n{FUNCTION}")), FUNCTION, "a fence that is never closed");
    assert_eq!(found(&format!("```\npip install x\n```\nand\n```python\n{FUNCTION}\n```")), FUNCTION);
    assert_eq!(found(&format!("Here it is:\n{FUNCTION}\n\nThis returns x.\n")), FUNCTION);
    assert_eq!(found(&format!("{FUNCTION}\n\nprint(f(1))\nassert f(1) == 1\n")), FUNCTION, "calls are no part of it");
}

#[test]
fn imports_helpers_and_constants_stay() {
    let code = "import math\n\nLIMIT = 3\n\n@cache\ndef g(x):\n    return x\n\ndef f(\n    x,\n):\n    return g(x)";
    assert_eq!(found(&format!("Let me see: easy.\n{code}\n\nDone.")), code);
}

#[test]
fn a_body_alone_keeps_its_indentation() {
    assert_eq!(found("    y = x\n    return y\n\nprint(1)\n"), "    y = x\n    return y");
    assert_eq!(found("return x + 1"), "return x + 1");
    assert_eq!(found("\n    if x:\n        return 1\n    return 2\n"), "    if x:\n        return 1\n    return 2");
}

#[test]
fn nothing_is_no_code() {
    for completion in ["", " \n\t\n", "```python\n```"] {
        assert_eq!(extract(completion), Answer::Missing("the completion holds no code".to_owned()), "{completion:?}");
    }
}

#[test]
fn examples_are_earlier_turns() {
    let shots = [("def a():\n".to_owned(), "def a():\n    return 1\n".to_owned())];
    let turns = conversation(INSTRUCTION, &shots, "def b():\n    \"\"\"Two.\"\"\"\n");
    let texts: Vec<&str> = turns.iter().map(|turn| turn.content.as_str()).collect();
    assert_eq!(
        texts,
        ["Complete the Python function.\ndef a():", "def a():\n    return 1", "def b():\n    \"\"\"Two.\"\"\""]
    );
    assert_eq!(conversation("", &[], "x")[0].content, "x");
}
