//! JSON Schema: a subset that is checked whole, or refused.

use luthier_plugin::json::{Map, Value};
use regex_lite::Regex;

/// Keywords that say nothing about validity.
const ANNOTATIONS: [&str; 12] = [
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];
/// Keywords that are checked.
const CHECKED: [&str; 32] = [
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "$ref",
    "patternProperties",
    "propertyNames",
];
/// Keywords whose value is a schema, a list of schemas, a table of schemas.
const ONE: [&str; 8] = ["items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames"];
const LISTS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];
const TABLES: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// Schemas within schemas, references followed; deeper documents do not conform.
const MAX_DEPTH: usize = 64;

/// Why a schema cannot be used: where, and why.
pub(crate) type Fault = (String, String);

/// A schema that is understood whole.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Value,
}

impl Schema {
    pub(crate) fn new(root: &Value) -> Result<Self, Fault> {
        check(root, root, "", 0)?;
        Ok(Schema { root: root.clone() })
    }

    pub(crate) fn accepts(&self, value: &Value) -> bool {
        accepts(&self.root, &self.root, value, 0)
    }
}

fn check(root: &Value, schema: &Value, pointer: &str, depth: usize) -> Result<(), Fault> {
    let fault = |key: &str, message: String| Err((format!("{pointer}/{key}"), message));
    if depth > MAX_DEPTH {
        return Err((pointer.to_owned(), format!("nested deeper than {MAX_DEPTH}")));
    }
    let Value::Object(keywords) = schema else {
        return match schema {
            Value::Bool(_) => Ok(()),
            other => Err((pointer.to_owned(), format!("expected a schema, found `{other}`"))),
        };
    };
    for (key, value) in keywords {
        let name = key.as_str();
        if !CHECKED.contains(&name) && !ANNOTATIONS.contains(&name) {
            return fault(name, "this keyword is not supported".to_owned());
        }
        let nested: Vec<(String, &Value)> = match value {
            _ if ONE.contains(&name) => vec![(format!("{pointer}/{name}"), value)],
            Value::Array(items) if LISTS.contains(&name) => {
                items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{name}/{index}"), item)).collect()
            }
            Value::Object(table) if TABLES.contains(&name) => {
                table.iter().map(|(key, item)| (format!("{pointer}/{name}/{key}"), item)).collect()
            }
            _ if LISTS.contains(&name) => return fault(name, format!("expected a list, found `{value}`")),
            _ if TABLES.contains(&name) => return fault(name, format!("expected a table, found `{value}`")),
            _ => Vec::new(),
        };
        for (pointer, schema) in nested {
            check(root, schema, &pointer, depth + 1)?;
        }
        let problem = match name {
            "$ref" => resolve(root, value).is_none().then(|| format!("there is no `{value}`")),
            "pattern" => pattern(value).err(),
            "patternProperties" => value
                .as_object()
                .and_then(|table| table.keys().find_map(|key| Regex::new(key).err()))
                .map(|error| error.to_string()),
            "type" => (!is_type(value)).then(|| format!("expected the name of a type, found `{value}`")),
            "enum" => (!value.is_array()).then(|| format!("expected a list, found `{value}`")),
            "required" => value
                .as_array()
                .is_none_or(|names| !names.iter().all(Value::is_string))
                .then(|| format!("expected a list of names, found `{value}`")),
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                (!value.is_number()).then(|| format!("expected a number, found `{value}`"))
            }
            "multipleOf" => {
                value.as_f64().is_none_or(|n| n <= 0.0).then(|| format!("expected a positive number, found `{value}`"))
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                (!value.is_u64()).then(|| format!("expected a whole number, found `{value}`"))
            }
            "uniqueItems" => (!value.is_boolean()).then(|| format!("expected true or false, found `{value}`")),
            _ => None,
        };
        if let Some(problem) = problem {
            return fault(name, problem);
        }
    }
    Ok(())
}

fn is_type(value: &Value) -> bool {
    let known = |name: &Value| {
        let names = ["null", "boolean", "integer", "number", "string", "array", "object"];
        name.as_str().is_some_and(|name| names.contains(&name))
    };
    match value {
        Value::Array(names) => names.iter().all(known),
        name => known(name),
    }
}

fn pattern(value: &Value) -> Result<Regex, String> {
    let text = value.as_str().ok_or_else(|| format!("expected a pattern, found `{value}`"))?;
    Regex::new(text).map_err(|error| error.to_string())
}

/// `#` and `#/…`; nothing outside of the schema.
fn resolve<'s>(root: &'s Value, reference: &Value) -> Option<&'s Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

