//! What Jinja2 takes from Python: `str`, `json.dumps`, `strftime`.

use std::fmt::Write;

use minijinja::value::{Value, ValueKind};
use serde_json::Value as Json;

use super::{RenderDate, limits};

/// `str(value)` as Jinja2 prints it.
pub(super) fn to_str(value: &Value) -> String {
    match value.kind() {
        ValueKind::String | ValueKind::Undefined => value.to_string(),
        _ => repr(value),
    }
}

/// `repr(value)`.
fn repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".into(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.into(),
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => sequence(value),
        ValueKind::Map => mapping(value),
        ValueKind::Number if !value.is_integer() => float(f64::try_from(value.clone()).unwrap_or(f64::NAN)),
        _ => value.to_string(),
    }
}

/// `repr(number)` of a float: the shortest digits that come back, with an exponent from 1e16 and
/// below 1e-4.
fn float(number: f64) -> String {
    if !number.is_finite() {
        return if number.is_nan() {
            "nan"
        } else if number > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .into();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{number:?}")
}

fn sequence(value: &Value) -> String {
    let items: Vec<String> = value.try_iter().map(|items| items.map(|item| repr(&item)).collect()).unwrap_or_default();
    match (value.is_tuple(), items.len()) {
        (true, 1) => format!("({},)", items[0]),
        (true, _) => format!("({})", items.join(", ")),
        (false, _) => format!("[{}]", items.join(", ")),
    }
}

fn mapping(value: &Value) -> String {
    let entry = |key: Value| {
        let item = value.get_item(&key).unwrap_or(Value::UNDEFINED);
        format!("{}: {}", repr(&key), repr(&item))
    };
    let entries: Vec<String> = value.try_iter().map(|keys| keys.map(entry).collect()).unwrap_or_default();
    format!("{{{}}}", entries.join(", "))
}

/// Python quotes with `'` unless the text has `'` and no `"`.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for symbol in text.chars() {
        match symbol {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if symbol == quote => {
                out.push('\\');
                out.push(symbol);
            }
            _ if (symbol as u32) < 0x20 || symbol as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", symbol as u32);
            }
            _ => out.push(symbol),
        }
    }
    out.push(quote);
    out
}

/// What `str.strip` takes away: Unicode's white space and the four separators of ASCII.
pub(super) fn is_space(symbol: char) -> bool {
    symbol.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&symbol)
}

/// `text.center(width, fill)`.
pub(super) fn center(text: &str, width: usize, fill: char) -> Result<String, minijinja::Error> {
    let n_missing = width.saturating_sub(text.chars().count());
    limits::allow_text(n_missing)?;
    // CPython puts the odd one on the left if the width is odd.
    let left = n_missing / 2 + (n_missing & width & 1);
    let padding = |n: usize| std::iter::repeat_n(fill, n).collect::<String>();
    Ok(format!("{}{text}{}", padding(left), padding(n_missing - left)))
}

/// Arguments of `json.dumps`.
#[derive(Debug, Default)]
pub(super) struct JsonStyle {
    pub(super) ensure_ascii: bool,
    pub(super) indent: Option<String>,
    pub(super) separators: Option<(String, String)>,
    pub(super) sort_keys: bool,
}

/// A template's value as JSON.
pub(super) fn json_of(value: &Value) -> Result<Json, String> {
    let items = || value.try_iter().map_err(|error| error.to_string());
    Ok(match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => number(value)?,
        ValueKind::String => Json::from(value.as_str().unwrap_or_default()),
        ValueKind::Seq | ValueKind::Iterable => {
            Json::Array(items()?.map(|item| json_of(&item)).collect::<Result<_, _>>()?)
        }
        ValueKind::Map => {
            let entry = |key: Value| {
                let item = value.get_item(&key).map_err(|error| error.to_string())?;
                Ok((key.to_string(), json_of(&item)?))
            };
            Json::Object(items()?.map(entry).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("tojson: a value of type {other} is not JSON")),
    })
}

fn number(value: &Value) -> Result<Json, String> {
    if value.is_integer()
        && let Some(integer) = value.as_i64()
    {
        return Ok(Json::from(integer));
    }
    let fraction = f64::try_from(value.clone()).map_err(|error| error.to_string())?;
    serde_json::Number::from_f64(fraction).map(Json::Number).ok_or_else(|| format!("tojson: {fraction} is not JSON"))
}

/// `json.dumps(value, ensure_ascii=False, …)`.
pub(super) fn json_dumps(value: &Json, style: &JsonStyle) -> String {
    let item_default = if style.indent.is_some() { "," } else { ", " };
    let (item, key) = match &style.separators {
        Some((item, key)) => (item.as_str(), key.as_str()),
        None => (item_default, ": "),
    };
    let mut dumper = Dumper { out: String::new(), style, item, key };
    dumper.value(value, 1);
    dumper.out
}

