//! The one way in which this task is put to a model, and the one way in which its answer is read.

#[cfg(test)]
mod tests;

use luthier_plugin::{Answer, Message};
use luthier_python_source as python;

/// Before the first prompt of a conversation, unless configured.
pub const INSTRUCTION: &str = "Complete the Python function.";

/// Statements that may stand beside a function at the left edge of an answer.
const KEPT: [&str; 8] = ["def ", "async def ", "class ", "import ", "from ", "@", ")", "]"];

/// Examples as earlier turns; the instruction stands in the first user turn only.
///
/// ```text
/// user       Complete the Python function.⏎def double(x):⏎    """Return twice x."""
/// assistant  def double(x):⏎    """Return twice x."""⏎    return 2 * x
/// ```
pub fn conversation(instruction: &str, shots: &[(String, String)], prompt: &str) -> Vec<Message> {
    let mut messages = Vec::with_capacity(2 * shots.len() + 1);
    let mut opening = if instruction.is_empty() { String::new() } else { format!("{instruction}\n") };
    for (shot, solution) in shots {
        messages.push(Message::user(format!("{opening}{}", shot.trim_end())));
        messages.push(Message::assistant(solution.trim_end()));
        opening.clear();
    }
    messages.push(Message::user(format!("{opening}{}", prompt.trim_end())));
    messages
}

/// The code in a completion: of a fence, if there is one (that which defines a function, if there are several), without
/// what is said before and after. A body alone keeps its indentation.
pub fn extract(completion: &str) -> Answer {
    let code = match fences(completion).as_slice() {
        [] => completion.to_owned(),
        blocks => {
            let defining = blocks.iter().find(|block| python::asked_function(block).is_some());
            defining.or_else(|| blocks.first()).map(|block| (*block).to_owned()).unwrap_or_default()
        }
    };
    let code = without_talk(&code);
    if code.trim().is_empty() {
        return Answer::Missing("the completion holds no code".to_owned());
    }
    Answer::Found(code.trim_matches('\n').trim_end().to_owned())
}

/// Blocks between fences; one that is never closed goes to the end.
fn fences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("```") {
        let inside = &rest[start + 3..];
        // What stands on the fence's line is the language.
        let inside = inside.split_once('\n').map_or("", |(_, inside)| inside);
        match inside.find("```") {
            Some(end) => {
                found.push(&inside[..end]);
                rest = &inside[end + 3..];
            }
            None => {
                found.push(inside);
                break;
            }
        }
    }
    found
}

/// From the first definition or import to the last line that belongs to one. A text without a definition is a body.
fn without_talk(code: &str) -> String {
    if python::asked_function(code).is_none() {
        return body_alone(code);
    }
    let lines: Vec<(usize, &str)> = python::top_level(code).collect();
    let Some(first) = lines.iter().position(|(_, line)| KEPT.iter().any(|kept| line.starts_with(kept))) else {
        return code.to_owned();
    };
    let mut has_function = false;
    let mut end = code.len();
    for (at, line) in &lines[first..] {
        let belongs = KEPT.iter().any(|kept| line.starts_with(kept)) || is_assignment(line);
        if has_function && !belongs {
            end = *at;
            break;
        }
        has_function |= line.starts_with("def ") || line.starts_with("async def ");
    }
    code[lines[first].0..end].to_owned()
}

/// A body ends where something that is no part of it starts at the left edge.
fn body_alone(code: &str) -> String {
    let first = code.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if !first.starts_with([' ', '\t']) {
        return code.to_owned();
    }
    let end = python::top_level(code).map(|(at, _)| at).next().unwrap_or(code.len());
    code[..end].to_owned()
}

fn is_assignment(line: &str) -> bool {
    let name = line.split(['=', ':']).next().unwrap_or_default().trim_end();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name && line[name.len()..].trim_start().starts_with(['=', ':']) && line.contains('=')
}
