//! Short Python functions with docstrings: correct by construction, composed from a name, a
//! sentence and an expression.

use luthier_text_to_sql::Rng;

use super::corpus::{Piece, assistant, user};

/// Name, arguments, docstring, body (lines relative to the function's indent).
struct Function {
    name: String,
    arguments: &'static str,
    doc: String,
    body: String,
}

/// Instruction and function; or the bare source.
pub(super) fn document(rng: &mut Rng) -> Vec<Piece> {
    let function = [over_list, over_text, over_numbers, with_loop][rng.below(4)](rng);
    let source = format!(
        "def {}({}):\n    \"\"\"{}.\"\"\"\n    {}\n",
        function.name,
        function.arguments,
        function.doc,
        function.body.replace('\n', "\n    ")
    );
    if rng.percent(35) {
        return vec![Piece { text: format!("{source}<|end|>"), learned: true }];
    }
    let mut doc = function.doc.chars();
    let lower: String = doc.next().into_iter().flat_map(char::to_lowercase).chain(doc).collect();
    let request = match rng.below(3) {
        0 => format!("Write a Python function `{}` that does this: {lower}.", function.name),
        1 => format!(
            "Complete the Python function.\ndef {}({}):\n    \"\"\"{}.\"\"\"",
            function.name, function.arguments, function.doc
        ),
        _ => format!("Python function {}({}): {lower}", function.name, function.arguments),
    };
    let [question] = user(&request);
    vec![question, assistant(source.trim_end(), true)]
}

fn function(
    name: impl Into<String>,
    arguments: &'static str,
    doc: impl Into<String>,
    body: impl Into<String>,
) -> Function {
    Function { name: name.into(), arguments, doc: doc.into(), body: body.into() }
}

/// A condition on `x`: words for names, words for sentences, code.
fn condition(rng: &mut Rng) -> (String, String, String) {
    let n = rng.range(2, 50);
    match rng.below(7) {
        0 => ("even".into(), "even".into(), "x % 2 == 0".into()),
        1 => ("odd".into(), "odd".into(), "x % 2 == 1".into()),
        2 => ("positive".into(), "positive".into(), "x > 0".into()),
        3 => ("negative".into(), "negative".into(), "x < 0".into()),
        4 => (format!("above_{n}"), format!("greater than {n}"), format!("x > {n}")),
        5 => (format!("below_{n}"), format!("less than {n}"), format!("x < {n}")),
        _ => (format!("multiples_of_{n}"), format!("divisible by {n}"), format!("x % {n} == 0")),
    }
}

/// A change of `x`.
fn change(rng: &mut Rng) -> (String, String, String) {
    let n = rng.range(2, 20);
    match rng.below(5) {
        0 => ("squares".into(), "the squares of".into(), "x * x".into()),
        1 => ("doubled".into(), "the doubles of".into(), "2 * x".into()),
        2 => ("absolute".into(), "the absolute values of".into(), "abs(x)".into()),
        3 => (format!("plus_{n}"), format!("{n} added to each of"), format!("x + {n}")),
        _ => (format!("times_{n}"), format!("{n} times each of"), format!("{n} * x")),
    }
}

fn over_list(rng: &mut Rng) -> Function {
    let (when, when_words, test) = condition(rng);
    let (what, what_words, value) = change(rng);
    match rng.below(6) {
        0 => function(
            format!("count_{when}"),
            "values",
            format!("Return how many values are {when_words}"),
            format!("return sum(1 for x in values if {test})"),
        ),
        1 => function(
            format!("keep_{when}"),
            "values",
            format!("Return the values that are {when_words}"),
            format!("return [x for x in values if {test}]"),
        ),
        2 => function(
            format!("sum_{when}"),
            "values",
            format!("Return the sum of the values that are {when_words}"),
            format!("return sum(x for x in values if {test})"),
        ),
        3 => function(
            format!("{what}_of"),
            "values",
            format!("Return {what_words} the values"),
            format!("return [{value} for x in values]"),
        ),
        4 => function(
            format!("all_{when}"),
            "values",
            format!("Return whether all values are {when_words}"),
            format!("return all({test} for x in values)"),
        ),
        _ => function(
            format!("sum_of_{what}"),
            "values",
            format!("Return the sum of {what_words} the values"),
            format!("return sum({value} for x in values)"),
        ),
    }
}

