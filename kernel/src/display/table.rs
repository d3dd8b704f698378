//! A table in both forms.

use super::{html, text};

/// Columns wider than this are cut in the text form.
const MAX_TEXT_COLUMN: usize = 60;

/// Cells longer than this many characters are cut in the HTML form.
const MAX_HTML_CELL: usize = 400;

/// Which side a column leans to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a header.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
    strong: Vec<usize>,
}

impl Table {
    /// A table with these columns. A name that starts with `#` is a column of numbers.
    pub fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        let column = |name: &str| match name.strip_prefix('#') {
            Some(name) => (name.to_owned(), Align::Right),
            None => (name.to_owned(), Align::Left),
        };
        Table { columns: columns.into_iter().map(column).collect(), rows: Vec::new(), strong: Vec::new() }
    }

    /// Add a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Add a row that stands out.
    pub fn strong_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.strong.push(self.rows.len());
        self.row(cells);
    }

    /// No rows yet.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Aligned columns, a rule under the header.
    pub fn to_text(&self) -> String {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|cell| text_cell(cell)).collect()).collect();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, (name, _))| {
                let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| text::width(cell));
                cells.chain([text::width(name)]).max().unwrap_or(0)
            })
            .collect();
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        let lines = [header, rule].into_iter().chain(rows).map(|row| self.text_row(&row, &widths));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn text_row(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in row.iter().zip(widths).zip(&self.columns) {
            let padding = " ".repeat(width.saturating_sub(text::width(cell)));
            match align {
                Align::Left => line.push_str(&format!("{cell}{padding}  ")),
                Align::Right => line.push_str(&format!("{padding}{cell}  ")),
            }
        }
        line.trim_end().to_owned()
    }

    /// A `<table>`; notebooks bring their own style for it.
    pub fn to_html(&self) -> String {
        let mut out = String::from("<table style=\"margin:.2em 0;color:inherit\"><thead><tr>");
        for (name, align) in &self.columns {
            out.push_str(&format!("<th style=\"text-align:{}\">{}</th>", side(*align), html::escape(name)));
        }
        out.push_str("</tr></thead><tbody>");
        for (index, row) in self.rows.iter().enumerate() {
            let strong = self.strong.contains(&index);
            out.push_str("<tr>");
            for (cell, (_, align)) in row.iter().zip(&self.columns) {
                out.push_str(&html_cell(cell, *align, strong));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table>");
        out
    }
}

fn text_cell(cell: &str) -> String {
    text::cut(&text::one_line(cell), MAX_TEXT_COLUMN)
}

fn html_cell(cell: &str, align: Align, strong: bool) -> String {
    let shown: String = match cell.char_indices().nth(MAX_HTML_CELL) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    };
    let wrap = if align == Align::Left { ";white-space:pre-wrap" } else { ";white-space:nowrap" };
    let content = html::escape(&shown);
    let content = if strong { format!("<b>{content}</b>") } else { content };
    format!("<td style=\"text-align:{}{wrap}\">{content}</td>", side(align))
}

fn side(align: Align) -> &'static str {
    match align {
        Align::Left => "left",
        Align::Right => "right",
    }
}
