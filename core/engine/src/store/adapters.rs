//! Adapters of a project, and names given to models by `load … as NAME`.

use luthier_protocol::response::AdapterInfo;

use super::{Store, from_json, to_json};
use crate::Error;

/// An adapter of the project.
pub type AdapterRecord = AdapterInfo;

impl Store {
    /// Add or replace.
    pub fn put_adapter(&self, info: &AdapterRecord) -> Result<(), Error> {
        self.run(|connection| {
            connection
                .execute("INSERT OR REPLACE INTO adapters (name, info) VALUES (?1, ?2)", [&info.name, &to_json(info)?])
        })?;
        Ok(())
    }

    /// All, by name.
    pub fn adapters(&self) -> Result<Vec<AdapterRecord>, Error> {
        self.run(|connection| {
            connection
                .prepare("SELECT info FROM adapters ORDER BY name")?
                .query_map([], |row| from_json(row, 0))?
                .collect()
        })
    }

    /// Let `name` stand for the model `source` in this project.
    pub fn put_model_name(&self, name: &str, source: &str) -> Result<(), Error> {
        self.run(|connection| {
            connection.execute("INSERT OR REPLACE INTO models (name, source) VALUES (?1, ?2)", [name, source])
        })?;
        Ok(())
    }

    /// Names given to models: name and what it stands for.
    pub fn model_names(&self) -> Result<Vec<(String, String)>, Error> {
        self.run(|connection| {
            connection
                .prepare("SELECT name, source FROM models ORDER BY name")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }
}
