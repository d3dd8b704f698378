//! The environment that transformers renders chat templates in, on minijinja: block trimming, loop
//! controls, Python's methods and way of printing, `raise_exception`, `strftime_now`, `tojson`.

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{AutoEscape, Environment, ErrorKind, State, syntax::SyntaxConfig};

use super::{RenderDate, filters, limits, methods, python, tags, template_error};
use crate::Result;

const TEMPLATE: &str = "chat";

/// Stand before and after what an assistant says. Noncharacters: no text holds them.
pub(super) const MARKS: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// Set in the context of a rendering that wants [`MARKS`].
pub(super) const MARKING: &str = "luthier_marking";

/// Parses `template_source`.
pub(super) fn build(name: &str, template_source: &str, date: RenderDate) -> Result<Environment<'static>> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| template_error(name, error.to_string()))?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(methods::unknown_method);
    environment.set_formatter(|out, _, value| {
        let text = python::to_str(value);
        limits::print(text.len())?;
        Ok(out.write_str(&text)?)
    });
    environment.set_fuel(Some(limits::FUEL));
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", move |format: String| {
        python::strftime(&format, date).map_err(|finding| minijinja::Error::new(ErrorKind::InvalidOperation, finding))
    });
    environment.add_filter("tojson", to_json);
    filters::add(&mut environment);
    let literal_bytes = tags::literal_bytes(template_source);
    environment.add_function(tags::CHECK, move |values: Rest<Value>| limits::check(&values, literal_bytes));
    environment.add_function(tags::GENERATION, generation);
    environment
        .add_template_owned(TEMPLATE, tags::rewrite(template_source))
        .map_err(|error| template_error(name, format!("does not parse: {}", describe(&error))))?;
    Ok(environment)
}

/// Renders the parsed template.
pub(super) fn render(environment: &Environment<'static>, name: &str, context: Value) -> Result<String> {
    limits::begin();
    let mut out = limits::Bounded::default();
    environment
        .get_template(TEMPLATE)
        .and_then(|template| template.render_captured_to(context, &mut out).map(drop))
        .map_err(|error| template_error(name, describe(&error)))?;
    String::from_utf8(out.bytes).map_err(|error| template_error(name, error.to_string()))
}

/// The template's refusal (`Conversation roles must alternate …`), in its own words.
fn raise_exception(message: Value) -> Result<Value, minijinja::Error> {
    let message = python::to_str(&message);
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, format!("the template refuses the conversation: {message}")))
}

/// What stands between `{% generation %}` and `{% endgeneration %}`, between [`MARKS`] if they are
/// asked for.
fn generation(state: &mut State, options: Kwargs) -> Result<Value, minijinja::Error> {
    let caller: Value = options.get("caller")?;
    let text = python::to_str(&caller.call(state, &[])?);
    let is_marking = state.lookup(MARKING).is_some_and(|value| value.is_true());
    Ok(Value::from(if is_marking { format!("{}{text}{}", MARKS[0], MARKS[1]) } else { text }))
}

/// `json.dumps(value, ensure_ascii=False, indent=…, separators=…, sort_keys=…)`, as transformers
/// defines this filter; not minijinja's, which escapes for HTML.
fn to_json(value: &Value, arguments: Rest<Value>, options: Kwargs) -> Result<Value, minijinja::Error> {
    let positional = |index: usize| arguments.get(index).filter(|value| !value.is_none()).cloned();
    let named = |key: &str| options.get::<Option<Value>>(key).map(|value| value.filter(|value| !value.is_none()));
    let take = |index: usize, key: &str| named(key).map(|value| value.or_else(|| positional(index)));
    let indent = match take(1, "indent")? {
        Some(text) if text.kind() == ValueKind::String => Some(python::to_str(&text)),
        Some(width) => {
            let width = usize::try_from(width)?;
            limits::allow_text(width.saturating_mul(1024))?;
            Some(" ".repeat(width))
        }
        None => None,
    };
    let style = python::JsonStyle {
        ensure_ascii: take(0, "ensure_ascii")?.is_some_and(|value| value.is_true()),
        indent,
        separators: match take(2, "separators")? {
            Some(pair) => {
                let pair: Vec<Value> = pair.try_iter()?.collect();
                let [item, key] = pair.as_slice() else {
                    let finding = "tojson: separators are two texts";
                    return Err(minijinja::Error::new(ErrorKind::InvalidOperation, finding));
                };
                Some((python::to_str(item), python::to_str(key)))
            }
            None => None,
        },
        sort_keys: take(3, "sort_keys")?.is_some_and(|value| value.is_true()),
    };
    options.assert_all_used()?;
    let json = python::json_of(value).map_err(|finding| minijinja::Error::new(ErrorKind::BadSerialization, finding))?;
    Ok(Value::from(python::json_dumps(&json, &style)))
}

fn describe(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    let out_of_fuel = error.kind() == ErrorKind::OutOfFuel;
    match error.detail() {
        _ if out_of_fuel => format!("stopped after {} steps: it seems to loop without end{line}", limits::FUEL),
        Some(detail) => format!("{detail}{line}"),
        None => format!("{}{line}", error.kind()),
    }
}