fn accepts(root: &Value, schema: &Value, value: &Value, depth: usize) -> bool {
    let keywords = match schema {
        Value::Bool(any) => return *any,
        Value::Object(keywords) if depth <= MAX_DEPTH => keywords,
        _ => return false,
    };
    let nested = |schema: &Value, value: &Value| accepts(root, schema, value, depth + 1);
    let list = |key: &str| keywords.get(key).and_then(Value::as_array);
    let n_accepting = |schemas: &Vec<Value>| schemas.iter().filter(|schema| nested(schema, value)).count();
    keywords.get("$ref").is_none_or(|reference| resolve(root, reference).is_some_and(|schema| nested(schema, value)))
        && keywords.get("type").is_none_or(|names| has_type(names, value))
        && keywords.get("const").is_none_or(|expected| equal(expected, value))
        && list("enum").is_none_or(|values| values.iter().any(|expected| equal(expected, value)))
        && list("allOf").is_none_or(|schemas| n_accepting(schemas) == schemas.len())
        && list("anyOf").is_none_or(|schemas| n_accepting(schemas) > 0)
        && list("oneOf").is_none_or(|schemas| n_accepting(schemas) == 1)
        && keywords.get("not").is_none_or(|schema| !nested(schema, value))
        && keywords.get("if").is_none_or(|condition| {
            let branch = if nested(condition, value) { "then" } else { "else" };
            keywords.get(branch).is_none_or(|schema| nested(schema, value))
        })
        && match value {
            Value::Number(number) => number_fits(keywords, number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => text_fits(keywords, text),
            Value::Array(items) => items_fit(keywords, items, &nested),
            Value::Object(table) => table_fits(keywords, table, &nested),
            Value::Null | Value::Bool(_) => true,
        }
}

fn has_type(names: &Value, value: &Value) -> bool {
    if let Value::Array(names) = names {
        return names.iter().any(|name| has_type(name, value));
    }
    match names.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

/// Numbers are equal by value: 1 is 1.0.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn count(keywords: &Map<String, Value>, key: &str) -> Option<usize> {
    keywords.get(key).and_then(Value::as_u64).map(|count| count as usize)
}

fn within(keywords: &Map<String, Value>, at_least: &str, at_most: &str, n: usize) -> bool {
    count(keywords, at_least).is_none_or(|least| n >= least) && count(keywords, at_most).is_none_or(|most| n <= most)
}

fn number_fits(keywords: &Map<String, Value>, number: f64) -> bool {
    let bound = |key: &str| keywords.get(key).and_then(Value::as_f64);
    bound("minimum").is_none_or(|bound| number >= bound)
        && bound("maximum").is_none_or(|bound| number <= bound)
        && bound("exclusiveMinimum").is_none_or(|bound| number > bound)
        && bound("exclusiveMaximum").is_none_or(|bound| number < bound)
        && bound("multipleOf").is_none_or(|unit| (number / unit).fract() == 0.0)
}

fn text_fits(keywords: &Map<String, Value>, text: &str) -> bool {
    within(keywords, "minLength", "maxLength", text.chars().count())
        && keywords.get("pattern").is_none_or(|value| pattern(value).is_ok_and(|pattern| pattern.is_match(text)))
}

fn items_fit(keywords: &Map<String, Value>, items: &[Value], nested: &dyn Fn(&Value, &Value) -> bool) -> bool {
    let prefix = keywords.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let rest = items.get(prefix.len()..).unwrap_or_default();
    let is_unique = || items.iter().enumerate().all(|(index, a)| !items[..index].iter().any(|b| equal(a, b)));
    within(keywords, "minItems", "maxItems", items.len())
        && prefix.iter().zip(items).all(|(schema, item)| nested(schema, item))
        && keywords.get("items").is_none_or(|schema| rest.iter().all(|item| nested(schema, item)))
        && keywords.get("contains").is_none_or(|schema| items.iter().any(|item| nested(schema, item)))
        && (keywords.get("uniqueItems") != Some(&Value::Bool(true)) || is_unique())
}

fn table_fits(
    keywords: &Map<String, Value>,
    table: &Map<String, Value>,
    nested: &dyn Fn(&Value, &Value) -> bool,
) -> bool {
    let object = |key: &str| keywords.get(key).and_then(Value::as_object);
    let by_pattern = |name: &str| -> Vec<&Value> {
        let matches = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(name));
        let all = object("patternProperties").into_iter().flatten();
        all.filter(|(pattern, _)| matches(pattern)).map(|(_, schema)| schema).collect()
    };
    let required = keywords.get("required").and_then(Value::as_array).into_iter().flatten();
    within(keywords, "minProperties", "maxProperties", table.len())
        && required.filter_map(Value::as_str).all(|name| table.contains_key(name))
        && table.iter().all(|(name, value)| {
            let named = object("properties").and_then(|properties| properties.get(name));
            let schemas: Vec<&Value> = named.into_iter().chain(by_pattern(name)).collect();
            let additional = keywords.get("additionalProperties").filter(|_| schemas.is_empty());
            schemas.into_iter().chain(additional).all(|schema| nested(schema, value))
        })
        && keywords
            .get("propertyNames")
            .is_none_or(|schema| table.keys().all(|name| nested(schema, &Value::String(name.clone()))))
}
