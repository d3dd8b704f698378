//! A small table, as HTML without style sheets (GitHub keeps it) and as aligned text.

/// Longest cell in text form, in characters; HTML shows all of it.
const MAX_TEXT_CELL: usize = 60;

/// Headings, rows, a caption above and notes below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    caption: Option<String>,
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

impl Table {
    /// A table with these columns.
    pub fn new<S: Into<String>>(headings: impl IntoIterator<Item = S>) -> Self {
        Table { headings: headings.into_iter().map(Into::into).collect(), ..Table::default() }
    }

    /// What it is.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = Some(caption.into());
        self
    }

    /// One more row; missing cells stay empty.
    #[must_use]
    pub fn row<S: Into<String>>(mut self, cells: impl IntoIterator<Item = S>) -> Self {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.headings.len().max(cells.len()), String::new());
        self.rows.push(cells);
        self
    }

    /// One more line below.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// As aligned text.
    pub fn text(&self) -> String {
        let rows: Vec<Vec<String>> = std::iter::once(&self.headings)
            .chain(&self.rows)
            .map(|row| row.iter().map(|cell| one_line(cell)).collect())
            .collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let mut lines: Vec<String> = self.caption.iter().cloned().collect();
        for (index, row) in rows.iter().enumerate() {
            lines.push(aligned(row, &widths));
            if index == 0 {
                let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                lines.push(rule.join("  "));
            }
        }
        lines.extend(self.notes.iter().cloned());
        lines.join("\n")
    }

    /// As HTML.
    pub fn html(&self) -> String {
        let mut html = String::new();
        if let Some(caption) = &self.caption {
            html.push_str(&format!("<p><b>{}</b></p>", escape(caption)));
        }
        html.push_str("<table><thead><tr>");
        for heading in &self.headings {
            html.push_str(&format!("<th>{}</th>", escape(heading)));
        }
        html.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            html.push_str("<tr>");
            for cell in row {
                html.push_str(&format!("<td>{}</td>", escape(cell).replace('\n', "<br>")));
            }
            html.push_str("</tr>");
        }
        html.push_str("</tbody></table>");
        for note in &self.notes {
            html.push_str(&format!("<p><small>{}</small></p>", escape(note)));
        }
        html
    }
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    cells.join("  ").trim_end().to_owned()
}

fn one_line(cell: &str) -> String {
    let flat = cell.replace('\n', "⏎").replace('\t', " ");
    match flat.chars().count() > MAX_TEXT_CELL {
        true => flat.chars().take(MAX_TEXT_CELL - 1).chain(['…']).collect(),
        false => flat,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