struct Dumper<'a> {
    out: String,
    style: &'a JsonStyle,
    item: &'a str,
    key: &'a str,
}

impl Dumper<'_> {
    fn value(&mut self, value: &Json, depth: usize) {
        match value {
            Json::Array(items) => self.group(('[', ']'), items.iter(), depth, |this, item| this.value(item, depth + 1)),
            Json::Object(object) => {
                let mut entries: Vec<_> = object.iter().collect();
                if self.style.sort_keys {
                    entries.sort_by_key(|(key, _)| *key);
                }
                self.group(('{', '}'), entries.into_iter(), depth, |this, (key, item)| {
                    this.text(&Json::from(key.as_str()));
                    this.out.push_str(this.key);
                    this.value(item, depth + 1);
                });
            }
            other => self.text(other),
        }
    }

    /// serde_json escapes as Python does with `ensure_ascii=False`.
    fn text(&mut self, value: &Json) {
        let text = match value {
            // 1e16 and above, 1e-5 and below: as Python writes them.
            Json::Number(number) if number.is_f64() => float(number.as_f64().unwrap_or_default()),
            other => other.to_string(),
        };
        if !self.style.ensure_ascii {
            self.out.push_str(&text);
            return;
        }
        for symbol in text.chars() {
            if symbol.is_ascii() && symbol != '\u{7f}' {
                self.out.push(symbol);
            } else {
                let mut units = [0; 2];
                for unit in symbol.encode_utf16(&mut units) {
                    let _ = write!(self.out, "\\u{unit:04x}");
                }
            }
        }
    }

    fn group<T>(
        &mut self,
        (open, close): (char, char),
        items: impl ExactSizeIterator<Item = T>,
        depth: usize,
        mut each: impl FnMut(&mut Self, T),
    ) {
        self.out.push(open);
        let empty = items.len() == 0;
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push_str(self.item);
            }
            self.line(depth);
            each(self, item);
        }
        if !empty {
            self.line(depth - 1);
        }
        self.out.push(close);
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.style.indent {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
    }
}

/// `date.strftime(format)` at midnight in the C locale.
pub(super) fn strftime(format: &str, date: RenderDate) -> Result<String, String> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let month = MONTHS.get((date.month as usize).wrapping_sub(1)).ok_or("the date has no such month")?;
    let weekday = DAYS[day_of_week(date)];
    let mut out = String::new();
    let mut symbols = format.chars();
    while let Some(symbol) = symbols.next() {
        if symbol != '%' {
            out.push(symbol);
            continue;
        }
        let padded = |width: usize, value: i64| format!("{value:0width$}");
        let mut directive = symbols.next();
        // glibc's `%-d`: no padding.
        let unpadded = directive == Some('-');
        if unpadded {
            directive = symbols.next();
        }
        let field = match directive {
            Some('Y') => date.year.to_string(),
            Some('y') => padded(2, i64::from(date.year.rem_euclid(100))),
            Some('m') => padded(2, i64::from(date.month)),
            Some('d') => padded(2, i64::from(date.day)),
            Some('e') => format!("{:2}", date.day),
            Some('j') => padded(3, i64::from(day_of_year(date))),
            Some('B') => (*month).to_string(),
            Some('b' | 'h') => month[..3].to_string(),
            Some('A') => weekday.to_string(),
            Some('a') => weekday[..3].to_string(),
            Some('H' | 'M' | 'S') => "00".to_string(),
            Some('I') => "12".to_string(),
            Some('p') => "AM".to_string(),
            Some('F') => format!("{}-{:02}-{:02}", date.year, date.month, date.day),
            Some('T' | 'X') => "00:00:00".to_string(),
            Some('Z' | 'z') => String::new(),
            Some('%') => "%".to_string(),
            Some(other) => return Err(format!("strftime_now: directive `%{other}` is not known")),
            None => return Err("strftime_now: the format ends in `%`".to_string()),
        };
        let trimmed = field.trim_start_matches(['0', ' ']);
        out.push_str(if !unpadded {
            &field
        } else if trimmed.is_empty() {
            "0"
        } else {
            trimmed
        });
    }
    Ok(out)
}

/// Sakamoto's method; 0 is Sunday.
fn day_of_week(date: RenderDate) -> usize {
    const OFFSETS: [i32; 12] = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let year = if date.month < 3 { date.year - 1 } else { date.year };
    let offset = OFFSETS[(date.month as usize).clamp(1, 12) - 1];
    let days = year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + offset + date.day as i32;
    days.rem_euclid(7) as usize
}

fn day_of_year(date: RenderDate) -> u32 {
    const BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    BEFORE[(date.month as usize).clamp(1, 12) - 1] + date.day + u32::from(leap && date.month > 2)
}
