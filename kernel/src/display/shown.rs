//! Rows of a dataset, and the loss mask token by token.

use luthier_protocol::response::{Shown, ShownToken};

use super::{MimeBundle, Table, html, lengths, number, text};

/// The result of `%show`.
pub fn shown(shown: &Shown) -> MimeBundle {
    let split = shown.split.as_ref().map(|split| format!(", split {split}")).unwrap_or_default();
    let head = format!("{}{split}: {} rows", shown.data, number::count(shown.n_rows));
    let mut views = Vec::new();
    if let Some(found) = &shown.lengths {
        views.push(lengths::lengths(found, &head));
    }
    if let Some(found) = &shown.findings {
        views.push(lengths::findings(found, &head));
    }
    if !shown.tokens.is_empty() {
        views.push(tokens(shown, &head));
    } else if views.is_empty() {
        views.push(rows(shown, &head));
    }
    together(&views)
}

/// Several views below each other.
fn together(views: &[MimeBundle]) -> MimeBundle {
    let html =
        |view: &MimeBundle| view.data().get("text/html").and_then(|html| html.as_str()).unwrap_or_default().to_owned();
    let plain: Vec<&str> = views.iter().map(MimeBundle::plain).collect();
    MimeBundle::text(plain.join("\n\n")).html(views.iter().map(html).collect::<String>())
}

fn rows(shown: &Shown, head: &str) -> MimeBundle {
    let mut table = Table::new(shown.columns.iter().map(String::as_str));
    for row in &shown.rows {
        table.row(row.iter().cloned());
    }
    MimeBundle::text(format!("{head}\n\n{}", table.to_text())).html(format!("{}{}", html::title(head), table.to_html()))
}

const LEGEND: &str = "⟦trained on⟧, the rest is context; ⏎ line break; ▒ padding";

fn tokens(shown: &Shown, head: &str) -> MimeBundle {
    let mut plain = format!("{head}\n{LEGEND}");
    let mut rich = format!(
        "{}<div style=\"opacity:.85;font-size:.9em\">{} trained on &nbsp; {} context &nbsp; {} special token &nbsp; {} \
         what a padded batch of these rows would add (luthier lays rows back to back and pads nothing)</div>",
        html::title(head),
        token_span(&token("token", true, false)),
        token_span(&token("token", false, false)),
        token_span(&token("token", false, true)),
        padding_span(0),
    );
    let longest = shown.tokens.iter().map(Vec::len).max().unwrap_or(0);
    for (index, row) in shown.tokens.iter().enumerate() {
        let targets = row.iter().filter(|token| token.target).count();
        let count = format!("row {}: {} tokens, {targets} trained on", index + 1, row.len());
        let n_padding = longest - row.len();
        let padding = if n_padding > 0 { format!(" ▒{n_padding}") } else { String::new() };
        plain.push_str(&format!("\n\n{count}\n{}{padding}", text_tokens(row)));
        rich.push_str(&html::faint(&count));
        rich.push_str("<div style=\"font-family:monospace;line-height:1.7;overflow-wrap:anywhere\">");
        for token in row {
            rich.push_str(&token_span(token));
            if token.text.contains('\n') {
                rich.push_str("<br>");
            }
        }
        if n_padding > 0 {
            rich.push_str(&padding_span(n_padding));
        }
        rich.push_str("</div>");
    }
    MimeBundle::text(plain).html(rich)
}

/// Hatched: padding, as one piece however long it is.
fn padding_span(n_tokens: usize) -> String {
    let text = if n_tokens == 0 { "▒".to_owned() } else { format!("▒ {n_tokens}") };
    let hatch = "repeating-linear-gradient(45deg,rgba(128,128,128,.35) 0 3px,transparent 3px 6px)";
    format!(
        "<span style=\"padding:1px 3px;border-radius:3px;background:{hatch};opacity:.75\" title=\"padding\">{text}</span>"
    )
}

fn token(text: &str, target: bool, special: bool) -> ShownToken {
    ShownToken { id: 0, text: text.into(), target, special }
}

/// Blanks and line breaks are tokens too, and must be seen.
fn visible(token: &ShownToken) -> String {
    let text = text::clean(&token.text).replace('\n', "⏎").replace('\t', "⇥").replace(' ', "\u{b7}");
    if text.is_empty() { format!("<{}>", token.id) } else { text }
}

/// Green: trained on. Plain and faint: context. A dashed frame: special.
fn token_span(token: &ShownToken) -> String {
    let mut style = String::from("padding:1px 1px;margin:0 1px 0 0;border-radius:3px;");
    style.push_str(if token.target {
        "background:rgba(46,160,67,.35);"
    } else {
        "background:rgba(128,128,128,.12);opacity:.75;"
    });
    if token.special {
        style.push_str("outline:1px dashed rgba(128,128,128,.8);");
    }
    let fate = if token.target { "trained on" } else { "context" };
    format!("<span style=\"{style}\" title=\"id {}, {fate}\">{}</span>", token.id, html::escape(&visible(token)))
}

/// The text itself, with brackets around each stretch that is trained on.
fn text_tokens(row: &[ShownToken]) -> String {
    let mut out = String::new();
    let mut inside = false;
    for token in row {
        if token.target != inside {
            out.push(if token.target { '⟦' } else { '⟧' });
            inside = token.target;
        }
        let text = text::clean(&token.text);
        out.push_str(&if text.is_empty() { format!("<{}>", token.id) } else { text.replace('\n', "⏎\n") });
    }
    if inside {
        out.push('⟧');
    }
    out.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
