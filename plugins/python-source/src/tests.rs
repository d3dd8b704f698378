use super::*;

const HUMAN_EVAL: &str = "from typing import List\n\n\ndef helper(x):\n    return x\n\n\ndef mean(xs: List[float]) -> float:\n    \"\"\" Mean.\ndef not_this(x)\n    >>> mean([1])\n    1\n    \"\"\"\n";

#[test]
fn the_last_function_is_the_one_that_is_asked_for() {
    assert_eq!(asked_function(HUMAN_EVAL), Some("mean"));
    assert_eq!(asked_function("Write a function that doubles x."), None);
    assert_eq!(asked_function("class A:\n    def f(self): pass\n"), None);
    assert_eq!(asked_function("async  def f(x): pass"), None, "two spaces are not what the tokenizer takes apart");
    assert_eq!(asked_function("async def f (x): pass\n"), Some("f"));
    assert_eq!(asked_function("def"), None);
}

#[test]
fn a_body_is_put_under_its_prompt() {
    let body = "    return sum(xs) / len(xs)\n";
    let whole = program(HUMAN_EVAL, body);
    assert!(whole.ends_with("    \"\"\"\n    return sum(xs) / len(xs)\n"), "{whole}");
    assert_eq!(program(HUMAN_EVAL, "return sum(xs) / len(xs)"), whole, "without indentation it means the same");
    assert_eq!(
        program("def f(x):\n", "if x:\n    return 1\n\nreturn 2"),
        "def f(x):\n    if x:\n        return 1\n\n    return 2\n"
    );
}

#[test]
fn a_whole_function_keeps_the_prompts_imports_and_helpers() {
    let whole = program(HUMAN_EVAL, "def mean(xs):\n    return helper(sum(xs) / len(xs))");
    assert_eq!(
        whole,
        "from typing import List\n\n\ndef helper(x):\n    return x\n\ndef mean(xs):\n    return helper(sum(xs) / len(xs))\n"
    );
    assert_eq!(
        program("import math\n@cache\ndef f(x):\n", "def f(x): return 1"),
        "import math\n\ndef f(x): return 1\n",
        "a decorator belongs to the function that is replaced"
    );
    assert_eq!(program("A sentence.", "print(1)"), "print(1)\n");
}

#[test]
fn tests_of_the_known_forms_become_a_program() {
    assert_eq!(tests("", "assert f(1) == 1"), "assert f(1) == 1");
    assert_eq!(tests("", "[\"assert f(1) == 1\", \"assert f(2) == 2\"]"), "assert f(1) == 1\nassert f(2) == 2");
    let check = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1]) == 1\n";
    assert_eq!(tests(HUMAN_EVAL, check), format!("{}\n\ncheck(mean)\n", check.trim_end()));
    let called = format!("{check}\ncheck(mean)\n");
    assert_eq!(tests(HUMAN_EVAL, &called), called);
    assert_eq!(tests("", "[not json"), "[not json");
}

#[test]
fn brackets_texts_and_comments_hide_their_lines() {
    let source = "x = [\n1,\n]\ntext = '''\ndef a(): pass\n'''\n# def b(): pass\ns = \"(\"\ndef c(): pass\n";
    let lines: Vec<&str> = top_level(source).map(|(_, line)| line).collect();
    assert_eq!(lines, ["x = [", "text = '''", "s = \"(\"", "def c(): pass"]);
    assert_eq!(asked_function("s = 'never closed (\ndef f(x): pass"), Some("f"));
}
