//! Runs of a project, and who works on them.

use luthier_protocol::response::{Finetuned, RunInfo};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::{Store, from_json, to_json};
use crate::Error;

/// Where a run stands. `broken` is not stored: it is `running` under an engine that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// An engine works on it.
    Running,
    /// Stopped with a checkpoint.
    Paused,
    /// Its adapter lies on disk.
    Finished,
    /// It cannot go on as it is.
    Failed,
    /// The engine died under it.
    Broken,
}

impl RunStatus {
    /// The protocol's word.
    pub fn name(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Paused => "paused",
            RunStatus::Finished => "finished",
            RunStatus::Failed => "failed",
            RunStatus::Broken => "broken",
        }
    }

    fn parse(name: &str) -> RunStatus {
        match name {
            "running" => RunStatus::Running,
            "paused" => RunStatus::Paused,
            "finished" => RunStatus::Finished,
            "broken" => RunStatus::Broken,
            _ => RunStatus::Failed,
        }
    }
}

/// The engine process that works on a run, named for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Machine.
    pub host: String,
    /// Boot of that machine.
    pub boot_id: String,
    /// Process.
    pub pid: u32,
    /// Start of that process, in ticks since boot.
    pub process_start: u64,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The run's id: the adapter's name and a number.
    pub run: String,
    /// Name of the adapter.
    pub name: String,
    /// As stored; see [`RunStatus::Broken`].
    pub status: RunStatus,
    /// The model, as it was asked for.
    pub model: String,
    /// The dataset's name.
    pub data: String,
    /// Optimizer steps done.
    pub global_step: u64,
    /// Steps in all.
    pub total_steps: u64,
    /// Last loss.
    pub loss: Option<f64>,
    /// RFC 3339.
    pub started: String,
    /// Seconds of work, over all resumptions.
    pub seconds: f64,
    /// Why it ended, if not well.
    pub message: Option<String>,
    /// The recipe with everything resolved, as JSON.
    pub recipe: String,
    /// What it came to.
    pub result: Option<Finetuned>,
    /// Who works on it, or did last.
    pub owner: Owner,
    /// When it was last written, in milliseconds since 1970.
    pub updated_ms: u64,
}

impl RunRecord {
    /// What clients are shown.
    pub fn info(&self) -> RunInfo {
        RunInfo {
            run: self.run.clone(),
            name: self.name.clone(),
            status: self.status.name().to_owned(),
            model: self.model.clone(),
            data: self.data.clone(),
            global_step: self.global_step,
            total_steps: self.total_steps,
            loss: self.loss,
            started: self.started.clone(),
            seconds: self.seconds,
            message: self.message.clone(),
        }
    }
}

const COLUMNS: &str = "run, name, status, model, data, global_step, total_steps, loss, started, seconds, \
                       message, recipe, result, owner, updated_ms";

impl Store {
    /// Add a run under the first free id `<name>-<number>`, and return that id.
    pub fn add_run(&mut self, record: &RunRecord) -> Result<String, Error> {
        self.transact(|connection| {
            let taken =
                |run: &str| connection.query_row("SELECT 1 FROM runs WHERE run = ?1", [run], |_| Ok(())).optional();
            let mut number = 1;
            let mut run = format!("{}-{number}", record.name);
            while taken(&run)?.is_some() {
                number += 1;
                run = format!("{}-{number}", record.name);
            }
            write(connection, &RunRecord { run: run.clone(), ..record.clone() })?;
            Ok(run)
        })
    }

    /// Replace a run.
    pub fn put_run(&self, record: &RunRecord) -> Result<(), Error> {
        self.run(|connection| write(connection, record))
    }

    /// One, by id.
    pub fn run_record(&self, run: &str) -> Result<Option<RunRecord>, Error> {
        self.run(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM runs WHERE run = ?1");
            connection.query_row(&sql, [run], read).optional()
        })
    }

    /// All, the latest first.
    pub fn run_records(&self) -> Result<Vec<RunRecord>, Error> {
        self.run(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM runs ORDER BY started DESC, rowid DESC");
            connection.prepare(&sql)?.query_map([], read)?.collect()
        })
    }
}

fn write(connection: &rusqlite::Connection, record: &RunRecord) -> rusqlite::Result<()> {
    let placeholders = (1..=15).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ");
    let result = record.result.as_ref().map(to_json).transpose()?;
    // Not INSERT OR REPLACE: a new rowid would move the run in lists.
    let sql = format!(
        "INSERT INTO runs ({COLUMNS}) VALUES ({placeholders}) ON CONFLICT (run) DO UPDATE SET
         status = excluded.status, global_step = excluded.global_step, total_steps = excluded.total_steps,
         loss = excluded.loss, seconds = excluded.seconds, message = excluded.message,
         recipe = excluded.recipe, result = excluded.result, owner = excluded.owner,
         updated_ms = excluded.updated_ms"
    );
    connection.execute(
        &sql,
        params![
            record.run,
            record.name,
            record.status.name(),
            record.model,
            record.data,
            record.global_step as i64,
            record.total_steps as i64,
            record.loss,
            record.started,
            record.seconds,
            record.message,
            record.recipe,
            result,
            to_json(&record.owner)?,
            record.updated_ms as i64
        ],
    )?;
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<RunRecord> {
    let has_result = !matches!(row.get_ref(12)?, rusqlite::types::ValueRef::Null);
    Ok(RunRecord {
        run: row.get(0)?,
        name: row.get(1)?,
        status: RunStatus::parse(row.get_ref(2)?.as_str()?),
        model: row.get(3)?,
        data: row.get(4)?,
        global_step: row.get::<_, i64>(5)? as u64,
        total_steps: row.get::<_, i64>(6)? as u64,
        loss: row.get(7)?,
        started: row.get(8)?,
        seconds: row.get(9)?,
        message: row.get(10)?,
        recipe: row.get(11)?,
        result: if has_result { Some(from_json(row, 12)?) } else { None },
        owner: from_json(row, 13)?,
        updated_ms: row.get::<_, i64>(14)? as u64,
    })
}