fn over_text(rng: &mut Rng) -> Function {
    let n = rng.range(2, 9);
    match rng.below(9) {
        0 => function("reverse", "text", "Return the text reversed", "return text[::-1]"),
        1 => function(
            "is_palindrome",
            "text",
            "Return whether the text reads the same backwards",
            "return text == text[::-1]",
        ),
        2 => function("count_words", "text", "Return the number of words in the text", "return len(text.split())"),
        3 => function(
            format!("first_{n}"),
            "text",
            format!("Return the first {n} characters of the text"),
            format!("return text[:{n}]"),
        ),
        4 => function(
            format!("last_{n}"),
            "text",
            format!("Return the last {n} characters of the text"),
            format!("return text[-{n}:]"),
        ),
        5 => function(
            "count_vowels",
            "text",
            "Return the number of vowels in the text",
            "return sum(1 for c in text.lower() if c in \"aeiou\")",
        ),
        6 => function(
            "capitalize_words",
            "text",
            "Return the text with each word capitalized",
            "return \" \".join(w.capitalize() for w in text.split())",
        ),
        7 => {
            function("longest_word", "text", "Return the longest word of the text", "return max(text.split(), key=len)")
        }
        _ => function(
            format!("words_longer_than_{n}"),
            "text",
            format!("Return the words with more than {n} letters"),
            format!("return [w for w in text.split() if len(w) > {n}]"),
        ),
    }
}

fn over_numbers(rng: &mut Rng) -> Function {
    let n = rng.range(2, 9);
    match rng.below(7) {
        0 => function(format!("add_{n}"), "x", format!("Return x plus {n}"), format!("return x + {n}")),
        1 => function("larger", "a, b", "Return the larger of two numbers", "return a if a > b else b"),
        2 => function("smaller", "a, b", "Return the smaller of two numbers", "return a if a < b else b"),
        3 => function("mean", "values", "Return the mean of the values", "return sum(values) / len(values)"),
        4 => function(format!("power_{n}"), "x", format!("Return x to the power of {n}"), format!("return x ** {n}")),
        5 => function(
            "clamp",
            "x, low, high",
            "Return x limited to the range from low to high",
            "return max(low, min(x, high))",
        ),
        _ => function(
            "spread",
            "values",
            "Return the difference of the largest and the smallest value",
            "return max(values) - min(values)",
        ),
    }
}

fn with_loop(rng: &mut Rng) -> Function {
    let (when, when_words, test) = condition(rng);
    match rng.below(6) {
        0 => function(
            format!("first_{when}"),
            "values",
            format!("Return the first value that is {when_words}, or None"),
            format!("for x in values:\n    if {test}:\n        return x\nreturn None"),
        ),
        1 => function(
            "factorial",
            "n",
            "Return the product of the numbers from 1 to n",
            "result = 1\nfor i in range(1, n + 1):\n    result *= i\nreturn result",
        ),
        2 => function(
            "fibonacci",
            "n",
            "Return the first n Fibonacci numbers",
            "result = []\na, b = 0, 1\nfor _ in range(n):\n    result.append(a)\n    a, b = b, a + b\nreturn result",
        ),
        3 => function(
            "frequencies",
            "values",
            "Return how often each value occurs",
            "counts = {}\nfor x in values:\n    counts[x] = counts.get(x, 0) + 1\nreturn counts",
        ),
        4 => function(
            "unique",
            "values",
            "Return the values without repetitions",
            "result = []\nfor x in values:\n    if x not in result:\n        result.append(x)\nreturn result",
        ),
        _ => function(
            format!("split_{when}"),
            "values",
            format!("Return the values that are {when_words} and the others"),
            format!(
                "yes, no = [], []\nfor x in values:\n    if {test}:\n        yes.append(x)\n    else:\n        no.append(x)\nreturn yes, no"
            ),
        ),
    }
}
