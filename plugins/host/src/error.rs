//! The one error type of this crate.

use std::path::PathBuf;

/// Why a plugin could not be loaded, or a call failed. The host works on after any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is larger than a component may be.
    #[error("plugin of {found} bytes: the limit is {limit} bytes")]
    Oversize {
        /// Its size.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The bytes are not WebAssembly, or are damaged.
    #[error("not a valid WebAssembly component: {detail}")]
    Malformed {
        /// The reader's finding.
        detail: String,
    },
    /// A core module was given.
    #[error(
        "this is a core WebAssembly module that exports no plugin: neither `describe` and `score-row` nor functions of \
         luthier:plugin/metric or template; see the interface in `wit/`"
    )]
    CoreModule,
    /// A core module cannot be made a component.
    #[error("the module does not fit the world {world}: {detail}")]
    Misfit {
        /// The world that it comes nearest to.
        world: &'static str,
        /// What is missing or wrong.
        detail: String,
    },
    /// The component asks for something that plugins do not get.
    #[error("plugin asks for {}; {}", imports.join(", "), reason)]
    ForbiddenImport {
        /// Names of the imports.
        imports: Vec<String>,
        /// Why not, and what to do.
        reason: String,
    },
    /// Built for another version of the interface.
    #[error("plugin is built for {found}; this host speaks luthier:plugin@{supported}")]
    InterfaceVersion {
        /// The name that it imports or exports.
        found: String,
        /// The host's version.
        supported: &'static str,
    },
    /// Exports none of the worlds.
    #[error(
        "plugin exports {}; expected luthier:plugin/metric, luthier:plugin/template, or the functions describe and score-row",
        if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
    )]
    NoWorld {
        /// Names of the exports.
        exports: Vec<String>,
    },
    /// Exports the right names with the wrong types.
    #[error("plugin does not fit the world {world}: {detail}")]
    WrongTypes {
        /// The world that its exports' names say.
        world: &'static str,
        /// The first difference.
        detail: String,
    },
    /// A metric was asked of a template, or the other way round.
    #[error("plugin `{plugin}` is a {found}, expected a {expected}")]
    WrongKind {
        /// Plugin id.
        plugin: String,
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// Ran out of fuel.
    #[error("plugin `{plugin}`: {call} is out of fuel after {used} (limit {limit})")]
    OutOfFuel {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// Fuel used.
        used: u64,
        /// Fuel given.
        limit: u64,
    },
    /// Asked for more memory than it may have.
    #[error("plugin `{plugin}`: {call} asked for {requested} bytes of memory (limit {limit})")]
    OutOfMemory {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// Bytes that it would have had.
        requested: usize,
        /// The limit.
        limit: usize,
    },
    /// Recursed too deeply.
    #[error("plugin `{plugin}`: {call} overflowed its stack of {limit} bytes")]
    StackOverflow {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The real-time backstop; the run is invalid, the row is not judged.
    #[error("plugin `{plugin}`: {call} ran for {limit_s} s; the run is invalid")]
    Backstop {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// The backstop.
        limit_s: u32,
    },
    /// A person interrupted the call.
    #[error("plugin `{plugin}`: {call} was interrupted")]
    Interrupted {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
    },
    /// Trapped: panicked, divided by zero, read out of bounds.
    #[error(
        "plugin `{plugin}`: {call} trapped: {detail}{}{}{}",
        frame_list(&site.frames),
        row_excerpt(&site.row),
        log_excerpt(log)
    )]
    Trap {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// What wasmtime says.
        detail: String,
        /// Where.
        site: Box<TrapSite>,
        /// Last log lines, a panic's message among them.
        log: Vec<String>,
    },
    /// An earlier call trapped, and the instance is gone.
    #[error("plugin `{plugin}`: {call} cannot run, since an earlier call failed; open the plugin again")]
    Ended {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
    },
    /// The plugin says that its configuration is wrong.
    #[error("plugin `{plugin}`: invalid configuration{}", issue_list(issues))]
    InvalidConfig {
        /// Plugin id.
        plugin: String,
        /// What is wrong where.
        issues: Vec<Issue>,
    },
    /// The plugin refused the call.
    #[error("plugin `{plugin}`: {call} failed: {message}")]
    Refused {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// The plugin's words.
        message: String,
    },
    /// The plugin returned something that it must not.
    #[error("plugin `{plugin}`: {call} returned {finding}; expected {expected}")]
    InvalidResult {
        /// Plugin id.
        plugin: String,
        /// The call.
        call: &'static str,
        /// What should have come.
        expected: String,
        /// What came.
        finding: String,
    },
    /// The plugin wants what this host does not do.
    #[error("plugin `{plugin}`: {feature} is not supported by this host")]
    Unsupported {
        /// Plugin id.
        plugin: String,
        /// The feature.
        feature: String,
    },
    /// A column of the host's rows cannot be sent.
    #[error("column `{column}` has the type {found}; the plugin takes {expected}")]
    ColumnType {
        /// Column name.
        column: String,
        /// What it takes.
        expected: String,
        /// Its Arrow type.
        found: String,
    },
    /// A column that the plugin reads is not there.
    #[error("plugin `{plugin}` reads the column `{column}`; there are {}", columns.join(", "))]
    MissingColumn {
        /// Plugin id.
        plugin: String,
        /// Column name.
        column: String,
        /// Columns that there are.
        columns: Vec<String>,
    },
    /// A database script failed.
    #[error("database script `{name}`: {detail}")]
    Script {
        /// File name of the database.
        name: String,
        /// What SQLite says.
        detail: String,
    },
    /// What a plugin's file brings besides code is damaged or too much.
    #[error("package: {detail}")]
    Package {
        /// What is wrong.
        detail: String,
    },
    /// A signature is there and wrong, or a key cannot be used.
    #[error("signature: {detail}")]
    Signature {
        /// What is wrong.
        detail: String,
    },
    /// A golden case does not hold.
    #[error("plugin `{plugin}`: golden case {case:?} does not hold: {finding}")]
    Golden {
        /// Plugin id.
        plugin: String,
        /// The case's name.
        case: String,
        /// What differs.
        finding: String,
    },
    /// A granted database could not be opened.
    #[error("database {}: {detail}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// The runtime could not be set up.
    #[error("plugin runtime: {detail}")]
    Runtime {
        /// What wasmtime says.
        detail: String,
    },
    /// A file of the cache or a database could not be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Where a guest trapped, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrapSite {
    /// The guest's functions, innermost first, where the component keeps their names.
    pub frames: Vec<String>,
    /// The row at hand and an excerpt, where rows are scored one by one.
    pub row: Option<String>,
}

/// One problem in a plugin's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// JSON Pointer into the configuration; empty for the whole.
    pub pointer: String,
    /// For people.
    pub message: String,
}

fn issue_list(issues: &[Issue]) -> String {
    issues
        .iter()
        .map(|issue| match issue.pointer.as_str() {
            "" => format!("; {}", issue.message),
            pointer => format!("; {pointer}: {}", issue.message),
        })
        .collect()
}

fn frame_list(frames: &[String]) -> String {
    if frames.is_empty() { String::new() } else { format!("; in {}", frames.join(" < ")) }
}

fn row_excerpt(row: &Option<String>) -> String {
    row.as_ref().map_or_else(String::new, |row| format!("; at {row}"))
}

fn log_excerpt(log: &[String]) -> String {
    if log.is_empty() { String::new() } else { format!("; its last log lines: {}", log.join(" | ")) }
}
