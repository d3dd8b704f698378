//! Every limit of a guest, with its reason. A limit that is hit ends the call with an error that
//! names the limit, the number asked for and the number allowed.

/// Limits of one host. The defaults suit a laptop; tests lower them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of a component's file. CPython as a component has 18 MB; 32 MiB leaves room.
    pub component_bytes: usize,
    /// Fuel of one call, about 3 seconds.
    pub fuel_per_call: u64,
    /// Further fuel for each row of a call's input or requested output: a row's verdict must not
    /// depend on how many rows came with it.
    pub fuel_per_row: u64,
    /// Linear memory, all memories together.
    pub memory_bytes: usize,
    /// Table elements, all tables together.
    pub table_elements: usize,
    /// Bytes that one call between guest and host may copy to the host.
    pub transfer_bytes: usize,
    /// Rows of one call; larger inputs are cut.
    pub batch_rows: u32,
    /// Real time of one call: a backstop behind the fuel that makes the run invalid. Never a verdict.
    pub backstop_s: u32,
    /// Log lines kept per instance; further ones are counted.
    pub log_lines: usize,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
    /// Bytes of a message, name or summary that is shown to a person.
    pub text_bytes: usize,
    /// Bytes of one JSON document from a guest.
    pub json_bytes: usize,
    /// Nesting of a JSON document from a guest.
    pub json_depth: usize,
    /// Columns of a batch, entries of a descriptor's lists.
    pub list_items: usize,
    /// Limits of SQL queries.
    pub sql: SqlLimits,
    /// Limits of generated programs.
    pub exec: ExecLimits,
}

/// Limits of generated programs, whatever their budgets say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecLimits {
    /// Fuel of one program, about 10 seconds.
    pub fuel_per_program: u64,
    /// Fuel of all programs of one guest call, besides one program's for each of its rows.
    pub fuel_per_call: u64,
    /// Memory of one interpreter.
    pub memory_bytes: usize,
    /// What is kept of a program's output.
    pub output_bytes: usize,
}

/// Limits of SQL queries and of database scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlLimits {
    /// Steps of one query, whatever its budget says.
    pub vm_steps: u64,
    /// Steps of all queries of one guest call.
    pub vm_steps_per_call: u64,
    /// Rows of one result.
    pub rows: u32,
    /// Bytes of one result.
    pub bytes: u32,
    /// Bytes of a query.
    pub query_bytes: i32,
    /// Databases open at once in one instance.
    pub open_databases: usize,
    /// Steps of a template's script.
    pub script_vm_steps: u64,
    /// Bytes of a template's script.
    pub script_bytes: usize,
    /// Bytes of the database that a script makes.
    pub database_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            component_bytes: 32 << 20,
            fuel_per_call: 20_000_000_000,
            fuel_per_row: 100_000_000,
            memory_bytes: 256 << 20,
            table_elements: 100_000,
            transfer_bytes: 64 << 20,
            batch_rows: 4_096,
            backstop_s: 300,
            log_lines: 200,
            log_line_bytes: 2_048,
            text_bytes: 4_096,
            json_bytes: 1 << 20,
            json_depth: 64,
            list_items: 256,
            sql: SqlLimits::default(),
            exec: ExecLimits::default(),
        }
    }
}

impl Default for ExecLimits {
    fn default() -> Self {
        Self {
            fuel_per_program: 70_000_000_000,
            fuel_per_call: 4_000_000_000_000,
            memory_bytes: 512 << 20,
            output_bytes: 1 << 20,
        }
    }
}

impl Default for SqlLimits {
    fn default() -> Self {
        Self {
            vm_steps: 50_000_000,
            vm_steps_per_call: 5_000_000_000,
            rows: 100_000,
            bytes: 64 << 20,
            query_bytes: 64 << 10,
            open_databases: 64,
            script_vm_steps: 500_000_000,
            script_bytes: 16 << 20,
            database_bytes: 256 << 20,
        }
    }
}

/// Handles to host resources that one instance may hold (CVE-2026-119134: no limiter counts them).
pub(crate) const COMPONENT_HANDLES: usize = 1_024;
/// Instances of core modules within one component; wit-component makes 3 or 4.
pub(crate) const CORE_INSTANCES: usize = 64;
/// Stack of the guest. The host's thread has [`THREAD_STACK_BYTES`]: were it to overflow, the process would abort.
pub(crate) const WASM_STACK_BYTES: usize = 512 << 10;
/// Stack of the thread on which a guest runs.
pub(crate) const THREAD_STACK_BYTES: usize = 8 << 20;
/// Fuel of a guest's `describe`, `open` and other calls without rows is that of a call with none.
pub(crate) const NO_ROWS: usize = 0;
