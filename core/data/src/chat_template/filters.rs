//! Filters and tests of Jinja2 that minijinja has otherwise, or lacks.

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

use super::{limits, python};

/// Puts them in.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("string", |value: &Value| python::to_str(value));
    environment.add_filter("join", join);
    environment.add_filter("replace", replace);
    environment.add_filter("trim", trim);
    environment.add_filter("list", list);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("int", |value: &Value, default: Option<i64>| int(value, default.unwrap_or(0)));
    environment.add_filter("float", |value: &Value, default: Option<f64>| float(value).or(default).unwrap_or(0.0));
    environment.add_filter("center", |value: &Value, width: Option<usize>| {
        let text = python::to_str(value);
        python::center(&text, width.unwrap_or(80), ' ')
    });
    environment.add_filter("wordcount", |value: &Value| python::to_str(value).split_whitespace().count());
    // In Python a text is a sequence and can be iterated; so is what is undefined.
    environment.add_test("iterable", |value: &Value| is_sequence(value) || value.kind() == ValueKind::Iterable);
    environment.add_test("sequence", is_sequence);
    environment.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    environment.add_test("callable", |_: &Value| false);
}

fn is_sequence(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
}

/// `default(value, boolean=false)`: for what is undefined, and with `boolean` for all that is false.
fn default(value: &Value, other: Option<Value>, boolean: Option<bool>, options: Kwargs) -> Result<Value, Error> {
    let other = match options.get::<Option<Value>>("default_value")? {
        Some(named) => named,
        None => other.unwrap_or_else(|| Value::from("")),
    };
    let boolean = options.get::<Option<bool>>("boolean")?.or(boolean).unwrap_or(false);
    options.assert_all_used()?;
    let is_missing = value.is_undefined() || (boolean && !value.is_true());
    Ok(if is_missing { other } else { value.clone() })
}

/// `int(value)`, or the default for what is no number.
fn int(value: &Value, default: i64) -> Value {
    if value.is_integer() {
        return value.clone();
    }
    let whole = value.as_str().and_then(|text| text.trim().replace('_', "").parse::<i64>().ok());
    whole.or_else(|| float(value).map(|number| number as i64)).map_or(Value::from(default), Value::from)
}

fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::String => value.as_str()?.trim().parse().ok(),
        _ => None,
    }
}

/// `join(separator="", attribute=None)` of what `str` makes of the items.
fn join(value: &Value, separator: Option<Value>, options: Kwargs) -> Result<Value, Error> {
    let named: Option<Value> = options.get("d")?;
    let separator = separator.or(named).map(|separator| python::to_str(&separator)).unwrap_or_default();
    let attribute: Option<String> = options.get("attribute")?;
    options.assert_all_used()?;
    let mut out = String::new();
    for (index, item) in items(value)?.into_iter().enumerate() {
        let item = match &attribute {
            Some(name) => item.get_attr(name)?,
            None => item,
        };
        if index > 0 {
            out.push_str(&separator);
        }
        out.push_str(&python::to_str(&item));
        limits::allow_text(out.len())?;
    }
    Ok(Value::from(out))
}

/// Items of a list, keys of a map, characters of a text.
fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.chars().map(|symbol| Value::from(symbol.to_string())).collect()),
        None => Ok(value.try_iter()?.collect()),
    }
}

fn list(value: &Value) -> Result<Value, Error> {
    /// Longer than any list of a conversation.
    const MAX_ITEMS: usize = 1 << 20;
    if value.len().is_some_and(|len| len > MAX_ITEMS) {
        return Err(Error::new(ErrorKind::InvalidOperation, "the template was stopped: a list is too long"));
    }
    items(value).map(Value::from)
}

fn replace(value: &Value, from: &Value, to: &Value, count: Option<i64>) -> Result<Value, Error> {
    replaced(&python::to_str(value), &python::to_str(from), &python::to_str(to), count).map(Value::from)
}

/// `text.replace(from, to, count)`, refused if the result would be too long.
pub(super) fn replaced(text: &str, from: &str, to: &str, count: Option<i64>) -> Result<String, Error> {
    let limit = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    // Python finds the empty text between all characters.
    let n_found = if from.is_empty() { text.chars().count() + 1 } else { text.matches(from).count() };
    let n_found = n_found.min(limit);
    limits::allow_text(text.len().saturating_add(n_found.saturating_mul(to.len())))?;
    Ok(text.replacen(from, to, n_found))
}

/// `str.strip`, or of the characters given.
fn trim(value: &Value, symbols: Rest<Value>) -> String {
    let text = python::to_str(value);
    match symbols.first().filter(|symbols| !symbols.is_none()) {
        Some(symbols) => {
            let symbols = python::to_str(symbols);
            text.trim_matches(|symbol| symbols.contains(symbol)).to_string()
        }
        None => text.trim_matches(python::is_space).to_string(),
    }
}
