//! Python source as text: which function a prompt asks for, and one program out of a prompt and an answer.
//!
//! ```
//! use luthier_python_source as python;
//!
//! let prompt = "def double(x):\n    \"\"\"Twice x.\"\"\"\n";
//! assert_eq!(python::asked_function(prompt), Some("double"));
//! assert_eq!(python::program(prompt, "    return 2 * x"), "def double(x):\n    \"\"\"Twice x.\"\"\"\n    return 2 * x\n");
//! assert_eq!(python::program(prompt, "def double(x):\n    return x + x"), "def double(x):\n    return x + x\n");
//! ```

use luthier_plugin::json;

/// Indentation of a body that came without one.
const INDENT: &str = "    ";

/// Name of the last function that stands at the left edge of `source`.
pub fn asked_function(source: &str) -> Option<&str> {
    top_level(source).filter_map(|(_, line)| defined_name(line)).last()
}

/// Whether `source` defines a function of this name at its left edge.
pub fn defines(source: &str, name: &str) -> bool {
    top_level(source).any(|(_, line)| defined_name(line) == Some(name))
}

/// The program that an answer to `prompt` means. `prompt` may be a sentence, then the answer stands alone; or source
/// that ends in an open function: an answer that defines this function comes after the imports and helpers before
/// it, any other is its body.
pub fn program(prompt: &str, answer: &str) -> String {
    let Some(name) = asked_function(prompt) else { return ended(answer) };
    if defines(answer, name) {
        let before = &prompt[..start_of_function(prompt, name)];
        return if before.trim().is_empty() {
            ended(answer)
        } else {
            format!("{}\n\n{}", before.trim(), ended(answer))
        };
    }
    let first = answer.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut whole = format!("{}\n", prompt.trim_end());
    for line in answer.trim_end().lines() {
        if !first.starts_with([' ', '\t']) && !line.trim().is_empty() {
            whole.push_str(INDENT);
        }
        whole.push_str(line);
        whole.push('\n');
    }
    whole
}

/// Tests as one program: a JSON list of statements is joined, and HumanEval's `def check(candidate)` is called with the
/// function that `prompt` asks for.
pub fn tests(prompt: &str, tests: &str) -> String {
    let listed: Option<Vec<String>> =
        if tests.trim_start().starts_with('[') { json::from_str(tests).ok() } else { None };
    let mut tests = listed.map_or_else(|| tests.to_owned(), |lines| lines.join("\n"));
    let is_called = top_level(&tests).any(|(_, line)| line.starts_with("check("));
    if let (true, false, Some(name)) = (defines(&tests, "check"), is_called, asked_function(prompt)) {
        tests = format!("{}\n\ncheck({name})\n", tests.trim_end());
    }
    tests
}

/// Lines that start a statement at the left edge, with their position: not those within brackets or texts of
/// several lines, and no comments.
pub fn top_level(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut state = Scanner::default();
    let mut at = 0;
    source.split_inclusive('\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        let is_inside = state.is_inside();
        state.read(line);
        let text = line.trim_end();
        let starts = !is_inside && !text.is_empty() && !text.starts_with([' ', '\t', '#']);
        starts.then_some((start, text))
    })
}

fn defined_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def ")?.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
    (end > 0 && rest[end..].trim_start().starts_with('(')).then(|| &rest[..end])
}

/// Where the last definition of `name` starts, its decorators included.
fn start_of_function(source: &str, name: &str) -> usize {
    let mut decorators = None;
    let mut found = 0;
    for (at, line) in top_level(source) {
        if line.starts_with('@') {
            decorators.get_or_insert(at);
            continue;
        }
        if defined_name(line) == Some(name) {
            found = decorators.unwrap_or(at);
        }
        decorators = None;
    }
    found
}

fn ended(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// Open brackets and open texts of a Python source, line by line.
#[derive(Debug, Default)]
struct Scanner {
    brackets: usize,
    /// The delimiter of a text in triple quotes.
    triple: Option<&'static str>,
}

impl Scanner {
    fn is_inside(&self) -> bool {
        self.brackets > 0 || self.triple.is_some()
    }

    fn read(&mut self, line: &str) {
        let mut rest = line;
        while let Some(next) = rest.chars().next() {
            if let Some(delimiter) = self.triple {
                match rest.find(delimiter) {
                    Some(end) => {
                        self.triple = None;
                        rest = &rest[end + delimiter.len()..];
                    }
                    None => return,
                }
                continue;
            }
            if let Some(delimiter) = ["\"\"\"", "'''"].into_iter().find(|delimiter| rest.starts_with(delimiter)) {
                self.triple = Some(delimiter);
                rest = &rest[delimiter.len()..];
                continue;
            }
            match next {
                '#' => return,
                '\'' | '"' => {
                    rest = after_text(&rest[1..], next);
                    continue;
                }
                '(' | '[' | '{' => self.brackets += 1,
                ')' | ']' | '}' => self.brackets = self.brackets.saturating_sub(1),
                _ => {}
            }
            rest = &rest[next.len_utf8()..];
        }
    }
}

/// What follows a text of one line; nothing if it does not end there.
fn after_text(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, next) in text.char_indices() {
        match next {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if next == quote => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests;
