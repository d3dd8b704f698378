//! What a template says of itself, checked; and the fingerprint of its prompts.

use luthier_synth::TemplateDescriptor;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::audit::Audit;
use crate::bindings::template::exports::luthier::plugin::template as wit;
use crate::call::Guest;
use crate::columns::{Check, Expected, parse_json};
use crate::plugin::{Description, identity};
use crate::{Error, text};

/// A property of the configuration with this set to `false` does not shape prompts.
const SHAPES_PROMPT: &str = "x-shapes-prompt";

pub(crate) fn check_descriptor(guest: &Guest, found: wit::Descriptor) -> Result<Description, Error> {
    let check = Check { plugin: guest.plugin(), call: "describe", limits: guest.limits() };
    let [id, version, summary] = identity(guest, &found.id, &found.version, &found.summary)?;
    let config_schema = parse_json(&found.config_schema, guest.limits())
        .map_err(|finding| check.error("JSON as config-schema", finding))?;
    let lists = [found.row_schema.len(), found.roles.prompt.len(), found.metrics.len(), found.databases.len()];
    if let Some(found) = lists.into_iter().find(|len| *len > guest.limits().list_items) {
        return Err(check.error(format!("lists of at most {} items", guest.limits().list_items), found.to_string()));
    }
    let row_schema = found
        .row_schema
        .iter()
        .map(|column| {
            name(&check, &column.name)?;
            Expected::from_spec(column).map_err(|finding| check.error("an Arrow type as arrow-type", finding))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let roles = found.roles;
    for role in roles.prompt.iter().chain(&roles.target).chain(&roles.group) {
        if !row_schema.iter().any(|column| column.name == *role) {
            let role = text::clean(role, 64);
            return Err(check.error("roles that name columns of row-schema", format!("`{role}`")));
        }
    }
    let databases = found
        .databases
        .into_iter()
        .map(|database| Ok((name(&check, &database.name)?, database.script)))
        .collect::<Result<_, Error>>()?;
    let metrics = found.metrics.iter().map(|metric| name(&check, metric)).collect::<Result<_, _>>()?;
    let descriptor = TemplateDescriptor {
        id,
        version,
        summary,
        config_schema,
        prompt_columns: roles.prompt,
        target_column: roles.target,
        group_column: roles.group,
        metrics,
        databases,
        generates: found.stages.contains(wit::Stages::GENERATE),
        validates: found.stages.contains(wit::Stages::VALIDATE),
        dedups: found.stages.contains(wit::Stages::DEDUP),
        asks: found.stages.contains(wit::Stages::SYNTHESIS_PROMPTS) && found.stages.contains(wit::Stages::PARSE),
    };
    Ok(Description::Template { descriptor: Box::new(descriptor), row_schema })
}

fn name(check: &Check<'_>, name: &str) -> Result<String, Error> {
    if text::is_name(name) {
        return Ok(name.to_owned());
    }
    Err(check.error("plain names", format!("`{}`", text::clean(name, 64))))
}

/// Hash of everything that shapes prompts: the component, and its configuration without what its
/// schema says does not.
pub(super) fn fingerprint(audit: &Audit, config_schema: &Value, config: &Value) -> String {
    let shapes = |key: &str| {
        let property = config_schema.get("properties").and_then(|properties| properties.get(key));
        property.and_then(|property| property.get(SHAPES_PROMPT)) != Some(&Value::Bool(false))
    };
    let mut keys: Vec<(&String, &Value)> =
        config.as_object().into_iter().flatten().filter(|(key, _)| shapes(key)).collect();
    keys.sort_by_key(|(key, _)| *key);
    let shaping: Map<String, Value> = keys.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let mut hasher = Sha256::new();
    hasher.update(&audit.digest);
    hasher.update([0]);
    hasher.update(Value::Object(shaping).to_string());
    hasher.finalize().iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}
