//! A dataset that a language model was asked for: its rows, what they took, or what would be asked.

use luthier_protocol::response::Synthesized;

use super::{MimeBundle, Table, dataset, html, number, text};

/// The result of `%%synthesize`.
pub fn synthesized(found: &Synthesized) -> MimeBundle {
    if !found.preview.is_empty() {
        return preview(found);
    }
    let Some(info) = &found.dataset else { return MimeBundle::text("no rows") };
    let summary = dataset::summary(info);
    if found.requests == 0 {
        return summary;
    }
    let usage = usage(found);
    let topics = topics(found);
    let mut plain = format!("{}\n\n{usage}", summary.plain());
    let shown = summary.data().get("text/html").and_then(serde_json::Value::as_str).unwrap_or_default();
    let mut rich = format!("{shown}{}", html::faint(&usage));
    if found.topics.len() > 1 {
        plain.push_str(&format!("\n\n{}", topics.to_text()));
        rich.push_str(&topics.to_html());
    }
    MimeBundle::text(plain).html(rich)
}

/// One line: requests, tokens, cost.
fn usage(found: &Synthesized) -> String {
    let mut parts = vec![format!("asked {}: {} requests", text::clean(&found.model), number::count(found.requests))];
    if found.resumed_requests > 0 {
        parts.push(format!("{} answers from a run before", number::count(found.resumed_requests)));
    }
    if found.failed_requests > 0 {
        parts.push(format!("{} failed", number::count(found.failed_requests)));
    }
    parts.push(format!("{} + {} tokens", number::count(found.prompt_tokens), number::count(found.completion_tokens)));
    parts.push(found.cost.map_or("cost unknown".to_owned(), |cost| format!("cost {cost:.4}")));
    parts.push(number::seconds(found.seconds));
    parts.join(" · ")
}

fn topics(found: &Synthesized) -> Table {
    let mut table = Table::new(["topic", "#asked", "#kept", "#share"]);
    for (topic, requested, kept) in &found.topics {
        let share = if *requested == 0 { 0.0 } else { *kept as f64 / *requested as f64 };
        table.row([topic.clone(), number::count(*requested), number::count(*kept), number::percent(share)]);
    }
    table
}

fn preview(found: &Synthesized) -> MimeBundle {
    let head = format!("{} would be asked:", text::clean(&found.model));
    let mut plain = head.clone();
    let mut rich = html::title(&head);
    for turns in &found.preview {
        for (role, content) in turns {
            plain.push_str(&format!("\n\n[{}]\n{}", text::clean(role), content));
            rich.push_str(&format!("{}{}", html::faint(role), html::pre(content)));
        }
    }
    MimeBundle::text(plain).html(rich)
}
