//! An answer of a model.

use luthier_protocol::response::Asked;

use super::{MimeBundle, html, number, text};

/// The result of `%ask`: the answer, and below it what it took.
pub fn asked(asked: &Asked) -> MimeBundle {
    let answer = asked.answer.as_deref().filter(|answer| !answer.is_empty());
    let shown = answer.unwrap_or(&asked.completion);
    let ended = match asked.finish_reason.as_str() {
        "length" => "cut at max_new_tokens",
        "stop" => "ended by itself",
        other => other,
    };
    let facts = format!(
        "{} · {} prompt + {} new tokens · {ended} · {}",
        asked.model,
        number::count(asked.n_prompt_tokens as u64),
        number::count(asked.n_new_tokens as u64),
        number::seconds(asked.seconds),
    );
    let shown_text = if shown.is_empty() { "(no text)" } else { shown };
    MimeBundle::text(format!("{}\n\n{facts}", text::clean(shown_text))).html(format!(
        "{}{}<details style=\"opacity:.7;font-size:.9em\"><summary>the prompt as the model saw it</summary>{}</details>",
        html::pre(shown_text),
        html::faint(&facts),
        html::pre(&asked.rendered),
    ))
}
