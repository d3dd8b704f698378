//! Rows under review: how far it is, and which come next.

use luthier_protocol::response::{ReviewEdit, Reviewed};

use super::{MimeBundle, Table, html, number};

/// The result of `%review`.
pub fn reviewed(reviewed: &Reviewed) -> MimeBundle {
    let head = format!(
        "{}: {} of {} rows reviewed",
        reviewed.data,
        number::count(done(reviewed)),
        number::count(reviewed.n_rows)
    );
    let facts = format!(
        "{} accepted · {} corrected · {} rejected · {} labeled · {} left · trains on {}",
        number::count(reviewed.accepted),
        number::count(reviewed.corrected),
        number::count(reviewed.rejected),
        number::count(reviewed.labeled),
        number::count(reviewed.left),
        number::hash(&reviewed.fingerprint),
    );
    let mut plain = format!("{head}\n{facts}");
    let mut rich = format!("{}{}", html::title(&head), html::faint(&facts));
    if !reviewed.recorded.is_empty() {
        let edits = edits(&reviewed.recorded);
        plain.push_str(&format!("\n\nrecorded\n{}", edits.to_text()));
        rich.push_str(&format!("{}{}", html::faint("recorded"), edits.to_html()));
    }
    if !reviewed.next.is_empty() {
        let next = next(reviewed);
        plain.push_str(&format!("\n\nnext\n{}", next.to_text()));
        rich.push_str(&format!("{}{}", html::faint("next"), next.to_html()));
    }
    let how = format!(
        "%review {0} --accept ROWS --reject ROWS · %review {0} --correct ROW COLUMN='new text' · %review {0} --label ROW WORD",
        reviewed.data
    );
    plain.push_str(&format!("\n\n{how}"));
    rich.push_str(&html::faint(&how));
    MimeBundle::text(plain).html(rich)
}

fn done(reviewed: &Reviewed) -> u64 {
    reviewed.n_rows - reviewed.left
}

fn edits(recorded: &[ReviewEdit]) -> Table {
    let mut table = Table::new(["#row", "edit", "column", "old", "new", "by", "at"]);
    for edit in recorded {
        let cell = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row([
            edit.row.to_string(),
            edit.action.clone(),
            cell(&edit.column),
            cell(&edit.old),
            cell(&edit.new),
            edit.who.clone(),
            edit.at.clone(),
        ]);
    }
    table
}

fn next(reviewed: &Reviewed) -> Table {
    let mut table = Table::new(["#row", "verdict"].into_iter().chain(reviewed.columns.iter().map(String::as_str)));
    for row in &reviewed.next {
        let verdict = row.verdict.clone().unwrap_or_else(|| "–".into());
        table.row([row.row.to_string(), verdict].into_iter().chain(row.cells.iter().cloned()));
    }
    table
}
