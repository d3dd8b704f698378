//! The environment that transformers renders chat templates in, on minijinja: block trimming, loop
//! controls, Python's methods and way of printing, `raise_exception`, `strftime_now`, `tojson`.

use minijinja::value::{Kwargs, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, State, syntax::SyntaxConfig};

use super::{RenderDate, python, source, template_error};
use crate::Result;

/// Instructions one rendering may take. A conversation of 100 turns through the longest tool-use
/// templates takes some 10^5; a template that loops ends within a second.
const FUEL: u64 = 20_000_000;

const TEMPLATE: &str = "chat";

/// Parses `template_source`.
pub(super) fn build(name: &str, template_source: &str, date: RenderDate) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| template_error(name, error.to_string()))?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_formatter(|out, _, value| Ok(out.write_str(&python::to_str(value))?));
    environment.set_fuel(Some(FUEL));
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", move |format: String| {
        python::strftime(&format, date).map_err(|finding| minijinja::Error::new(ErrorKind::InvalidOperation, finding))
    });
    environment.add_filter("tojson", to_json);
    environment
        .add_template_owned(TEMPLATE, source::without_generation_tags(template_source))
        .map_err(|error| template_error(name, format!("does not parse: {}", describe(&error))))?;
    Ok(environment)
}

/// Renders the parsed template.
pub(super) fn render(environment: &Environment<'static>, name: &str, context: Value) -> Result<String> {
    environment
        .get_template(TEMPLATE)
        .and_then(|template| template.render(context))
        .map_err(|error| template_error(name, describe(&error)))
}

/// The template's refusal (`Conversation roles must alternate …`), in its own words.
fn raise_exception(message: String) -> Result<Value, minijinja::Error> {
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("the template refuses the conversation: {message}")))
}

/// `json.dumps(value, ensure_ascii=False, indent=…, separators=…, sort_keys=…)`, as transformers
/// defines this filter; not minijinja's, which escapes for HTML.
fn to_json(_: &State, value: &Value, options: Kwargs) -> Result<Value, minijinja::Error> {
    let style = python::JsonStyle {
        indent: options.get::<Option<usize>>("indent")?,
        separators: options
            .get::<Option<Vec<String>>>("separators")?
            .and_then(|pair| <[String; 2]>::try_from(pair).ok())
            .map(|[item, key]| (item, key)),
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
    };
    // Its default, and the only value that is rendered.
    options.get::<Option<bool>>("ensure_ascii")?;
    options.assert_all_used()?;
    let json = python::json_of(value).map_err(|finding| minijinja::Error::new(ErrorKind::BadSerialization, finding))?;
    Ok(Value::from(python::json_dumps(&json, &style)))
}

fn describe(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    match error.detail() {
        Some(detail) => format!("{detail}{line}"),
        None => format!("{}{line}", error.kind()),
    }
}
