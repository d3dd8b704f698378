//! Methods of Python's `str`, `dict` and `list`: those of minijinja-contrib, those that it lacks,
//! and those whose result has to be measured before it is made.

use minijinja::value::{Tuple, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};

use super::{filters, limits, python};

/// minijinja asks here for methods that a value does not have itself.
pub(super) fn unknown_method(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let found = match (value.kind(), value.as_str()) {
        (ValueKind::String, Some(text)) => of_text(text, method, args)?,
        (ValueKind::Map, _) => of_map(value, method, args)?,
        (ValueKind::Seq | ValueKind::Iterable, _) => of_list(value, method, args)?,
        _ => None,
    };
    match found {
        Some(found) => Ok(found),
        None => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args),
    }
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let value = match method {
        "replace" => {
            let (from, to, count): (String, String, Option<i64>) = from_args(args)?;
            Value::from(filters::replaced(text, &from, &to, count)?)
        }
        "join" => {
            let (items,): (Value,) = from_args(args)?;
            Value::from(joined(text, &items)?)
        }
        "strip" | "lstrip" | "rstrip" => Value::from(stripped(text, method, args)?),
        "removeprefix" => {
            let (prefix,): (String,) = from_args(args)?;
            Value::from(text.strip_prefix(&prefix).unwrap_or(text))
        }
        "removesuffix" => {
            let (suffix,): (String,) = from_args(args)?;
            Value::from(text.strip_suffix(&suffix).unwrap_or(text))
        }
        "partition" | "rpartition" => {
            let (separator,): (String,) = from_args(args)?;
            partitioned(text, &separator, method == "rpartition")
        }
        "rsplit" => {
            let (separator, limit): (Option<String>, Option<i64>) = from_args(args)?;
            right_split(text, separator.as_deref(), limit)
        }
        "ljust" | "rjust" | "center" => {
            let (width, fill): (usize, Option<String>) = from_args(args)?;
            let fill = fill.and_then(|fill| fill.chars().next()).unwrap_or(' ');
            Value::from(justified(text, method, width, fill)?)
        }
        "zfill" => {
            let (width,): (usize,) = from_args(args)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            let n_missing = width.saturating_sub(text.chars().count());
            limits::allow_text(n_missing)?;
            Value::from(format!("{sign}{}{digits}", "0".repeat(n_missing)))
        }
        "swapcase" => Value::from(text.chars().map(swapped).collect::<String>()),
        "casefold" => Value::from(text.to_lowercase().replace('ß', "ss")),
        "isdecimal" => Value::from(!text.is_empty() && text.chars().all(|symbol| symbol.is_ascii_digit())),
        "index" | "rindex" => {
            let (part,): (String,) = from_args(args)?;
            let at = if method == "index" { text.find(&part) } else { text.rfind(&part) };
            let at = at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))?;
            Value::from(text[..at].chars().count())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn joined(separator: &str, items: &Value) -> Result<String, Error> {
    let mut out = String::new();
    for (index, item) in items.try_iter()?.enumerate() {
        if index > 0 {
            out.push_str(separator);
        }
        let text = item.as_str().ok_or_else(|| {
            let finding = format!("join: expected texts, found {} as item {index}", item.kind());
            Error::new(ErrorKind::InvalidOperation, finding)
        })?;
        out.push_str(text);
        limits::allow_text(out.len())?;
    }
    Ok(out)
}

fn stripped<'a>(text: &'a str, method: &str, args: &[Value]) -> Result<&'a str, Error> {
    let (symbols,): (Option<String>,) = from_args(args)?;
    let strips = |symbol: char| match &symbols {
        Some(symbols) => symbols.contains(symbol),
        None => python::is_space(symbol),
    };
    Ok(match method {
        "lstrip" => text.trim_start_matches(strips),
        "rstrip" => text.trim_end_matches(strips),
        _ => text.trim_matches(strips),
    })
}

fn partitioned(text: &str, separator: &str, from_right: bool) -> Value {
    let found = if from_right { text.rsplit_once(separator) } else { text.split_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Value::from(Tuple::from(parts.iter().map(|part| Value::from(*part)).collect::<Vec<Value>>()))
}

fn right_split(text: &str, separator: Option<&str>, limit: Option<i64>) -> Value {
    let n_parts = limit.and_then(|limit| usize::try_from(limit).ok()).map_or(usize::MAX, |limit| limit + 1);
    let mut parts: Vec<String> = match separator {
        Some(separator) => text.rsplitn(n_parts, separator).map(str::to_string).collect(),
        None => {
            let mut rest = text.trim_matches(python::is_space);
            let mut parts = Vec::new();
            while parts.len() + 1 < n_parts
                && let Some((before, after)) = rest.rsplit_once(python::is_space)
            {
                parts.push(after.to_string());
                rest = before.trim_end_matches(python::is_space);
            }
            if !rest.is_empty() {
                parts.push(rest.to_string());
            }
            parts
        }
    };
    parts.reverse();
    Value::from(parts)
}

fn justified(text: &str, method: &str, width: usize, fill: char) -> Result<String, Error> {
    if method == "center" {
        return python::center(text, width, fill);
    }
    let n_missing = width.saturating_sub(text.chars().count());
    limits::allow_text(n_missing)?;
    let padding: String = std::iter::repeat_n(fill, n_missing).collect();
    Ok(if method == "ljust" { format!("{text}{padding}") } else { format!("{padding}{text}") })
}

fn swapped(symbol: char) -> String {
    if symbol.is_uppercase() { symbol.to_lowercase().collect() } else { symbol.to_uppercase().collect() }
}

fn of_map(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(match method {
        "copy" => {
            let () = from_args(args)?;
            Some(value.clone())
        }
        _ => None,
    })
}

fn of_list(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    Ok(match method {
        "copy" => {
            let () = from_args(args)?;
            Some(value.clone())
        }
        "index" => {
            let (wanted,): (Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == wanted);
            Some(Value::from(at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the list has no such item"))?))
        }
        _ => None,
    })
}
