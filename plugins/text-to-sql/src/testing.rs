//! SQLite for unit tests: as the schema reader's source, and as the databases granted to the plugin.

use std::rc::Rc;

use luthier_plugin::{Budget, Context, Databases, Rows, SqlDatabase, SqlError, SqlValue, Template};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::schema::SqlSource;
use crate::{TextToSql, Value, shop};

/// An in-memory database.
#[derive(Clone)]
pub(crate) struct Sqlite(Rc<Connection>);

impl Sqlite {
    pub(crate) fn script(script: &str) -> Sqlite {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(script).unwrap();
        Sqlite(Rc::new(connection))
    }

    pub(crate) fn rows(&self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        let text = |error: rusqlite::Error| error.to_string();
        let mut statement = self.0.prepare(sql).map_err(text)?;
        let n_columns = statement.column_count();
        let rows = statement
            .query_map([], |row| (0..n_columns).map(|index| row.get_ref(index).map(value)).collect())
            .map_err(text)?;
        rows.collect::<Result<_, _>>().map_err(text)
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
    }
}

impl SqlSource for Sqlite {
    fn query(&mut self, sql: &str) -> Result<Vec<Vec<Value>>, String> {
        self.rows(sql)
    }
}

impl SqlDatabase for Sqlite {
    fn query(&self, sql: &str, budget: Budget) -> Result<Rows, SqlError> {
        let rows = self.rows(sql).map_err(SqlError::Syntax)?;
        if rows.len() > budget.max_rows as usize {
            return Err(SqlError::TooLarge(format!("{} rows", rows.len())));
        }
        let value = |value| match value {
            Value::Null => SqlValue::Null,
            Value::Integer(value) => SqlValue::Integer(value),
            Value::Real(value) => SqlValue::Real(value),
            Value::Text(value) => SqlValue::Text(value),
        };
        let rows = rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect();
        Ok(Rows { columns: Vec::new(), rows })
    }
}

/// Grants one database under its name.
pub(crate) struct Granted(pub(crate) String, pub(crate) Sqlite);

impl Databases for Granted {
    fn open(&self, name: &str) -> Result<Box<dyn SqlDatabase>, SqlError> {
        if name == self.0 {
            Ok(Box::new(self.1.clone()))
        } else {
            Err(SqlError::Denied(format!("database `{name}` is not granted")))
        }
    }
}

/// The curated task, opened.
pub(crate) fn open_shop(seed: u64) -> TextToSql {
    let granted = Granted(shop::NAME.to_owned(), Sqlite::script(shop::SCRIPT));
    TextToSql::open(luthier_plugin::json::json!({}), Context::with_seed(seed), Box::new(granted)).unwrap()
}
