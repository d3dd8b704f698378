//! What a statement may do, decided while SQLite compiles it.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};

/// Functions whose results differ from run to run, or that reach outside of the database.
const DENIED_FUNCTIONS: [&str; 8] = [
    "load_extension",
    "random",
    "randomblob",
    "current_timestamp",
    "current_date",
    "current_time",
    "fts3_tokenizer",
    "sqlite_log",
];

/// Pragmas that only read the schema. Table-valued functions as `pragma_table_info('t')` run them too;
/// full-text tables read `data_version`.
const SCHEMA_PRAGMAS: [&str; 8] = [
    "table_info",
    "table_xinfo",
    "table_list",
    "foreign_key_list",
    "index_list",
    "index_info",
    "index_xinfo",
    "data_version",
];

/// Pragmas that a database script may use.
const SCRIPT_PRAGMAS: [&str; 3] = ["foreign_keys", "user_version", "application_id"];

/// A query: reads and functions. The reason when it is denied.
pub(super) fn query(context: &AuthContext<'_>) -> Result<(), String> {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => Ok(()),
        AuthAction::Function { function_name } => function(function_name),
        AuthAction::Pragma { pragma_name, .. } if contains(&SCHEMA_PRAGMAS, pragma_name) => Ok(()),
        AuthAction::Pragma { pragma_name, .. } => Err(format!("PRAGMA {pragma_name} is not allowed")),
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Err("other databases cannot be attached".to_owned()),
        _ => Err("only SELECT is allowed".to_owned()),
    }
}

/// A statement of a database script: anything that stays in its own file.
pub(super) fn script(context: &AuthContext<'_>) -> Result<(), String> {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Err("a script cannot attach databases".to_owned()),
        AuthAction::CreateVtable { module_name, .. } => {
            Err(format!("virtual tables (`{module_name}`) are not allowed"))
        }
        AuthAction::Function { function_name } => function(function_name),
        AuthAction::Pragma { pragma_name, .. } if !contains(&SCRIPT_PRAGMAS, pragma_name) => {
            Err(format!("PRAGMA {pragma_name} is not allowed"))
        }
        AuthAction::Unknown { code, .. } => Err(format!("action {code} is not allowed")),
        _ => Ok(()),
    }
}

pub(super) fn verdict(outcome: &Result<(), String>) -> Authorization {
    if outcome.is_ok() { Authorization::Allow } else { Authorization::Deny }
}

fn function(name: &str) -> Result<(), String> {
    if contains(&DENIED_FUNCTIONS, name) { Err(format!("the function {name} is not allowed")) } else { Ok(()) }
}

fn contains(names: &[&str], name: &str) -> bool {
    names.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}
